import type { ArmedTrigger } from "../../catalog/triggers.ts";
import { inTransaction, type Sql, type SqlPool } from "../../sql.ts";
import { enqueueRuns, type NewRun } from "../enqueue.ts";

/** Which schedule: a trigger of a workflow. */
export interface ScheduleKey {
  readonly workflowId: string;
  readonly triggerId: string;
}

/** A run that a moment of a schedule is to have. */
export interface Firing {
  readonly at: Date;
  readonly run: NewRun;
}

/** Firings are known this long: so far back a moment has one run at most, whoever asks for it. */
export const firingsKeptDays = 400;

/**
 * Enqueues the runs of moments that have none yet, and their moments with them, in one transaction: a
 * firing that comes again, by a retry or by another worker, starts nothing. Gives the ids of the runs;
 * undefined: the trigger is not armed any more as it was read. The dispatcher is rung by the caller.
 */
export async function enqueueFirings(
  pool: SqlPool,
  { workflowId, triggerId, workspace, revision }: ArmedTrigger,
  firings: readonly Firing[],
): Promise<string[] | undefined> {
  return inTransaction(pool, async (sql) => {
    const moments = firings.map(({ at, run }) => ({ at: at.toISOString(), run: run.id }));
    const { rows } = await sql.query<{ armed: boolean; fired: string[] }>({
      name: "add_firings",
      text: `with armed as (
          select 1 from tandem.triggers t join tandem.workflows f on f.id = t.workflow_id
          where t.workflow_id = $1::uuid and t.trigger_id = $2::text and t.revision = $3::bigint and f.status = 'active'
        ), fired as (
          insert into tandem.firings as f (workflow_id, trigger_id, at, workspace_id, run_id)
          select $1::uuid, $2::text, q.at, $4::uuid, q.run from armed, jsonb_to_recordset($5::jsonb) as q(at timestamptz, run uuid)
          on conflict (workflow_id, trigger_id, at) do update set run_id = excluded.run_id, created_at = now() where f.run_id is null
          returning f.run_id
        )
        select exists (select 1 from armed) as armed, coalesce((select array_agg(run_id::text) from fired), '{}') as fired`,
      values: [workflowId, triggerId, revision, workspace.id, JSON.stringify(moments)],
    });
    if (rows[0]?.armed !== true) return undefined;
    const fired = new Set(rows[0].fired);
    await enqueueRuns(
      sql,
      firings.flatMap(({ run }) => (fired.has(run.id) ? [run] : [])),
    );
    return [...fired];
  });
}

/** Keeps moments that have no run as missed; gives how many are. A firing that comes after all takes its place. */
export async function addMissed(
  sql: Sql,
  { workflowId, triggerId, workspace }: ArmedTrigger,
  moments: readonly Date[],
): Promise<number> {
  if (moments.length === 0) return 0;
  const { rowCount } = await sql.query({
    name: "add_missed",
    text: `insert into tandem.firings (workflow_id, trigger_id, at, workspace_id)
      select $1::uuid, $2::text, m, $3::uuid from unnest($4::timestamptz[]) m on conflict do nothing`,
    values: [workflowId, triggerId, workspace.id, moments],
  });
  return rowCount ?? 0;
}

/** How many of the moments got their run since then. */
export async function countFiredSince(
  sql: Sql,
  { workflowId, triggerId }: ScheduleKey,
  { moments, since }: { moments: readonly Date[]; since: Date },
): Promise<number> {
  const { rows } = await sql.query<{ fired: number }>(
    `select count(*) as fired from tandem.firings
     where workflow_id = $1::uuid and trigger_id = $2::text and at = any($3::timestamptz[]) and run_id is not null and created_at >= $4`,
    [workflowId, triggerId, moments, since],
  );
  return rows[0]?.fired ?? 0;
}

/** Forgets firings that are long past, but never the last of a schedule whose run completed. */
export async function forgetFirings(sql: Sql): Promise<void> {
  await sql.query(
    `delete from tandem.firings f where f.at < now() - $1::integer * interval '1 day'
       and (not f.completed or exists (select 1 from tandem.firings l
         where l.workflow_id = f.workflow_id and l.trigger_id = f.trigger_id and l.completed and l.at > f.at))`,
    [firingsKeptDays],
  );
}
