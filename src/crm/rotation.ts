import type { RecordCondition } from "../definition/conditions.ts";
import type { Sql, Statement } from "../sql.ts";
import type { Workspace } from "../workspace.ts";
import { filterSql } from "./filter.ts";
import { recordJson, type CrmObject, type Objects } from "./objects.ts";

/** Whose turn it is among which records. */
export interface Rotation {
  readonly workspace: Workspace;
  readonly objects: Objects;
  readonly object: CrmObject;
  /** Names what takes turns. */
  readonly key: string;
  readonly filter: RecordCondition | undefined;
}

/**
 * Adds the CTEs of one turn, of which the last, `chosen` (`id`, `record`), has a row unless there is no
 * record, or the rotation has not begun yet. The next is the one with the next id; after the last it
 * begins anew. Whoever comes second waits at the rotation's row for the first to commit and then sees
 * whose turn it was. Records with a field `active` take turns while it is true.
 */
export function addTurn(
  statement: Statement,
  { workspace, objects, object, key, filter }: Rotation,
  gate: string,
): void {
  const p = statement.param;
  const row = `r.workspace_id = ${p(workspace.id, "uuid")} and r.key = ${p(key, "text")}`;
  statement.with("turn", `select r.last_id from tandem.rotations r, ${gate} g where ${row} for update of r`);
  const conditions = ["t.deleted_at is null"];
  if (object.field("active")?.type === "BOOLEAN") conditions.push("t.active");
  if (filter !== undefined)
    conditions.push(filterSql(filter, { statement, objects, object, alias: "t", at: "filter", days: "refused" }));
  const choice = (...more: string[]): string =>
    `select t.id, ${recordJson(object, "t")} as record from ${object.table} t, turn where ${[...conditions, ...more].join(" and ")} order by t.id limit 1`;
  statement.with("next", choice("t.id > turn.last_id"));
  statement.with("chosen", `select id, record from next union all (${choice("not exists (select 1 from next)")})`);
  statement.with(
    "advanced",
    `update tandem.rotations r set last_id = c.id from chosen c where ${row} returning r.last_id`,
  );
}

/** Begins a rotation, unless it has begun. */
export async function beginRotation(sql: Sql, { workspace, key }: Pick<Rotation, "workspace" | "key">): Promise<void> {
  await sql.query({
    name: "begin_rotation",
    text: `insert into tandem.rotations (workspace_id, key, last_id) values ($1::uuid, $2::text, '00000000-0000-0000-0000-000000000000')
      on conflict do nothing`,
    values: [workspace.id, key],
  });
}
