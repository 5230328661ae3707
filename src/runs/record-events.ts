import type { Json } from "../json.ts";
import type { Sql } from "../sql.ts";

/** A change of a record, and the runs that it started. */
export interface PastEvent {
  readonly id: number;
  readonly object: string;
  readonly recordId: string;
  readonly kind: string;
  readonly before: Json;
  readonly after: Json;
  readonly changedFields: readonly string[];
  readonly actor: Json;
  readonly origin: Json;
  readonly createdAt: string;
  readonly runIds: readonly string[];
}

/** What happened to a record, as far as it has been relayed, the newest first. */
export async function listRecordEvents(
  sql: Sql,
  query: { workspaceId: string; recordId: string; before: number | undefined; limit: number },
): Promise<PastEvent[]> {
  const { rows } = await sql.query<Omit<PastEvent, "createdAt"> & { createdAt: Date }>({
    name: "list_record_events",
    text: `select id, object, record_id as "recordId", kind, before, after, changed_fields as "changedFields", actor, origin,
        created_at as "createdAt", run_ids as "runIds"
      from tandem.record_events where workspace_id = $1::uuid and record_id = $2::uuid and ($3::bigint is null or id < $3)
      order by id desc limit $4::integer`,
    values: [query.workspaceId, query.recordId, query.before ?? null, query.limit],
  });
  return rows.map((row) => ({ ...row, createdAt: row.createdAt.toISOString() }));
}

const batch = 1_000;

/**
 * Forgets events that were relayed before then. Ids come in about the order of time: the oldest are looked
 * at, and no more of them once one batch has any that stay.
 */
export async function forgetEvents(sql: Sql, before: Date): Promise<number> {
  let forgotten = 0;
  for (let deleted = batch; deleted === batch; forgotten += deleted) {
    const { rowCount } = await sql.query(
      `delete from tandem.record_events where id in (select id from tandem.record_events order by id limit ${batch})
         and relayed_at < $1`,
      [before],
    );
    deleted = rowCount ?? 0;
  }
  return forgotten;
}
