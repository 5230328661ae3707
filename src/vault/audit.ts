import type { JsonObject } from "../json.ts";
import type { Sql } from "../sql.ts";

/** A call that may change something, before it is looked at. */
export interface AuditedCall {
  readonly id: string;
  readonly workspaceId: string;
  readonly actor: JsonObject;
  /** `POST /api/workflows/{id}/activate`. */
  readonly action: string;
  /** The path that was asked for. */
  readonly target: string;
  readonly requestId: string;
  readonly ip: string | null;
}

/** What came of it. */
export interface AuditedOutcome {
  readonly id: string;
  readonly outcome: "done" | "refused" | "failed";
  readonly status: number;
  readonly code: string | null;
  /** In hexadecimal. */
  readonly before: string | null;
  readonly after: string | null;
  readonly changed: readonly string[] | null;
}

/** A row of the audit, as it is shown. */
export interface AuditEntry extends Omit<AuditedCall, "workspaceId">, Partial<Omit<AuditedOutcome, "id" | "outcome">> {
  readonly at: Date;
  /** `unknown`: the process ended before it knew, or the call is still under way. */
  readonly outcome: AuditedOutcome["outcome"] | "unknown";
}

/**
 * No waiting for the disk: what is written first is on it first, so a change that is there has its row there,
 * whatever is killed or loses its power.
 */
const unsynced = "unsynced as (select set_config('synchronous_commit', 'off', true))";

/** Writes that calls begin, in one statement. */
export async function insertCalls(sql: Sql, calls: readonly AuditedCall[]): Promise<void> {
  await sql.query({
    name: "insert_audit",
    text: `with ${unsynced}
      insert into tandem.audit (id, workspace_id, actor, action, target, request_id, ip)
      select c.id, c."workspaceId", c.actor, c.action, c.target, c."requestId", c.ip
      from unsynced, jsonb_to_recordset($1::jsonb) as c (id uuid, "workspaceId" uuid, actor jsonb, action text, target text,
        "requestId" text, ip text)`,
    values: [JSON.stringify(calls)],
  });
}

/** Writes what came of calls, in one statement, each once. */
export async function insertOutcomes(sql: Sql, outcomes: readonly AuditedOutcome[]): Promise<void> {
  await sql.query({
    name: "insert_audit_outcomes",
    text: `with ${unsynced}
      update tandem.audit a set outcome = o.outcome, status = o.status, code = o.code, changed = o.changed,
        before_digest = decode(o.before, 'hex'), after_digest = decode(o.after, 'hex')
      from unsynced, jsonb_to_recordset($1::jsonb) as o (id uuid, outcome text, status integer, code text, before text,
        after text, changed text[])
      where a.id = o.id and a.outcome is null`,
    values: [JSON.stringify(outcomes)],
  });
}

/** What of the audit is asked for; what is not named does not count. */
export interface AuditFilter {
  /** Id of the key. */
  readonly actor?: string | undefined;
  readonly action?: string | undefined;
  /** The path, or what it begins with before a slash. */
  readonly target?: string | undefined;
  readonly outcome?: AuditEntry["outcome"] | undefined;
  readonly requestId?: string | undefined;
  readonly from?: Date | undefined;
  readonly to?: Date | undefined;
}

/** A workspace's audit, latest first; `after` is the id of the last of the page before. */
export async function listAudit(
  sql: Sql,
  {
    workspaceId,
    limit,
    after,
    ...filter
  }: AuditFilter & { workspaceId: string; limit: number; after?: string | undefined },
): Promise<AuditEntry[]> {
  const { rows } = await sql.query<AuditEntry>(
    `select a.id, a.at, a.actor, a.action, a.target, a.request_id as "requestId", a.ip, coalesce(a.outcome, 'unknown') as outcome,
       a.status, a.code, encode(a.before_digest, 'hex') as before, encode(a.after_digest, 'hex') as after, a.changed
     from tandem.audit a
     where a.workspace_id = $1::uuid and ($2::uuid is null or a.id < $2::uuid)
       and ($4::text is null or a.actor ->> 'id' = $4::text) and ($5::text is null or a.action = $5::text)
       and ($6::text is null or a.target = $6::text or starts_with(a.target, $6::text || '/'))
       and ($7::text is null or coalesce(a.outcome, 'unknown') = $7::text) and ($8::text is null or a.request_id = $8::text)
       and ($9::timestamptz is null or a.at >= $9::timestamptz) and ($10::timestamptz is null or a.at < $10::timestamptz)
     order by a.id desc limit $3::integer`,
    [
      workspaceId,
      after ?? null,
      limit,
      filter.actor ?? null,
      filter.action ?? null,
      filter.target ?? null,
      filter.outcome ?? null,
      filter.requestId ?? null,
      filter.from ?? null,
      filter.to ?? null,
    ],
  );
  return rows;
}

/** Forgets calls of before the limit, of all workspaces. */
export async function forgetAudit(sql: Sql, limit: Date): Promise<number> {
  const { rowCount } = await sql.query(
    `with allowed as (select set_config('tandem.audit_retention', 'on', true))
     delete from tandem.audit a using allowed where a.at < $1::timestamptz`,
    [limit],
  );
  return rowCount ?? 0;
}
