import { ProblemError } from "../errors.ts";
import type { Sql } from "../sql.ts";
import { cancelCalled } from "./calls/cancel.ts";
import { releaseKey } from "./close.ts";
import { unendedStatuses } from "./ledger.ts";

/**
 * Asks for a run's cancel. A queued run is cancelled at once. A started one gets a higher fence, so
 * that from this commit on none of its attempts can change anything; it stays open until its workflow
 * has heard of it, which the workers see to (DURABILITY.md §6). What it called is cancelled with it. Asking
 * again changes nothing.
 * Throws ProblemError: 404 not in this workspace, 409 already over.
 */
export async function cancelRun(
  sql: Sql,
  { workspaceId, runId }: { workspaceId: string; runId: string },
): Promise<void> {
  const { rows } = await sql.query<{ status: string; keyed: boolean }>({
    name: "cancel_run",
    text: `update tandem.runs set
        fence = fence + (cancel_requested_at is null)::integer,
        cancel_requested_at = coalesce(cancel_requested_at, now()),
        ended_at = case when status = 'queued' then clock_timestamp() end,
        status = case when status = 'queued' then 'cancelled' else status end
      where id = $1::uuid and workspace_id = $2::uuid and status in ${unendedStatuses}
      returning status, concurrency_key is not null as keyed`,
    values: [runId, workspaceId],
  });
  const row = rows[0];
  if (row !== undefined) {
    if (row.status === "cancelled" && row.keyed) await releaseKey(sql, runId);
    // A statement after that commit; if it is lost, the reconciler does it.
    await cancelCalled(sql, runId);
    return;
  }
  const { rows: found } = await sql.query<{ status: string }>({
    name: "run_status",
    text: "select status from tandem.runs where id = $1::uuid and workspace_id = $2::uuid",
    values: [runId, workspaceId],
  });
  if (found[0] === undefined) throw new ProblemError(404, "run-not-found", `There is no run ${runId}.`);
  throw new ProblemError(
    409,
    "run-over",
    `The run is over already: it is ${found[0].status}. Only an open run can be cancelled.`,
  );
}
