import { ApplicationFailure, CancelledFailure, Context } from "@temporalio/activity";
import type { PlanStep } from "../definition/plan.ts";
import { StepError } from "../errors.ts";
import { isJsonObject, type Json } from "../json.ts";
import { beginAttempt, failAttempt, pauseAfter, type Beginning } from "../runs/attempts.ts";
import { createSeal, sealRows, type RunKey, type StepFailure, type StepRow } from "../runs/ledger.ts";
import { callKey, findCall, markAnswered, markSending, saveProgress, storeCall } from "../runs/outside-calls.ts";
import type { StepAnswer, StepInput } from "./contract.ts";
import { createContext, type Environment } from "./environment.ts";
import { meaningOf } from "./failures.ts";
import { failedRow, performNode, type Performed } from "./perform.ts";
import { createEvaluation, prepareVersion, type PreparedVersion } from "./prepared.ts";
import type { OutsideKind, StepContext, StepOutcome } from "./step-kind.ts";

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
    const beginning = await beginAttempt(environment.pool, input, input.path, version.needs(input.node));
    if (beginning.kind === "sealed")
      return { verdict: beginning.verdict, ...(beginning.outcome === null ? {} : { outcome: beginning.outcome }) };
    if (beginning.kind === "waiting") return { waitId: beginning.waitId };
    return await tryStep(environment, { input, version, step, beginning, cancelled });
  } catch (error) {
    if (cancelled.aborted) throw new CancelledFailure("The step was cancelled");
    const meaning = meaningOf(error);
    // Whoever sealed it first is asked at once; a run that is not open is asked about again until its
    // cancel arrives.
    if (meaning.kind === "conflict") throw retry("sealed-by-another", 1);
    if (meaning.kind === "fenced") throw retry("run-not-open", 1_000);
    throw error;
  }
}

interface Try {
  readonly input: StepInput;
  readonly version: PreparedVersion;
  readonly step: PlanStep;
  readonly beginning: Extract<Beginning, { kind: "begun" }>;
  readonly cancelled: AbortSignal;
}

async function tryStep(environment: Environment, attempted: Try): Promise<StepAnswer> {
  const { input, step, beginning } = attempted;
  const startedAt = new Date();
  const own = {
    path: input.path,
    attempts: beginning.counted + 1,
    attempt: beginning.attempt,
    lane: "ordinary",
    startedAt,
  } as const;
  let resolved: Json | null = null;
  try {
    const performed = await withinTime(attempted, async (signal) => {
      const context = await createContext(environment, {
        run: beginning.run,
        key: input,
        path: input.path,
        signal,
      });
      return performNode(attempted.version.node(step), {
        context,
        kinds: environment.kinds,
        evaluation: await createEvaluation(
          environment,
          { version: attempted.version, node: step.node },
          { run: beginning.run, row: (path) => beginning.rows.get(path) },
        ),
        seal(sealedInput) {
          resolved = sealedInput;
          return createSeal(input, { ...own, kind: step.kind, input: sealedInput, error: null });
        },
        outside(kind, given) {
          resolved = given.resolved;
          return performOutside(environment, { kind, parsed: given.parsed, context, key: input });
        },
      });
    });
    if (performed.sealed) environment.recordsChanged();
    else await sealRows(environment.pool, input, [rowOf(step, own, performed)]);
    return answerOf(performed);
  } catch (error) {
    const meaning = meaningOf(error);
    if (attempted.cancelled.aborted || meaning.kind !== "answer") throw error;
    return fail(environment, attempted, { ...own, input: resolved }, meaning);
  }
}

/** Runs `work` within the step's own time; past it the try fails with code `timeout` and counts. */
async function withinTime<T>({ step, cancelled }: Try, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const time = AbortSignal.timeout(step.timeoutMs);
  const signal = AbortSignal.any([time, cancelled]);
  let stop: (() => void) | undefined;
  const stopped = new Promise<never>((_, reject) => {
    stop = () =>
      reject(
        time.aborted
          ? new StepError("timeout", `Step "${step.name}" did not finish within ${step.timeoutMs} ms.`, {
              retryable: true,
            })
          : new CancelledFailure("The step was cancelled"),
      );
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([work(signal), stopped]);
  } finally {
    if (stop !== undefined) signal.removeEventListener("abort", stop);
  }
}

type OwnRow = Pick<StepRow, "path" | "attempts" | "attempt" | "lane" | "startedAt">;

function rowOf(step: PlanStep, own: OwnRow, performed: Performed): StepRow {
  const { status, outcome, verdict, input, output } = performed;
  return { ...own, kind: step.kind, status, outcome, verdict, input, output, error: null, endedAt: new Date() };
}

async function fail(
  environment: Environment,
  { input, step }: Try,
  own: OwnRow & { input: Json | null },
  { failure, retryable }: { failure: StepFailure; retryable: boolean },
): Promise<StepAnswer> {
  if (retryable && own.attempts < step.retry.maximumAttempts) {
    const pauseMs = pauseAfter(step.retry, own.attempts);
    const { path, attempt: number, startedAt } = own;
    const next = await failAttempt(environment.pool, input, {
      path,
      attempt: number ?? own.attempts,
      error: failure,
      startedAt,
      pauseMs,
    });
    if (next.kind === "soon") throw retry(failure.code, next.inMs);
    environment.slotFreed();
    return { waitId: next.waitId };
  }
  const row = failedRow(step, own, failure);
  await sealRows(environment.pool, input, [row]);
  // A failed activity is what people look for in the Web UI; the verdict goes along for the workflow.
  throw ApplicationFailure.create({
    message: `${failure.code} after ${own.attempts === 1 ? "1 attempt" : `${own.attempts} attempts`}`,
    type: stepFailedType,
    nonRetryable: true,
    // The target's failure, not ours: it is in the ledger, and no alarm of the worker's.
    category: "BENIGN",
    details: [row.verdict],
  });
}

/** Type of the failure that ends a step's activity; its first detail is the verdict. */
export const stepFailedType = "StepFailed";

function retry(code: string, inMs: number): ApplicationFailure {
  return ApplicationFailure.create({ message: code, type: "TryAgain", nextRetryDelay: inMs, category: "BENIGN" });
}

/** Stores what will be sent, marks the sending, sends, and records that the target answered (§4). */
async function performOutside(
  { pool }: Environment,
  call: { kind: OutsideKind<unknown, Json>; parsed: unknown; context: StepContext; key: RunKey },
): Promise<StepOutcome> {
  const { kind, context, key } = call;
  const idempotencyKey = callKey(context.run.id, context.path);
  let stored = await findCall(pool, context.run.id, context.path);
  if (stored === undefined) {
    const made = await kind.prepare(context, call.parsed, idempotencyKey);
    if (!("request" in made)) return made;
    await storeCall(pool, key, { path: context.path, key: idempotencyKey, request: made.request });
    stored = (await findCall(pool, context.run.id, context.path)) ?? {
      request: made.request,
      progress: {},
      unsure: false,
    };
  }
  await markSending(pool, key, context.path);
  const save = (progress: { [key: string]: Json }): Promise<void> => saveProgress(pool, key, context.path, progress);
  try {
    return await kind.perform(
      { ...context, key: idempotencyKey, unsure: stored.unsure, progress: stored.progress, save },
      stored.request,
    );
  } catch (error) {
    // The target answered, with a refusal: nothing is in doubt. Anything else leaves the mark.
    if (error instanceof StepError && error.details["unsure"] !== true) await markAnswered(pool, key, context.path);
    throw error;
  }
}

function answerOf({ verdict, outcome, output }: Performed): StepAnswer {
  const preview = isJsonObject(output) ? output : {};
  return {
    verdict,
    ...(outcome === null ? {} : { outcome }),
    ...(typeof preview["id"] === "string" ? { id: preview["id"] } : {}),
    ...(Array.isArray(preview["changedFields"])
      ? { changedFields: preview["changedFields"].map(String).slice(0, 20) }
      : {}),
    ...(typeof preview["total"] === "number" ? { count: preview["total"] } : {}),
  };
}
