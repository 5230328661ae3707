import { literal } from "../sql.ts";
import { addEvent, stamps, type WriteOptions } from "./events.ts";
import { recordColumns, recordJson, type CrmField, type CrmObject } from "./objects.ts";

interface Move {
  /** The relations of the object by which its records point to the merged ones. */
  readonly fields: readonly CrmField[];
  readonly survivor: string;
  readonly others: readonly string[];
}

/**
 * Lets the records of the object that point to one of `others` point to `survivor`; each has its event.
 * Where that would make two records the same (both people were linked to the task), one stays and the
 * other is marked as deleted, or, where it is more than a link, its field is cleared. The merged records
 * themselves are left alone. The last CTE is `moved`.
 */
export function addMoved(options: WriteOptions, move: Move): void {
  const { statement, object } = options;
  const { fields } = move;
  const survivor = statement.param(move.survivor, "uuid");
  const others = statement.param(move.others, "uuid[]");
  const merged = `array_append(${others}, ${survivor})`;
  const isOwn = fields.some(({ relation }) => relation?.object === object.name);
  statement.with(
    "held",
    `select ${recordColumns(object, "r")} from ${object.table} r where (${fields.map(({ column }) => `r.${column} = any (${others})`).join(" or ")})
     ${isOwn ? `and r.id <> all (${merged})` : ""} order by r.id for update of r`,
  );
  const collisions = fields.map((field) => ({
    field,
    sql: collisionSql(object, { field, fields }, { survivor, others, merged }),
  }));
  const dropped = collisions.filter(({ field }) => field.relation?.cascades === true).map(({ sql }) => sql);
  statement.with(
    "decided",
    `select h.id, (${dropped.join(" or ") || "false"}) as dropped, ${collisions.map(({ field, sql }) => `(${sql}) as ${field.column}`).join(", ")} from held h`,
  );
  const sets = fields.map(({ column }) => {
    const next = `case when d.${column} then null else ${survivor} end`;
    return `${column} = case when not d.dropped and t.${column} = any (${others}) then ${next} else t.${column} end`;
  });
  statement.with(
    "moved",
    `update ${object.table} t set ${sets.join(", ")}, deleted_at = case when d.dropped then clock_timestamp() else t.deleted_at end, ${stamps(options)}
     from decided d where t.id = d.id returning t.id, ${recordJson(object, "t")} as record`,
  );
  addMoveEvents(options, { fields, others });
}

function addMoveEvents(
  options: WriteOptions,
  { fields, others }: { fields: readonly CrmField[]; others: string },
): void {
  const { object } = options;
  const changed = fields.map(({ name, column }) => `case when h.${column} = any (${others}) then ${literal(name)} end`);
  addEvent(
    options,
    "moved_event",
    `select case when d.dropped then 'deleted' else 'updated' end, m.id, ${recordJson(object, "h")}, m.record,
       case when d.dropped then '{}'::text[] else array_remove(array[${changed.join(", ")}]::text[], null) end
     from moved m join held h on h.id = m.id join decided d on d.id = m.id`,
  );
}

interface Placeholders {
  readonly survivor: string;
  readonly others: string;
  readonly merged: string;
}

/** SQL over `h`: whether another record would be the same by what must be unique, once the field is moved. */
function collisionSql(
  object: CrmObject,
  { field, fields }: { field: CrmField; fields: readonly CrmField[] },
  { survivor, others, merged }: Placeholders,
): string {
  const together = object.uniqueTogether.filter((group) => group.includes(field));
  const groups = field.unique ? [[field], ...together] : together;
  const after = (alias: string, { column, name }: CrmField): string =>
    fields.some((each) => each.name === name)
      ? `(case when ${alias}.${column} = any (${others}) then ${survivor} else ${alias}.${column} end)`
      : `${alias}.${column}`;
  const pointing = fields.map(({ column }) => `x.${column} = any (${others})`).join(" or ");
  const conditions = groups.map((group) => {
    const same = group.filter((each) => each !== field).map((each) => ` and ${after("x", each)} = ${after("h", each)}`);
    // Of those that move, the oldest stays; one that is there already stays in any case. The merged records
    // themselves do not move: what of theirs points to one of the others is not to be.
    return `exists (select 1 from ${object.table} x where x.${field.column} = any (${merged})${same.join("")}
      and x.deleted_at is null and x.id <> h.id and (x.id <> all (${merged}) or x.${field.column} = ${survivor}) and (x.id < h.id or (${pointing}) is not true))`;
  });
  if (conditions.length === 0) return "false";
  return `h.deleted_at is null and h.${field.column} = any (${others}) and (${conditions.join(" or ")})`;
}
