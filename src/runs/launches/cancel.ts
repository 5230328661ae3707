import { ProblemError } from "../../errors.ts";
import type { Sql } from "../../sql.ts";
import { cancelRun } from "../cancel.ts";
import { unendedStatuses } from "../ledger.ts";

/**
 * Ends a launch: from the commit on it makes no further run. With `runs`, those of its runs that are open
 * are cancelled too; asked for again, what a broken-off request left is done. Throws ProblemError: 404
 * not in this workspace, 409 it is over, and its runs are to stay.
 */
export async function cancelLaunch(
  sql: Sql,
  { workspaceId, id, runs }: { workspaceId: string; id: string; runs: boolean },
): Promise<void> {
  const { rows } = await sql.query<{ status: string; cancelled: boolean }>({
    name: "cancel_launch",
    text: `with open as (
        update tandem.launches set status = 'cancelled', ended_at = now()
        where id = $1::uuid and workspace_id = $2::uuid and status = 'starting' returning id, run_id
      ), lists as (
        delete from tandem.run_lists p using open where p.run_id = open.run_id
      )
      select status, exists (select 1 from open) as cancelled from tandem.launches where id = $1::uuid and workspace_id = $2::uuid`,
    values: [id, workspaceId],
  });
  const launch = rows[0];
  if (launch === undefined) throw new ProblemError(404, "launch-not-found", `There is no launch ${id}.`);
  if (!launch.cancelled && !runs)
    throw new ProblemError(
      409,
      "launch-over",
      `All that the launch makes is made: it is ${launch.status}. To cancel its runs, send { "runs": true }.`,
    );
  if (runs) for (const runId of await openRuns(sql, id)) await cancelRun(sql, { workspaceId, runId }).catch(unlessOver);
}

async function openRuns(sql: Sql, id: string): Promise<string[]> {
  const { rows } = await sql.query<{ id: string }>({
    name: "open_runs_of_launch",
    text: `select id from tandem.runs where launched_by ->> 'launch' = $1::text and launched_by is not null
        and status in ${unendedStatuses} and cancel_requested_at is null order by id`,
    values: [id],
  });
  return rows.map((row) => row.id);
}

/** A run that ended meanwhile is no fault. */
function unlessOver(error: unknown): void {
  if (!(error instanceof ProblemError) || error.status !== 409) throw error;
}
