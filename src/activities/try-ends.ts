import { ApplicationFailure } from "@temporalio/activity";
import { setTimeout as sleep } from "node:timers/promises";
import { isUuid } from "../ids.ts";
import type { PlanStep } from "../definition/plan.ts";
import { isJsonObject, textOf, type Json } from "../json.ts";
import { failAttempt, pauseAfter } from "../runs/attempts.ts";
import { sealRows, type OwnRow, type RunKey, type StepFailure, type StepRow } from "../runs/ledger.ts";
import { addAnswered } from "../runs/outside-calls.ts";
import { isUnavailable, type SqlPool } from "../sql.ts";
import type { StepAnswer } from "./contract.ts";
import type { Environment } from "./environment.ts";
import type { TargetFailure } from "./failures.ts";
import type { Guard } from "./guard.ts";
import type { OnceStep } from "./once.ts";
import type { Doubt } from "./outside.ts";
import { failedRow, rowOf, type Performed, type Waiting } from "./perform.ts";

/** A try that is over. */
export interface TryEnd {
  readonly environment: Environment;
  readonly key: RunKey;
  readonly step: PlanStep;
  readonly own: OwnRow;
  readonly doubt: Doubt;
  readonly once: OnceStep;
  readonly guard: Guard | undefined;
}

/** Seals what a step came to, if it has not sealed itself. Without secrets: the guard takes them out here. */
export async function endPerformed(end: TryEnd, performed: Performed | Waiting): Promise<StepAnswer> {
  const { environment, key, step, own, once, guard } = end;
  if ("waitId" in performed) {
    environment.slotFreed();
    return performed;
  }
  if (performed.sealed) {
    environment.recordsChanged();
    await once.wake();
    return answerOf(performed);
  }
  const clean = guard?.performed(performed) ?? performed;
  const row = rowOf(step, own, clean);
  await sealSurely(environment.pool, key, {
    ...row,
    also(statement) {
      if (guard !== undefined) addAnswered(statement, { path: own.path, attempt: own.attempt ?? own.attempts });
      once.end(statement, clean.status === "skipped" ? { kind: "free" } : { kind: "done", ...clean });
    },
  });
  await once.wake();
  return guard === undefined ? answerOf(clean) : { verdict: clean.verdict, ...outcomeOf(clean) };
}

/**
 * Ends a try that failed: with a pause before the next one, or for good. A call whose target may have acted
 * and that may not be sent again is not tried again.
 */
export async function endFailed(
  end: TryEnd,
  { input, failed }: { input: Json | null; failed: TargetFailure },
): Promise<StepAnswer> {
  const { environment, key, step, own, doubt, once, guard } = end;
  const unknown = doubt.open && doubt.lasting;
  const failure = clean(guard, unknown ? unknownOutcome(failed.failure) : failed.failure);
  const { counts, afterMs, retryable } = failed;
  if (!unknown && retryable && (!counts || own.attempts < step.retry.maximumAttempts)) {
    const pauseMs = Math.max(counts ? pauseAfter(step.retry, own.attempts) : 0, afterMs);
    const { path, attempts, startedAt } = own;
    const tried = { path, attempt: own.attempt ?? attempts, error: failure, startedAt, pauseMs, counts };
    const next = await failAttempt(environment.pool, key, { ...tried, beside: step.beside === true });
    if (next.kind === "soon") throw tryAgain(failure.code, next.inMs);
    environment.slotFreed();
    return { waitId: next.waitId };
  }
  const row = failedRow(step, { ...own, input: input === null ? null : (guard?.json(input) ?? input) }, failure);
  await sealSurely(environment.pool, key, {
    ...row,
    status: failure.code === "outcome-unknown" ? "outcome-unknown" : "failed",
    also: (statement) => once.end(statement, { kind: doubt.open || failed.acted ? "unsure" : "free" }),
  });
  await once.wake();
  // A failed activity is what people look for in the Web UI; the verdict goes along for the workflow.
  throw ApplicationFailure.create({
    message: `${failure.code} after ${own.attempts === 1 ? "1 attempt" : `${own.attempts} attempts`}`,
    type: "StepFailed",
    nonRetryable: true,
    // The target's failure, not ours: it is in the ledger, and no alarm of the worker's.
    category: "BENIGN",
    details: [row.verdict],
  });
}

/** Has Temporal ask again after so long. */
export function tryAgain(code: string, inMs: number): ApplicationFailure {
  return ApplicationFailure.create({ message: code, type: "TryAgain", nextRetryDelay: inMs, category: "BENIGN" });
}

function clean(guard: Guard | undefined, failure: StepFailure): StepFailure {
  return guard?.failure(failure) ?? failure;
}

function unknownOutcome(failure: StepFailure): StepFailure {
  if (failure.code === "outcome-unknown") return failure;
  return {
    ...failure,
    code: "outcome-unknown",
    message: `The call was sent and not answered as it should be (${failure.code}: ${failure.message}) The target may have acted, so it is not sent again. Look at the target, then say what became of it: GET /api/outcomes-unknown lists it.`,
    cause: failure.code,
  };
}

/** For how long, and how long apart, a result is sealed again while Postgres is away. */
const sealings = { forMs: 20_000, apartMs: 500 };

/**
 * Seals a row, also where Postgres is away for some seconds: what a target answered is known here alone, and
 * would be lost with this attempt.
 */
async function sealSurely(pool: SqlPool, key: RunKey, row: StepRow): Promise<void> {
  const deadline = Date.now() + sealings.forMs;
  for (;;) {
    try {
      return await sealRows(pool, key, [row]);
    } catch (error) {
      if (!isUnavailable(error) || Date.now() > deadline) throw error;
      await sleep(sealings.apartMs);
    }
  }
}

function answerOf(performed: Performed): StepAnswer {
  const { verdict, output } = performed;
  const preview = isJsonObject(output) ? output : {};
  const id = textOf(preview["id"]) ?? "";
  return {
    verdict,
    ...outcomeOf(performed),
    ...(isUuid(id) ? { id } : {}),
    ...(Array.isArray(preview["changedFields"])
      ? { changedFields: preview["changedFields"].map(String).slice(0, 20) }
      : {}),
    ...(typeof preview["total"] === "number" ? { count: preview["total"] } : {}),
  };
}

function outcomeOf({ outcome }: Performed): { outcome?: string } {
  return outcome === null ? {} : { outcome };
}
