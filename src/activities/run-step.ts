import { CancelledFailure, Context } from "@temporalio/activity";
import type { PlanStep } from "../definition/plan.ts";
import type { Json } from "../json.ts";
import { beginAttempt, type Beginning } from "../runs/attempts.ts";
import { findEnding } from "../runs/ending.ts";
import { createSeal, type OwnRow } from "../runs/ledger.ts";
import { callKey } from "../runs/outside-calls.ts";
import type { StepAnswer, StepInput } from "./contract.ts";
import { createContext, type Environment } from "./environment.ts";
import { meaningOf } from "./failures.ts";
import { createGuard, needsGuard, type Guard } from "./guard.ts";
import { closeLoop, describeClosing, withProgress } from "./loops.ts";
import { createOnceSeal, createOnceStep, OnceTakenError, type OnceStep } from "./once.ts";
import { performOutside, type Doubt } from "./outside.ts";
import { performNode, type Performed, type Waiting } from "./perform.ts";
import { createEvaluation, prepareVersion, type PreparedVersion } from "./prepared.ts";
import { endFailed, endPerformed, tryAgain } from "./try-ends.ts";
import { withinTime } from "./within-time.ts";

const heartbeatMs = 500;

/**
 * Does one step as an activity. Answers from the ledger when the step is sealed. Temporal repeats it
 * without limit on our own faults; tries of the target are counted in the ledger and end the activity
 * when they are used up (DURABILITY.md §3).
 */
export async function runStep(environment: Environment, input: StepInput): Promise<StepAnswer> {
  const activity = Context.current();
  const heart = setInterval(() => activity.heartbeat(), heartbeatMs);
  try {
    return await attempt(environment, input, activity.cancellationSignal);
  } finally {
    clearInterval(heart);
  }
}

async function attempt(environment: Environment, input: StepInput, cancelled: AbortSignal): Promise<StepAnswer> {
  const version = prepareVersion(await environment.loadVersion(input.versionId));
  const { step } = version.node(input.node);
  try {
    const beginning = await beginAttempt(environment.pool, input, input.path, version.needs(input.node, input.path));
    if (beginning.kind === "sealed") {
      const verdict = await withProgress(environment.pool, input, beginning.verdict);
      return { verdict, ...(beginning.outcome === null ? {} : { outcome: beginning.outcome }) };
    }
    if (beginning.kind === "waiting") return { waitId: beginning.waitId };
    return await tryStep(environment, { input, version, step, beginning, cancelled });
  } catch (error) {
    if (cancelled.aborted) throw new CancelledFailure("The step was cancelled");
    const meaning = meaningOf(error);
    // Whoever sealed it first is asked at once; a run that is not open is asked about again until its
    // cancel arrives, unless it is over.
    if (meaning.kind === "conflict") throw tryAgain("sealed-by-another", 1);
    if (meaning.kind === "fenced") {
      const over = await findEnding(environment.pool, input.runId);
      if (over !== undefined) return { over };
      throw tryAgain("run-not-open", 1_000);
    }
    throw error;
  }
}

/** One try of a step. */
interface Try {
  readonly input: StepInput;
  readonly version: PreparedVersion;
  readonly step: PlanStep;
  readonly beginning: Extract<Beginning, { kind: "begun" }>;
  readonly cancelled: AbortSignal;
}

async function tryStep(environment: Environment, attempted: Try): Promise<StepAnswer> {
  const { input, step, beginning } = attempted;
  const own: OwnRow = {
    path: input.path,
    attempts: beginning.counted + 1,
    attempt: beginning.attempt,
    lane: "ordinary",
    startedAt: new Date(),
  };
  if (step.control === "iterator") return { verdict: await closeLoop(environment.pool, input, { step, own }) };
  const doubt: Doubt = { open: false, lasting: false };
  const once = createOnceStep(environment.pool, { run: beginning.run, key: input, path: input.path, step });
  let [guard, resolved]: [Guard | undefined, Json | null] = [undefined, null];
  const end = { environment, key: input, step, own, doubt, once };
  try {
    if (needsGuard(step, environment.kinds)) guard = await createGuard(environment, beginning.run);
    const resolvedTo = (value: Json): void => {
      resolved = value;
    };
    const performed = await withinTime(attempted, (signal) =>
      perform(environment, attempted, { own, doubt, once, guard, signal, resolvedTo }),
    );
    return await endPerformed({ ...end, guard }, performed);
  } catch (error) {
    if (error instanceof OnceTakenError) throw tryAgain("done-by-another", 1);
    const meaning = meaningOf(error);
    if (meaning.kind === "fault" && guard !== undefined) throw guard.fault(error);
    if (attempted.cancelled.aborted || meaning.kind !== "answer") throw error;
    return endFailed({ ...end, guard }, { input: resolved, failed: meaning });
  }
}

/** What an attempt does its step with. */
interface Tools {
  readonly own: OwnRow;
  readonly doubt: Doubt;
  readonly once: OnceStep;
  readonly guard: Guard | undefined;
  readonly signal: AbortSignal;
  resolvedTo(input: Json): void;
}

async function perform(environment: Environment, attempted: Try, tools: Tools): Promise<Performed | Waiting> {
  const { pool } = environment;
  const { input, version, step, beginning } = attempted;
  const { own, doubt, once, guard, signal, resolvedTo } = tools;
  const { run } = beginning;
  const about = { run, key: input, path: input.path, signal };
  const context = await createContext(environment, guard === undefined ? about : { ...about, secrets: guard.secrets });
  const evaluation = await createEvaluation(
    environment,
    { version, node: step.node },
    { run, path: input.path, row: (path) => beginning.rows.get(path) },
  );
  return performNode(version.node(step), {
    context,
    kinds: environment.kinds,
    evaluation: { ...evaluation, secret: guard?.marks.mark },
    ...(input.ended === undefined ? {} : { closing: await describeClosing(pool, { ...input, ended: input.ended }) }),
    once: once.take,
    seal(sealedInput) {
      resolvedTo(sealedInput);
      const seal = createSeal(input, { ...own, kind: step.kind, input: sealedInput, error: null });
      return createOnceSeal(seal, { pool, once: once.key(), step: { runId: input.runId, path: input.path } });
    },
    outside(kind, { resolved, parsed }) {
      resolvedTo(resolved);
      if (guard === undefined) throw new Error(`A step of kind ${kind.kind} is done behind a guard.`);
      const { secrets, marks, granted } = guard;
      const { path, runId } = input;
      const tried = { path, attempt: beginning.attempt };
      const key = once.callKey() ?? callKey(runId, path);
      const call = { kind, parsed, context, key: input, tried, callKey: key, doubt };
      return performOutside(pool, { ...call, secrets, marks, granted });
    },
  });
}
