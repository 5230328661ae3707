import { firstIdAt } from "../ids.ts";
import type { Json } from "../json.ts";
import { literal, statementName, type Sql } from "../sql.ts";

export const runStatuses = [
  "queued",
  "starting",
  "running",
  "waiting",
  "completed",
  "failed",
  "cancelled",
  "stopped-as-loop",
  "skipped",
] as const;
export type RunStatus = (typeof runStatuses)[number];

/** A run in a list. Times are ISO 8601. */
export interface RunSummary {
  readonly id: string;
  readonly workflowId: string;
  readonly workflowKey: string;
  readonly versionId: string;
  readonly status: RunStatus;
  readonly triggerId: string | null;
  readonly triggerKind: string | null;
  /** The record that its trigger gives, and of which object it is; null: it gives none. */
  readonly object: string | null;
  readonly recordId: string | null;
  readonly createdAt: string;
  readonly startedAt: string | null;
  readonly endedAt: string | null;
  /** The moment that its schedule meant. */
  readonly scheduledAt: string | null;
  readonly cancelRequestedAt: string | null;
  /** Its workflow task fails over and over. */
  readonly stuck: boolean;
  /** Why it failed; or why it was skipped, stopped or replaced, as `{ code, message }`. */
  readonly error: Json;
  /** The run whose write or launch led to this one, and how many led to one another before it. */
  readonly origin: Json;
  readonly depth: number;
  /** Who launched it; null: nobody did. */
  readonly launchedBy: Json;
}

/** Which runs; what is not given does not narrow. */
export interface RunQuery {
  readonly workspaceId: string;
  readonly workflowId?: string | undefined;
  /** Any of these. */
  readonly statuses?: readonly RunStatus[] | undefined;
  readonly triggerKind?: string | undefined;
  /** Runs whose trigger gives this record. */
  readonly recordId?: string | undefined;
  /** Runs of this launch. */
  readonly launchId?: string | undefined;
  readonly createdFrom?: Date | undefined;
  /** Before this moment. */
  readonly createdUntil?: Date | undefined;
  /** Only runs older than this one. */
  readonly before?: string | undefined;
  readonly limit: number;
}

/** A row whose moments are dates, as Postgres gives them. */
export type Times<Row, Keys extends keyof Row> = Omit<Row, Keys> & {
  [Key in Keys]: null extends Row[Key] ? Date | null : Date;
};
export type SummaryRow = Times<RunSummary, "createdAt" | "startedAt" | "endedAt" | "scheduledAt" | "cancelRequestedAt">;

/** SQL: a summary's columns of tandem.runs `r` and tandem.workflows `w`. */
export const summaryColumns = `r.id, r.workflow_id as "workflowId", w.key as "workflowKey", r.version_id as "versionId", r.status,
  r.trigger->>'id' as "triggerId", r.trigger->>'kind' as "triggerKind", r.trigger->>'object' as object, r.record_id as "recordId", r.created_at as "createdAt", r.started_at as "startedAt",
  r.ended_at as "endedAt", r.scheduled_at as "scheduledAt", r.cancel_requested_at as "cancelRequestedAt", r.stuck, r.error,
  r.origin, r.depth, r.launched_by as "launchedBy"`;

/** Ids carry the clock of the process that made them, which may differ from Postgres's by less than this. */
const clocksApartMs = 3_600_000;

/** Runs of a workspace, newest first. */
export async function listRuns(sql: Sql, query: RunQuery): Promise<RunSummary[]> {
  const { createdFrom, createdUntil } = query;
  const conditions = ["r.workspace_id = $1::uuid"];
  const values: unknown[] = [query.workspaceId, query.limit];
  const add = (condition: string, type: string, value: string | Date | undefined): void => {
    if (value !== undefined) conditions.push(`${condition} $${values.push(value)}::${type}`);
  };
  add("r.workflow_id =", "uuid", query.workflowId);
  // Written out, so that the indexes of single statuses serve.
  if (query.statuses !== undefined) conditions.push(`r.status in (${query.statuses.map(literal).join(", ")})`);
  add("r.trigger->>'kind' =", "text", query.triggerKind);
  add("r.record_id =", "uuid", query.recordId);
  add("r.launched_by->>'launch' =", "text", query.launchId);
  add("r.id <", "uuid", query.before);
  add("r.created_at >=", "timestamptz", createdFrom);
  add("r.id >=", "uuid", createdFrom && firstIdAt(shifted(createdFrom, -clocksApartMs)));
  add("r.created_at <", "timestamptz", createdUntil);
  add("r.id <", "uuid", createdUntil && firstIdAt(shifted(createdUntil, clocksApartMs)));
  const text = `select ${summaryColumns} from tandem.runs r join tandem.workflows w on w.id = r.workflow_id
    where ${conditions.join(" and ")} order by r.id desc limit $2::integer`;
  const { rows } = await sql.query<SummaryRow>({ name: statementName(text), text, values });
  return rows.map(toSummary);
}

function shifted(moment: Date, ms: number): Date {
  return new Date(Math.max(moment.getTime() + ms, 0));
}

/** A row as it is answered with. */
export function toSummary(row: SummaryRow): RunSummary {
  return {
    ...row,
    createdAt: row.createdAt.toISOString(),
    startedAt: isoOf(row.startedAt),
    endedAt: isoOf(row.endedAt),
    scheduledAt: isoOf(row.scheduledAt),
    cancelRequestedAt: isoOf(row.cancelRequestedAt),
  };
}

/** ISO 8601, where there is a moment. */
export function isoOf(moment: Date | null): string | null {
  return moment?.toISOString() ?? null;
}
