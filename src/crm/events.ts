import type { JsonObject } from "../json.ts";
import type { Statement } from "../sql.ts";
import type { Workspace } from "../workspace.ts";
import type { Actor, CrmObject, Objects, Origin } from "./objects.ts";

/** What every change needs to know. */
export interface WriteOptions {
  readonly statement: Statement;
  readonly workspace: Pick<Workspace, "id">;
  readonly objects: Objects;
  readonly object: CrmObject;
  readonly actor: Actor;
  readonly origin: Origin | null;
  /** A CTE that has a row only while the change may happen; absent: it may. */
  readonly gate?: string;
}

/** Number of outbox shards (DURABILITY.md §10). */
const shards = 16;

/**
 * Adds the record events of what `select` (kind, id, before, after, changed fields) changed. Their ids
 * come from the sequence after the rows were locked, so that their order is the order of the changes.
 */
export function addEvent(options: WriteOptions, name: string, select: string, object = options.object): void {
  const { statement } = options;
  const p = statement.param;
  statement.with(
    name,
    `insert into tandem.outbox (shard, workspace_id, object, record_id, kind, before, after, changed_fields, actor, origin)
     select (hashtext(e.id::text) & ${shards - 1})::smallint, ${p(options.workspace.id, "uuid")}, ${p(object.name, "text")}, e.id, e.kind,
       e.before, e.after, e.fields, ${p(actorJson(options.actor), "jsonb")}, ${p(options.origin, "jsonb")}
     from (${select}) as e(kind, id, before, after, fields)`,
  );
}

export function actorJson(actor: Actor): JsonObject {
  return { source: actor.source, workspaceMemberId: actor.workspaceMemberId ?? null, name: actor.name };
}

/** SQL: what every change sets; `updated_at` always rises, so that it tells versions apart. */
export function stamps({ statement, actor }: WriteOptions): string {
  return `updated_at = greatest(clock_timestamp(), t.updated_at + interval '1 millisecond'), updated_by = ${statement.param(actorJson(actor), "jsonb")}`;
}
