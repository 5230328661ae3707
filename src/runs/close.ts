import type { JsonObject } from "../json.ts";
import type { Sql } from "../sql.ts";
import { leftoversSql } from "./leftovers.ts";
import { openStatuses } from "./ledger.ts";

/**
 * Closes a run as cancelled, and with it the tries that were broken off and what it waited for. `fence` is the
 * one its Temporal workflow was started under: a workflow that was superseded closes nothing, unless the cancel
 * was asked for here. True: the run is closed now.
 */
export async function closeCancelled(sql: Sql, { runId, fence }: { runId: string; fence: number }): Promise<boolean> {
  const { rows } = await sql.query<{ open: boolean }>({
    name: "close_cancelled",
    text: `with closed as (
        update tandem.runs set status = 'cancelled', ended_at = statement_timestamp(),
          checked_at = statement_timestamp(), fence = fence + 1, due_at = null,
          lease_owner = null, lease_until = null, stuck = false
        where id = $1::uuid and status in ('queued', 'starting', 'running', 'waiting') and (fence = $2::integer or cancel_requested_at is not null)
        returning id
      ), ${leftoversSql("$1::uuid")}
      select not exists (select 1 from closed) and exists (
          select 1 from tandem.runs where id = $1::uuid and status in ${openStatuses} and fence = $2::integer) as open`,
    values: [runId, fence],
  });
  return rows[0]?.open !== true;
}

/** Closes an open run as Temporal says that its workflow ended; without an error, with what was said of its cancel. */
export async function closeAs(
  sql: Sql,
  {
    runId,
    fence,
    status,
    error,
  }: { runId: string; fence: number; status: "failed" | "cancelled"; error: JsonObject | null },
): Promise<void> {
  await sql.query({
    name: "close_as",
    text: `with closed as (
        update tandem.runs set status = $3::text, error = coalesce($4::jsonb, error), ended_at = clock_timestamp(), fence = fence + 1,
          due_at = null, lease_owner = null, lease_until = null, stuck = false
        where id = $1::uuid and fence = $2::integer and status in ${openStatuses}
        returning id
      ), ${leftoversSql("$1::uuid")}
      select id from closed`,
    values: [runId, fence, status, error === null ? null : JSON.stringify(error)],
  });
}

/**
 * Lets the next run of the closed run's concurrency key be judged. A statement after the close, so that
 * it sees all that was enqueued meanwhile; if it is lost, the reconciler's sweep does it.
 */
export async function releaseKey(sql: Sql, runId: string): Promise<void> {
  for (;;) {
    const { rows } = await sql.query<{ released: boolean }>({
      name: "release_key",
      text: `with head as (
          select n.id from tandem.runs c join tandem.runs n
            on n.workspace_id = c.workspace_id and n.concurrency_key = c.concurrency_key
          where c.id = $1::uuid and c.concurrency_key is not null and n.status = 'queued' and n.ready is distinct from true
          order by n.id limit 1
        ), released as (
          update tandem.runs r set ready = null from head h
          where r.id = h.id and r.status = 'queued' and r.ready is distinct from true returning 1
        ) select exists (select 1 from released) or not exists (select 1 from head) as released`,
      values: [runId],
    });
    // Another's close let this head go meanwhile, or it was cancelled: then it is the next one's turn.
    if (rows[0]?.released !== false) return;
  }
}
