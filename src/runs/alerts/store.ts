import { firstIdAt } from "../../ids.ts";
import { isJsonObject, textOf, type JsonObject } from "../../json.ts";
import type { Sql } from "../../sql.ts";
import type { RunOrigin } from "../enqueue.ts";
import { noAlert, type Alert, type Failure, type MailKind } from "./alert.ts";

/** Failures that one transaction takes into account. */
const batch = 200;
/** Workflows that one round looks at. */
const mostWorkflows = 100;
/** Newest runs of a workflow among which one that completed is looked for. */
const lookedThrough = 200;

const untold = "told_at is null and status in ('failed', 'stopped-as-loop')";

/** A failed run, with what is needed to tell of it. */
export interface FailedRun {
  readonly failure: Failure;
  readonly origin: RunOrigin;
  readonly versionId: string;
  readonly settings: JsonObject;
  /** Whether a failure may start a workflow: not that of a run that a failure started, nor a stopped loop's. */
  readonly startsWorkflow: boolean;
}

/** A workflow whose alert is looked at, locked. */
export interface Watched {
  readonly workflowId: string;
  readonly workspaceId: string;
  readonly key: string;
  readonly name: string;
  readonly alert: Alert;
  readonly addresses: readonly string[];
  readonly digestMs: number;
}

/** A workflow that is to be looked at. */
export interface Reviewable {
  readonly workflowId: string;
  readonly workspaceId: string;
}

/** Workflows with failures that are not accounted for, and those whose alerts are to be looked at again. */
export async function workflowsToReview(sql: Sql, now: Date): Promise<Reviewable[]> {
  const { rows } = await sql.query<Reviewable>({
    name: "alerts_to_review",
    text: `with recursive failing as (
        (select workflow_id from tandem.runs where ${untold} order by workflow_id limit 1)
        union all
        select n.workflow_id from failing f, lateral (
          select workflow_id from tandem.runs where ${untold} and workflow_id > f.workflow_id order by workflow_id limit 1) n
      )
      select f.id as "workflowId", f.workspace_id as "workspaceId" from tandem.workflows f where f.id in (
        (select workflow_id from failing limit ${mostWorkflows})
        union
        (select workflow_id from tandem.alerts where review_at <= $1 order by review_at limit ${mostWorkflows}))`,
    values: [now],
  });
  return rows;
}

/** Locks a workflow's alert until the transaction ends; undefined while another process has it. */
export async function lockAlert(sql: Sql, workflowId: string): Promise<Watched | undefined> {
  await sql.query({
    name: "note_alert",
    text: `insert into tandem.alerts (workflow_id, workspace_id, state)
      select id, workspace_id, '{}' from tandem.workflows where id = $1::uuid on conflict do nothing`,
    values: [workflowId],
  });
  const { rows } = await sql.query<Omit<Watched, "alert"> & { state: Partial<Alert> }>({
    name: "lock_alert",
    text: `select a.workflow_id as "workflowId", a.workspace_id as "workspaceId", f.key, f.name, a.state,
        w.alert_addresses as addresses, w.alert_digest_minutes * 60000 as "digestMs"
      from tandem.alerts a join tandem.workflows f on f.id = a.workflow_id join tandem.workspaces w on w.id = a.workspace_id
      where a.workflow_id = $1::uuid for update of a skip locked`,
    values: [workflowId],
  });
  const [row] = rows;
  if (row === undefined) return undefined;
  const { state, ...watched } = row;
  return { ...watched, alert: { ...noAlert, ...state } };
}

/** Takes the workflow's next failures into account, oldest first: they are not given again. */
export async function takeFailures(sql: Sql, workflowId: string, now: Date): Promise<FailedRun[]> {
  const { rows } = await sql.query<FailureRow>({
    name: "take_failures",
    text: `with taken as (
        update tandem.runs r set told_at = $2 where r.id in (
          select id from tandem.runs where workflow_id = $1::uuid and ${untold} order by ended_at, id limit ${batch} for update)
        returning r.id, r.version_id, r.workflow_id, r.depth, r.settings, r.error, r.ended_at, r.status, r.launched_by
      ) select id, version_id as "versionId", workflow_id as "workflowId", depth, settings, error, ended_at as "endedAt",
          status = 'failed' and coalesce(launched_by ->> 'kind', '') <> 'failure' as "startsWorkflow"
        from taken order by ended_at, id`,
    values: [workflowId, now],
  });
  return rows.map(failedRunOf);
}

interface FailureRow {
  id: string;
  versionId: string;
  workflowId: string;
  depth: number;
  settings: JsonObject;
  error: JsonObject | null;
  endedAt: Date;
  startsWorkflow: boolean;
}

function failedRunOf({ id: runId, error, endedAt, workflowId, depth, ...rest }: FailureRow): FailedRun {
  const said = isJsonObject(error) ? error : {};
  const attempts = said["attempts"];
  return {
    ...rest,
    origin: { runId, workflowId, depth },
    failure: {
      runId,
      step: textOf(said["step"]) ?? null,
      code: textOf(said["code"]) ?? "failed",
      message: textOf(said["message"]) ?? "The run gives no reason.",
      attempts: typeof attempts === "number" ? attempts : null,
      failedAt: endedAt,
    },
  };
}

/** When a run of the workflow last completed, if that was after the moment. */
export async function findWorkedAt(sql: Sql, workflowId: string, after: string | null): Promise<Date | undefined> {
  if (after === null) return undefined;
  const { rows } = await sql.query<{ at: Date | null }>({
    name: "find_worked_at",
    text: `select max(ended_at) as at from (
        select status, ended_at from tandem.runs where workflow_id = $1::uuid order by id desc limit ${lookedThrough}) r
      where r.status = 'completed' and r.ended_at > $2::timestamptz`,
    values: [workflowId, after],
  });
  return rows[0]?.at ?? undefined;
}

/** Keeps how the alert stands, and when it is looked at again. */
export async function saveAlert(
  sql: Sql,
  { workflowId, alert, reviewAt }: { workflowId: string; alert: Alert; reviewAt: Date | undefined },
): Promise<void> {
  await sql.query({
    name: "save_alert",
    text: `update tandem.alerts set state = $2::jsonb, open = $3::boolean, review_at = $4::timestamptz where workflow_id = $1::uuid`,
    values: [workflowId, JSON.stringify(alert), alert.open, reviewAt ?? null],
  });
}

/** A workflow that fails now. */
export interface OpenAlert {
  /** The workflow's. */
  readonly id: string;
  readonly workflowKey: string;
  readonly workflowName: string;
  readonly alert: Alert;
  /** The last mail about it; null: there was none. */
  readonly mail: AlertMail | null;
}

/** A mail about a workflow's failures, as far as it got. */
export interface AlertMail {
  readonly kind: MailKind;
  readonly createdAt: Date;
  /** Null: it is not sent yet, or was given up. */
  readonly sentAt: Date | null;
  /** When it is tried again. */
  readonly dueAt: Date | null;
  readonly error: JsonObject | null;
}

/** Workflows of a workspace that fail now, a page of them; `after` is the last workflow of the page before. */
export async function listOpenAlerts(
  sql: Sql,
  { workspaceId, limit, after }: { workspaceId: string; limit: number; after?: string | undefined },
): Promise<OpenAlert[]> {
  const { rows } = await sql.query<
    Omit<OpenAlert, "alert" | "mail"> & { state: Partial<Alert> } & { [Key in keyof AlertMail]: AlertMail[Key] | null }
  >({
    name: "list_open_alerts",
    text: `select a.workflow_id as id, f.key as "workflowKey", f.name as "workflowName", a.state,
        m.kind, m.created_at as "createdAt", m.sent_at as "sentAt", m.due_at as "dueAt", m.error
      from tandem.alerts a join tandem.workflows f on f.id = a.workflow_id
      left join lateral (select kind, created_at, sent_at, due_at, error from tandem.alert_mails
        where workflow_id = a.workflow_id order by id desc limit 1) m on true
      where a.workspace_id = $1::uuid and a.open and ($2::uuid is null or a.workflow_id > $2::uuid)
      order by a.workflow_id limit $3::integer`,
    values: [workspaceId, after ?? null, limit],
  });
  return rows.map(({ id, workflowKey, workflowName, state, kind, createdAt, sentAt, dueAt, error }) => ({
    id,
    workflowKey,
    workflowName,
    alert: { ...noAlert, ...state },
    mail: kind === null || createdAt === null ? null : { kind, createdAt, sentAt, dueAt, error },
  }));
}

/** Forgets mails as old as the runs that are forgotten. */
export async function forgetAlertMails(sql: Sql, limit: Date): Promise<void> {
  await sql.query("delete from tandem.alert_mails where due_at is null and id < $1::uuid", [firstIdAt(limit)]);
}
