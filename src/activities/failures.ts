import { ExpressionError } from "../definition/expressions.ts";
import { FencedError, StepError } from "../errors.ts";
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
  | { readonly kind: "answer"; readonly failure: StepFailure; readonly retryable: boolean }
  | { readonly kind: "conflict" }
  | { readonly kind: "fenced" }
  | { readonly kind: "fault" };

export function meaningOf(error: unknown): FailureMeaning {
  if (error instanceof StepError) {
    return {
      kind: "answer",
      failure: { ...error.details, code: error.code, message: error.message },
      retryable: error.retryable,
    };
  }
  if (error instanceof ExpressionError) {
    return { kind: "answer", failure: { code: error.code, message: error.message }, retryable: false };
  }
  if (error instanceof FencedError) return { kind: "fenced" };
  if (isLedgerConflict(error)) return { kind: "conflict" };
  if (isUnavailable(error)) return { kind: "fault" };
  return refusedByDatabase(error) ?? { kind: "fault" };
}

/** Data that Postgres cannot take (class 22) or a constraint that the step ran into (class 23) is an answer. */
function refusedByDatabase(error: unknown): FailureMeaning | undefined {
  const state = sqlState(error);
  if (state === undefined || !/^2[23]/.test(state.code)) return undefined;
  const said = error instanceof Error ? error.message : "";
  return {
    kind: "answer",
    retryable: false,
    failure: {
      code: "database-refused",
      message: `Postgres refused the change (${state.code}): ${said}. Look at the step's input.`,
    },
  };
}
