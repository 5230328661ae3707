import { z } from "zod";
import type { OutsideKind, ReadKind } from "../../src/activities/step-kind.ts";
import { StepError } from "../../src/errors.ts";
import type { Json } from "../../src/json.ts";

/** What the world outside did, by step name: how often it was asked, and how it answers. */
export interface Outside {
  readonly asked: Map<string, number>;
  /** Called with how often `name` was asked before. Throws what the step shall meet. */
  answer(name: string, before: number, signal: AbortSignal): Promise<Json>;
}

const policy = {
  retry: { maximumAttempts: 3, initialIntervalMs: 50, backoffCoefficient: 2, maximumIntervalMs: 60_000 },
  timeoutMs: 10_000,
  version: 1,
} as const;
const input = z.strictObject({ name: z.string() });

/** A step that asks `outside`, as an activity of its own: for retries, cancels and timeouts. */
export function createCallKind(outside: Outside): OutsideKind<{ name: string }, { name: string }> {
  return {
    kind: "call",
    effect: "outside",
    title: "Call",
    description: "Asks the test.",
    queue: "email",
    ...policy,
    input,
    output: z.object({ said: z.unknown() }),
    fixed: [],
    sample: { input: { name: "x" }, output: { said: null } },
    prepare: async (_context, { name }) => ({ request: { name } }),
    // Whoever asks again does no harm.
    repeatable: () => true,
    async perform({ signal }, { name }) {
      return { output: { said: await ask(outside, name, signal) }, outcome: "answered" };
    },
  };
}

/** The same, as a read that the quick lane may do. */
export function createAskKind(outside: Outside): ReadKind<{ name: string }> {
  return {
    kind: "ask-test",
    effect: "read",
    title: "Ask",
    description: "Asks the test.",
    queue: "runs",
    ...policy,
    input,
    output: z.object({ said: z.unknown() }),
    fixed: [],
    sample: { input: { name: "x" }, output: { said: null } },
    async run({ signal }, { name }) {
      return { output: { said: await ask(outside, name, signal) }, outcome: "answered" };
    },
  };
}

function ask(outside: Outside, name: string, signal: AbortSignal): Promise<Json> {
  const before = outside.asked.get(name) ?? 0;
  outside.asked.set(name, before + 1);
  return outside.answer(name, before, signal);
}

/** An outside whose answers are written per name; the last one stays. */
export function createOutside(answers: Record<string, ((signal: AbortSignal) => Promise<Json>)[]>): Outside {
  return {
    asked: new Map(),
    answer(name, before, signal) {
      const list = answers[name] ?? [];
      const answer = list[Math.min(before, list.length - 1)];
      if (answer === undefined) throw new StepError("not-written", `The test wrote no answer for ${name}.`);
      return answer(signal);
    },
  };
}

export const says = (value: Json) => async (): Promise<Json> => value;
export const fails = (code: string, retryable: boolean) => async (): Promise<Json> => {
  throw new StepError(code, `It said ${code}.`, { retryable, details: { status: 500 } });
};
/** Never answers; ends when the step is cancelled or its time is up. */
export const hangs = (signal: AbortSignal): Promise<Json> =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("aborted")), { once: true }));
