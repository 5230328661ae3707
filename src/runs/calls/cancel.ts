import type { Sql } from "../../sql.ts";
import { releaseKey } from "../close.ts";
import { unendedStatuses } from "../ledger.ts";

const openToCancel = `r.status in ${unendedStatuses} and r.cancel_requested_at is null`;
/** Runs cancelled in one statement, at most. */
const batch = 100;

/** Asks for the cancel of the runs that a run called and waits for, and of those that they called. */
export async function cancelCalled(sql: Sql, runId: string): Promise<void> {
  const { rows } = await sql.query<{ id: string }>({
    name: "called_runs",
    text: `with recursive called(id) as (
        select r.id from tandem.runs r where r.caller_run_id = $1::uuid and r.caller_waits
          and r.status in ${unendedStatuses}
        union all
        select r.id from called c join tandem.runs r on r.caller_run_id = c.id and r.caller_waits
          and r.status in ${unendedStatuses}
      ) select id from called`,
    values: [runId],
  });
  await cancelAll(
    sql,
    rows.map(({ id }) => id),
  );
}

/**
 * Asks for the cancel of called runs whose callers are over or cancelled otherwise: nobody waits for them any
 * more.
 */
export async function cancelOrphans(sql: Sql): Promise<void> {
  const { rows } = await sql.query<{ id: string }>({
    name: "orphaned_runs",
    text: `select r.id from tandem.runs r left join tandem.runs c on c.id = r.caller_run_id
      where r.caller_waits and ${openToCancel} and (c.id is null or c.ended_at is not null or c.cancel_requested_at is not null)
      limit ${batch}`,
  });
  await cancelAll(
    sql,
    rows.map(({ id }) => id),
  );
}

/** As `cancelRun` does for one: at once where it is queued, else by its workflow, whose fence is raised. */
async function cancelAll(sql: Sql, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  const { rows } = await sql.query<{ id: string | null }>({
    name: "cancel_called",
    text: `with doomed as (
        select r.id from tandem.runs r where r.id = any($1::uuid[]) and ${openToCancel} order by r.id for no key update
      )
      update tandem.runs r set fence = r.fence + 1, cancel_requested_at = now(),
        ended_at = case when r.status = 'queued' then clock_timestamp() end,
        status = case when r.status = 'queued' then 'cancelled' else r.status end,
        error = jsonb_build_object('code', 'caller-over', 'message', 'The run that called this one is over.')
      from doomed d where r.id = d.id
      returning case when r.status = 'cancelled' and r.concurrency_key is not null then r.id end as id`,
    values: [ids],
  });
  for (const { id } of rows) if (id !== null) await releaseKey(sql, id);
}
