import { AsyncLocalStorage } from "node:async_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { ApplicationFailure, Context } from "@temporalio/activity";
import type { ActivityExecuteInput, ActivityInboundCallsInterceptor, WorkerOptions } from "@temporalio/worker";
import type { Json, JsonObject } from "../../../src/json.ts";
import type { SqlPool } from "../../../src/sql.ts";
import {
  breakOff,
  createBrokenLine,
  createDeath,
  createDisturbedPool,
  type Disturb,
} from "../../support/disturbed-pool.ts";
import { traceOf } from "./trace.ts";

/** What befalls a run at its `at`-th statement, of all that its activities make. */
export interface Ordeal {
  /**
   * - `death`: the worker dies, and another one begins the activity again.
   * - `broken-line`: its connection to Postgres breaks, and the worker goes on.
   * - `standstill`: the worker stands still; meanwhile the run is started anew under a higher fence, and
   *   another worker does the activity; then the first one goes on.
   * - `repetition`: nothing; but every activity is done again after it was done.
   */
  readonly by: "death" | "broken-line" | "standstill" | "repetition";
  readonly at: number;
  /** Whether Postgres did the statement before. */
  readonly heard: boolean;
  /** Activities that nothing befalls. */
  readonly spared?: readonly string[];
}

/** How a run stands in its ordeal. */
export interface Trial extends Ordeal {
  statements: number;
  /** Whether the run came as far as that. */
  met: boolean;
  fence: number;
  /** What changed though nothing may: what was before, and after. */
  readonly changes: Array<{ readonly before: string; readonly after: string }>;
  /** Answers to an activity that differed. */
  readonly answers: Array<{ readonly first: Json; readonly again: Json }>;
}

interface Attempt {
  readonly trial: Trial;
  readonly spared: boolean;
  dead: boolean;
  /** It stands still. */
  readonly stands: Moment;
  /** It goes on. */
  readonly goesOn: Moment;
}

/** Something that comes to pass once. */
interface Moment {
  readonly come: Promise<void>;
  say(): void;
}

function createMoment(): Moment {
  let say = (): void => {};
  const come = new Promise<void>((resolve) => (say = resolve));
  return { come, say };
}

type Next = (input: ActivityExecuteInput) => Promise<unknown>;

/** A pool, and what workers are to be made with, so that runs undergo what is said of them. */
export interface Ordeals {
  readonly pool: SqlPool;
  readonly interceptors: NonNullable<WorkerOptions["interceptors"]>;
  /** Says what befalls a run, before it is enqueued. */
  undergo(runId: string, ordeal: Ordeal): Trial;
  /** How many activities of a run are under way in the workers of this process. */
  underWay(runId: string): number;
}

export function createOrdeals(pool: SqlPool): Ordeals {
  const trials = new Map<string, Trial>();
  const counts = new Map<string, number>();
  const attempts = new AsyncLocalStorage<Attempt>();
  const disturbed = createDisturbedPool(pool, () => {
    const attempt = attempts.getStore();
    return attempt && disturbing(attempt);
  });

  async function execute(given: ActivityExecuteInput, next: Next): Promise<unknown> {
    const runId = runIdOf(given);
    const count = (by: number): void => void counts.set(runId, (counts.get(runId) ?? 0) + by);
    count(1);
    try {
      return await performed(given, next);
    } finally {
      count(-1);
    }
  }

  /** Does an activity as one worker after the other does it. */
  async function performed(given: ActivityExecuteInput, next: Next): Promise<unknown> {
    const trial = trials.get(runIdOf(given));
    if (trial === undefined) return next(given);
    for (;;) {
      const input = underFence(given, trial.fence);
      const attempt = beginAttempt(trial);
      const work = attempts.run(attempt, () => settle(next(input)));
      if (await Promise.race([work.then(() => false), attempt.stands.come.then(() => true)]))
        return overtake(given, next, { attempt, work });
      const first = await work;
      if (attempt.dead) continue;
      if (trial.by !== "repetition" || "thrown" in first) return unwrap(first);
      await repeat(given, next, { trial, first });
      return unwrap(first);
    }
  }

  /** The activity is done again, as by a worker whose first answer was lost. */
  async function repeat(
    given: ActivityExecuteInput,
    next: Next,
    done: { trial: Trial; first: Settled },
  ): Promise<void> {
    const { trial } = done;
    const runId = runIdOf(given);
    const before = await traceOf(pool, runId);
    const again = await settle(next(underFence(given, trial.fence)));
    // What it waited for may have come meanwhile.
    if ("value" in done.first && Object.hasOwn(Object(done.first.value), "waitId")) return;
    const after = await traceOf(pool, runId);
    if (before !== after) trial.changes.push({ before, after });
    const [first, second] = [verdictIn(done.first), verdictIn(again)];
    if (first !== undefined) trial.answers.push({ first, again: second ?? null });
  }

  /** Another worker does the activity under a higher fence, then the one that stands still goes on. */
  async function overtake(
    given: ActivityExecuteInput,
    next: Next,
    { attempt, work }: { attempt: Attempt; work: Promise<Settled> },
  ): Promise<unknown> {
    const { trial } = attempt;
    const runId = runIdOf(given);
    // Waits, as a new start does, for what the one that stands still has locked: until Postgres rolls it back.
    const { rows } = await pool.query<{ fence: number }>(
      "update tandem.runs set fence = fence + 1 where id = $1 returning fence",
      [runId],
    );
    trial.fence = rows[0]?.fence ?? trial.fence;
    const others = await attempts.run(beginAttempt(trial), () => untilDone(() => next(underFence(given, trial.fence))));
    const before = await traceOf(pool, runId);
    attempt.goesOn.say();
    await work;
    const after = await traceOf(pool, runId);
    if (before !== after) trial.changes.push({ before, after });
    return unwrap(others);
  }

  return {
    pool: disturbed,
    interceptors: {
      activity: [() => ({ inbound: { execute } satisfies ActivityInboundCallsInterceptor })],
    },
    undergo(runId, ordeal) {
      const trial: Trial = { ...ordeal, statements: 0, met: false, fence: 1, changes: [], answers: [] };
      trials.set(runId, trial);
      return trial;
    },
    underWay: (runId) => counts.get(runId) ?? 0,
  };
}

function beginAttempt(trial: Trial): Attempt {
  const spared = trial.spared?.includes(Context.current().info.activityType) === true;
  return { trial, spared, dead: false, stands: createMoment(), goesOn: createMoment() };
}

function disturbing(attempt: Attempt): Disturb {
  const { trial } = attempt;
  return async (ask) => {
    if (attempt.spared) return ask();
    if (attempt.dead) throw createDeath();
    trial.statements += 1;
    if (trial.met || trial.statements !== trial.at || trial.by === "repetition") return ask();
    trial.met = true;
    if (trial.by === "standstill") {
      attempt.stands.say();
      await attempt.goesOn.come;
      return ask();
    }
    attempt.dead = trial.by === "death";
    return breakOff(ask, { heard: trial.heard, failure: attempt.dead ? createDeath() : createBrokenLine() });
  };
}

type Settled = { readonly value: unknown } | { readonly thrown: unknown };

function settle(work: Promise<unknown>): Promise<Settled> {
  return work.then(
    (value) => ({ value }),
    (thrown: unknown) => ({ thrown }),
  );
}

function unwrap(settled: Settled): unknown {
  if ("thrown" in settled) throw settled.thrown;
  return settled.value;
}

/** As Temporal does it: an activity that says so is asked again. */
async function untilDone(ask: () => Promise<unknown>): Promise<Settled> {
  for (;;) {
    const settled = await settle(ask());
    const failure = "thrown" in settled ? settled.thrown : undefined;
    if (!(failure instanceof ApplicationFailure) || failure.type !== "TryAgain") return settled;
    await sleep(Number(failure.nextRetryDelay ?? 1));
  }
}

/** All activities of runs begin with whose they are. */
function runIdOf({ args: [input] }: ActivityExecuteInput): string {
  const { runId } = (input ?? {}) as { runId?: string };
  return runId ?? "";
}

/** The run may have been started anew since, by the product itself. */
function underFence(given: ActivityExecuteInput, fence: number): ActivityExecuteInput {
  const [input, ...rest] = given.args;
  const { fence: own = 0 } = (input ?? {}) as { fence?: number };
  return { ...given, args: [{ ...(input as object), fence: Math.max(own, fence) }, ...rest] };
}

/** What a step's activity decided; others have no answer that stays the same. How far a loop is, is read anew. */
function verdictIn(settled: Settled): Json | undefined {
  if ("thrown" in settled) return String(settled.thrown);
  const { verdict } = (settled.value ?? {}) as { verdict?: JsonObject };
  if (verdict === undefined) return undefined;
  const { from: _from, done: _done, ...decided } = verdict;
  return decided;
}
