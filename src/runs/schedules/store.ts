import type { Sql } from "../../sql.ts";
import type { ScheduleKey } from "./firings.ts";

/** What is known of a schedule and of how it stands in Temporal. */
export interface ScheduleRow extends ScheduleKey {
  readonly paused: boolean;
  readonly note: string | null;
  /** Pauses and resumes that were asked for here, and those of them that were brought to Temporal. */
  readonly asked: number;
  readonly brought: number;
  /** Its id in Temporal; null: it is not there. */
  readonly temporalId: string | null;
  readonly wanted: string | null;
  readonly described: string | null;
  readonly nextAt: readonly Date[];
  readonly accountedUntil: Date;
}

/** A row for each schedule: those that are armed get one if they have none. */
export async function listScheduleRows(sql: Sql): Promise<ScheduleRow[]> {
  await sql.query({
    name: "add_schedules",
    text: `insert into tandem.schedules (workflow_id, trigger_id, workspace_id)
      select t.workflow_id, t.trigger_id, t.workspace_id from tandem.triggers t
      where t.kind = 'schedule' and not exists (
        select 1 from tandem.schedules s where s.workflow_id = t.workflow_id and s.trigger_id = t.trigger_id)
      on conflict do nothing`,
  });
  const { rows } = await sql.query<ScheduleRow>({
    name: "list_schedules",
    text: `select workflow_id as "workflowId", trigger_id as "triggerId", paused, note, asked, brought, temporal_id as "temporalId",
        wanted, described, next_at as "nextAt", accounted_until as "accountedUntil"
      from tandem.schedules`,
  });
  return rows;
}

/** Whether a pause was asked for that Temporal does not know of yet. */
export async function findPauseAsked(sql: Sql, { workflowId, triggerId }: ScheduleKey): Promise<boolean> {
  const { rows } = await sql.query({
    name: "find_pause_asked",
    text: "select 1 from tandem.schedules where workflow_id = $1::uuid and trigger_id = $2::text and paused and asked > brought",
    values: [workflowId, triggerId],
  });
  return rows.length > 0;
}

/** Commits that the schedule is to be paused, or to go on; a worker brings it to Temporal. */
export async function askForPause(
  sql: Sql,
  key: ScheduleKey & { workspaceId: string },
  { paused, note }: { paused: boolean; note: string | null },
): Promise<void> {
  await sql.query({
    name: "ask_for_pause",
    text: `insert into tandem.schedules as s (workflow_id, trigger_id, workspace_id, paused, note, asked)
      values ($1::uuid, $2::text, $3::uuid, $4::boolean, $5::text, 1)
      on conflict (workflow_id, trigger_id) do update set paused = excluded.paused, note = excluded.note, asked = s.asked + 1,
        accounted_until = case when s.paused and not excluded.paused then now() else s.accounted_until end`,
    values: [key.workflowId, key.triggerId, key.workspaceId, paused, note],
  });
}

/** How a schedule stands in Temporal now. */
export interface Standing {
  readonly temporalId: string;
  readonly wanted: string;
  readonly described: string;
  readonly nextAt: readonly Date[];
  readonly accountedUntil: Date;
  readonly paused: boolean;
  readonly note: string | null;
  /** Of the row that it was brought about for: what was asked for since is still to be brought. */
  readonly asked: number;
}

/** Keeps how the schedule stands; a pause or resume that was asked for meanwhile is not overwritten. */
export async function saveStanding(
  sql: Sql,
  { workflowId, triggerId }: ScheduleKey,
  standing: Standing,
): Promise<void> {
  await sql.query({
    name: "save_standing",
    text: `update tandem.schedules set temporal_id = $3::text, wanted = $4::text, described = $5::text, next_at = $6::timestamptz[],
        accounted_until = greatest(accounted_until, $7::timestamptz), trouble = null, brought = $10::integer,
        paused = case when asked = $10::integer then $8::boolean else paused end,
        note = case when asked = $10::integer then $9::text else note end
      where workflow_id = $1::uuid and trigger_id = $2::text`,
    values: [
      workflowId,
      triggerId,
      standing.temporalId,
      standing.wanted,
      standing.described,
      standing.nextAt,
      standing.accountedUntil,
      standing.paused,
      standing.note,
      standing.asked,
    ],
  });
}

/** Keeps what keeps the schedule from being in Temporal as it should. */
export async function saveTrouble(sql: Sql, { workflowId, triggerId }: ScheduleKey, trouble: string): Promise<void> {
  await sql.query({
    name: "save_trouble",
    text: "update tandem.schedules set trouble = $3::text where workflow_id = $1::uuid and trigger_id = $2::text",
    values: [workflowId, triggerId, trouble],
  });
}

/** Commits that the schedule is no longer in Temporal. */
export async function saveRemoved(sql: Sql, { workflowId, triggerId }: ScheduleKey): Promise<void> {
  await sql.query({
    name: "save_removed",
    text: `update tandem.schedules set temporal_id = null, wanted = null, described = null, next_at = '{}', trouble = null
      where workflow_id = $1::uuid and trigger_id = $2::text`,
    values: [workflowId, triggerId],
  });
}
