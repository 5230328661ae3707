import type { Sql } from "../sql.ts";
import type { Admitted } from "./admission.ts";
import { openStatuses } from "./ledger.ts";
import { waiterSql } from "./waits/due.ts";

/** How long a dispatcher has to start what it admitted, before anybody starts it again. */
export const leaseSeconds = 15;

/** Commits that the workflows of these runs were started. */
export async function markStarted(sql: Sql, runIds: readonly string[]): Promise<void> {
  if (runIds.length === 0) return;
  await sql.query({
    name: "mark_started",
    text: `update tandem.runs set status = 'running', lease_owner = null, lease_until = null where id = any($1::uuid[]) and status = 'starting'`,
    values: [runIds],
  });
}

/** Runs whose start somebody leased and did not finish: taken over with a lease of one's own. */
export async function takeOverStarts(sql: Sql, owner: string): Promise<Admitted[]> {
  const { rows } = await sql.query<Admitted>({
    name: "take_over_starts",
    text: `update tandem.runs r set lease_owner = $1::text, lease_until = clock_timestamp() + $2::integer * interval '1 second'
      from tandem.workflows f
      where f.id = r.workflow_id and r.id in (
        select id from tandem.runs where status = 'starting' and lease_until < now() limit 100 for update skip locked)
      returning r.id as "runId", r.fence, r.version_id as "versionId", r.workspace_id as "workspaceId", r.workflow_id as "workflowId",
        f.key as "workflowKey", f.name as "workflowName", r.trigger->>'kind' as "triggerKind", r.record_id as "recordId", false as resumed`,
    values: [owner, leaseSeconds],
  });
  return rows;
}

/**
 * Workflows that have not read yet that their waits are settled, rung longer than two seconds ago, and after ten
 * minutes ever more rarely, up to once an hour: Temporal may be away for long. Not for ever: one that was
 * started anew may have come past the step without reading its wait.
 */
export async function unreadWaits(sql: Sql): Promise<string[]> {
  const { rows } = await sql.query<{ waiter: string }>({
    name: "unread_waits",
    text: `update tandem.waits w set rung_at = now()
      from tandem.runs r
      where r.id = w.run_id and r.status in ${openStatuses}
        and w.settled_at > now() - interval '7 days' and w.read_at is null
        and w.rung_at < now() - case when w.settled_at > now() - interval '10 minutes' then interval '2 seconds'
          else least((w.rung_at - w.settled_at) / 4, interval '1 hour') end
      returning ${waiterSql}`,
  });
  return rows.map(({ waiter }) => waiter);
}
