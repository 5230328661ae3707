import { ExpressionError } from "../definition/expressions.ts";
import { FencedError, StepError } from "../errors.ts";
import { storable } from "../http/parse-json.ts";
import { isJsonObject, type Json } from "../json.ts";
import { isLedgerConflict, type StepFailure } from "../runs/ledger.ts";
import { isUnavailable, sqlState } from "../sql.ts";

/**
 * What an error means for a step. The one place that decides what is tried again and whose try it was
 * (DURABILITY.md §3):
 * - `answer`: the target answered, refused or ran out of time. It counts as a try of the user's.
 * - `conflict`: another attempt sealed the step first; its result counts.
 * - `fenced`: the run is closed, cancelled or started anew.
 * - `fault`: ours (a process died, Postgres or Temporal is away). Tried again for ever, never counted.
 */
export type FailureMeaning =
  | ({ readonly kind: "answer" } & TargetFailure)
  | { readonly kind: "conflict" }
  | { readonly kind: "fenced" }
  | { readonly kind: "fault" };

/** A failed try, as its target told of it. */
export interface TargetFailure {
  readonly failure: StepFailure;
  readonly retryable: boolean;
  /** False: the target was not asked after all, as where a rate limit made the step wait. */
  readonly counts: boolean;
  /** The least pause before the next try. */
  readonly afterMs: number;
  /** The target did it, or may have: its answer, which the step cannot use, is no refusal. */
  readonly acted: boolean;
}

export function meaningOf(error: unknown): FailureMeaning {
  if (error instanceof StepError) return answerOf(error);
  if (error instanceof ExpressionError) return final({ code: error.code, message: error.message });
  if (error instanceof FencedError) return { kind: "fenced" };
  if (isLedgerConflict(error)) return { kind: "conflict" };
  if (isUnavailable(error)) return { kind: "fault" };
  return refusedByDatabase(error) ?? { kind: "fault" };
}

/** What is said for the retries' sake is no part of the failure that people and error branches read. */
function answerOf({ code, message, retryable, details }: StepError): FailureMeaning {
  const { unsure: _unsure, acted, counts, afterMs, ...told } = details;
  return {
    kind: "answer",
    failure: keepable({ ...told, code, message }),
    retryable,
    counts: counts !== false,
    afterMs: typeof afterMs === "number" ? afterMs : 0,
    acted: acted === true,
  };
}

function final(failure: StepFailure): FailureMeaning {
  return { kind: "answer", failure: keepable(failure), retryable: false, counts: true, afterMs: 0, acted: false };
}

/**
 * As the ledger can keep it: code throws whatever text it likes, and a failure that could not be sealed would have
 * its step done again for ever.
 */
function keepable({ code, message, ...details }: StepFailure): StepFailure {
  const parts = Object.entries(details).map(([key, part]) => [key, storableJson(part)] as const);
  return { ...Object.fromEntries(parts), code, message: storable(message) };
}

function storableJson(value: Json): Json {
  if (typeof value === "string") return storable(value);
  if (Array.isArray(value)) return value.map(storableJson);
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [storable(key), storableJson(part)]));
}

/** Data that Postgres cannot take (class 22) or a constraint that the step ran into (class 23) is an answer. */
function refusedByDatabase(error: unknown): FailureMeaning | undefined {
  const state = sqlState(error);
  if (state === undefined || !/^2[23]/.test(state.code)) return undefined;
  const said = error instanceof Error ? error.message : "";
  return final({
    code: "database-refused",
    message: `Postgres refused the change (${state.code}): ${said}. Look at the step's input.`,
  });
}
