import type { Sql } from "../../sql.ts";
import { askAgainSql } from "../waits/due.ts";
import { waitIdOf } from "../waits/open.ts";

/** Ends told of in one statement, at most. */
const batch = 200;

/**
 * Makes the waits of callers due whose called runs are over, however those came to their end: completed, or
 * cancelled, or ended in Temporal. Nothing but the row says that a caller is still to be told.
 */
export async function tellCallers(sql: Sql): Promise<void> {
  await sql.query({
    name: "tell_callers",
    text: `with ended as (
        select id, caller_run_id, caller_path from tandem.runs
        where caller_waits and not caller_told and ended_at is not null order by ended_at limit ${batch} for no key update skip locked
      ), told as (
        update tandem.runs r set caller_told = true from ended e where r.id = e.id
      ), due as (
        update tandem.waits w set due_at = now() from ended e
        where w.run_id = e.caller_run_id and w.id = e.caller_path || '${waitIdOf("", "call")}' and w.settled_at is null
        returning w.run_id
      )
      ${askAgainSql("due")} and r.ended_at is null`,
  });
}
