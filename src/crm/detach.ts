import { addEvent, stamps, type WriteOptions } from "./events.ts";
import { recordColumns, recordJson, type CrmField, type CrmObject } from "./objects.ts";

/**
 * Takes leave of the record of the CTE `locked`, which is to be destroyed: fields that point to it are
 * cleared, links to it destroyed, each with its record event. A record that points to it by a commit
 * which this statement does not see yet makes the database refuse the whole (23503): then once more.
 */
export function addDetached(options: WriteOptions): void {
  for (const [position, other] of options.objects.list().entries()) {
    const pointing = other.fields.filter((field) => field.relation?.object === options.object.name);
    const following = pointing.filter((field) => field.relation?.cascades === true);
    const cleared = pointing.filter((field) => field.relation?.cascades === false);
    if (following.length > 0) addFollowed(options, { other, following, name: `followed_${position}` });
    if (cleared.length > 0) addCleared(options, { other, cleared, following, name: `cleared_${position}` });
  }
  addHidden(options);
}

/** What nobody sees is cleared without a word; a row once, whatever points from it. */
function addHidden({ statement, object }: WriteOptions): void {
  const byTable = new Map<string, string[]>();
  for (const { table, column } of object.hiddenPointers) byTable.set(table, [...(byTable.get(table) ?? []), column]);
  for (const [position, [table, columns]] of [...byTable].entries()) {
    const sets = columns.map((column) => `${column} = nullif(t.${column}, l.id)`);
    const points = columns.map((column) => `t.${column} = l.id`);
    statement.with(
      `hidden_${position}`,
      `update ${table} t set ${sets.join(", ")} from locked l where ${points.join(" or ")}`,
    );
  }
}

function addFollowed(
  options: WriteOptions,
  { other, following, name }: { other: CrmObject; following: readonly CrmField[]; name: string },
): void {
  // The record itself is not to be deleted twice.
  const others = other.name === options.object.name ? " and t.id <> l.id" : "";
  options.statement.with(
    name,
    `delete from ${other.table} t using locked l where ${pointsBy(following, "t")}${others} returning t.id, ${recordJson(other, "t")} as record`,
  );
  const events = `select 'destroyed', f.id, f.record, null::jsonb, '{}'::text[] from ${name} f`;
  addEvent(options, `${name}_event`, events, other);
}

interface Cleared {
  readonly other: CrmObject;
  readonly cleared: readonly CrmField[];
  readonly following: readonly CrmField[];
  readonly name: string;
}

function addCleared(options: WriteOptions, { other, cleared, following, name }: Cleared): void {
  const { statement, object } = options;
  const conditions = [pointsBy(cleared, "r")];
  // A row changes once in a statement: not the record itself, nor what is destroyed with it.
  if (other.name === object.name) conditions.push("r.id <> l.id");
  if (following.length > 0) conditions.push(`${pointsBy(following, "r")} is not true`);
  const held = `${name}_before`;
  statement.with(
    held,
    `select ${recordColumns(other, "r")}, l.id as _gone from ${other.table} r join locked l on ${conditions.join(" and ")} for update of r`,
  );
  const sets = cleared.map(({ column }) => `${column} = nullif(t.${column}, h._gone)`);
  statement.with(
    name,
    `update ${other.table} t set ${[...sets, stamps(options)].join(", ")} from ${held} h where t.id = h.id
     returning t.id, ${recordJson(other, "t")} as record`,
  );
  const fields = cleared.map((field) => `case when h.${field.column} = h._gone then '${field.name}' end`);
  const events = `select 'updated', c.id, ${recordJson(other, "h")}, c.record, array_remove(array[${fields.join(", ")}]::text[], null)
     from ${name} c join ${held} h on h.id = c.id`;
  addEvent(options, `${name}_event`, events, other);
}

function pointsBy(fields: readonly CrmField[], alias: string): string {
  return `(${fields.map(({ column }) => `${alias}.${column} = l.id`).join(" or ")})`;
}
