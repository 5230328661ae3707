import type { Json } from "../json.ts";
import type { Sql, Statement } from "../sql.ts";

/** A step's outcome as it now stands in the ledger: this attempt's, or another's that came first. */
export interface Sealed {
  readonly output: Json;
  readonly outcome: string | null;
}

/**
 * Commits an effect together with its result (DURABILITY.md §1): the statement's effect must select
 * from the CTE `gate`, which has one row while the run is open under this attempt's fence and none
 * otherwise.
 */
export interface Seal {
  /**
   * A statement that already holds the CTE `gate`. `locked` takes the run's row `for share`: needed
   * when the effect is a transaction of several statements.
   */
  begin(options?: { locked?: boolean }): Statement;
  /**
   * Adds the insert of the result and runs the statement. `from` is the CTE with at most one row that
   * stands for the effect; `output` (jsonb) and `outcome` (text) are SQL expressions over it, and so is
   * `lists` (jsonb): the lengths of lists that the step itself has written as pages, by their names.
   * Undefined: the gate was open but `from` had no row, so nothing was changed or sealed.
   * Throws FencedError when the gate was shut; a unique violation when another attempt won or the
   * record exists (tell them apart with `isLedgerConflict`).
   */
  commit(
    sql: Sql,
    statement: Statement,
    result: { from: string; output: string; outcome: string; lists?: string },
  ): Promise<Sealed | undefined>;
}
