import { findArmedTriggers, type ArmedTrigger } from "../../catalog/triggers.ts";
import type { Sql } from "../../sql.ts";

/** How often a schedule fired within the last seven days, and what became of it. */
export interface LastWeek {
  /** Runs that were started, those that were skipped included. */
  readonly fired: number;
  /** Of them: skipped, as the run before was not over. */
  readonly skipped: number;
  /** Moments that nobody fired in time. */
  readonly missed: number;
}

/** A schedule as people see it. */
export interface ScheduleState {
  readonly triggerId: string;
  readonly armed: ArmedTrigger;
  readonly paused: boolean;
  readonly note: string | null;
  /** Its next moments as Temporal lists them, ten at most; none while it is not there yet. */
  readonly nextAt: readonly Date[];
  readonly lastFiring: { readonly at: string; readonly runId: string } | null;
  readonly lastSuccessAt: string | null;
  readonly lastMissedAt: string | null;
  readonly lastWeek: LastWeek;
  readonly temporalId: string | null;
  readonly trouble: string | null;
}

/** The schedules of a workflow, those of one that is not active too. */
export async function listSchedules(
  sql: Sql,
  { workspaceId, workflowId }: { workspaceId: string; workflowId: string },
): Promise<ScheduleState[]> {
  const armed = await findArmedTriggers(sql, {
    kind: "schedule",
    workspaceIds: [workspaceId],
    workflowId,
    inactiveToo: true,
  });
  const { rows } = await sql.query<Omit<ScheduleState, "armed">>({
    name: "read_schedules",
    text: `select t.trigger_id as "triggerId", coalesce(s.paused, false) as paused, s.note, s.temporal_id as "temporalId", s.trouble,
        array(select n from unnest(s.next_at) n where n > now() order by n) as "nextAt",
        (select jsonb_build_object('at', f.at, 'runId', f.run_id) from tandem.firings f
          where f.workflow_id = t.workflow_id and f.trigger_id = t.trigger_id and f.run_id is not null order by f.at desc limit 1) as "lastFiring",
        (select to_jsonb(max(f.at)) #>> '{}' from tandem.firings f
          where f.workflow_id = t.workflow_id and f.trigger_id = t.trigger_id and f.completed) as "lastSuccessAt",
        (select to_jsonb(max(f.at)) #>> '{}' from tandem.firings f
          where f.workflow_id = t.workflow_id and f.trigger_id = t.trigger_id and f.run_id is null) as "lastMissedAt",
        (select jsonb_build_object('fired', count(f.run_id), 'missed', count(*) - count(f.run_id),
            'skipped', count(*) filter (where r.status = 'skipped'))
          from tandem.firings f left join tandem.runs r on r.id = f.run_id
          where f.workflow_id = t.workflow_id and f.trigger_id = t.trigger_id and f.at > now() - interval '7 days') as "lastWeek"
      from tandem.triggers t left join tandem.schedules s on s.workflow_id = t.workflow_id and s.trigger_id = t.trigger_id
      where t.workflow_id = $1::uuid and t.workspace_id = $2::uuid and t.kind = 'schedule'`,
    values: [workflowId, workspaceId],
  });
  return armed.flatMap((trigger) => {
    const row = rows.find(({ triggerId }) => triggerId === trigger.triggerId);
    return row === undefined ? [] : [{ ...row, armed: trigger }];
  });
}
