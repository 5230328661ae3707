import { createStatement, type Sql } from "../../sql.ts";
import { equalSql, findTarget } from "../target.ts";
import type { Lookup, ReadRecord, Refused } from "./records.ts";
import type { Column } from "./targets.ts";

type Related = Extract<Column["target"], { kind: "related" }>;

/** The ids of related records, by `keyOf` what they are found by. */
export type FoundIds = ReadonlyMap<string, string>;

/** Finds the related records of many rows by what is unique in them, in one statement. */
export async function findRelated(sql: Sql, lookups: readonly Lookup[]): Promise<FoundIds> {
  const groups = new Map<string, { target: Related; values: Set<string> }>();
  for (const { column, value } of lookups) {
    const { target } = column;
    if (target.kind !== "related") continue;
    const group = groups.get(column.name) ?? { target, values: new Set() };
    groups.set(column.name, group);
    group.values.add(value);
  }
  if (groups.size === 0) return new Map();
  const statement = createStatement();
  const selects = [...groups].map(([name, { target, values }]) => {
    const found = findTarget(target.object, target.path, "t", "mapping");
    return `select ${statement.param(name, "text")} as "column", x.value, t.id
      from unnest(${statement.param([...values], "text[]")}) as x(value)
      join ${target.object.table} t on ${equalSql(found, `x.value::${found.type}`)} and t.deleted_at is null`;
  });
  const { text, values } = statement.query(selects.join(" union all "));
  const { rows } = await sql.query<{ column: string; value: string; id: string }>(text, values);
  return new Map(rows.map(({ column, value, id }) => [keyOf(column, value), id]));
}

/** The values of a row with the ids of its related records among them, or why it is refused. */
export function withRelated({ values, lookups }: ReadRecord, found: FoundIds): Pick<ReadRecord, "values"> | Refused {
  const issues = lookups.flatMap(({ column, value }) => {
    const { target, name } = column;
    if (target.kind !== "related") return [];
    const id = found.get(keyOf(name, value));
    if (id === undefined)
      return [
        { path: name, message: `there is no ${target.object.name} with ${target.path.join(".")} "${shorten(value)}"` },
      ];
    values[target.field.name] = id;
    return [];
  });
  if (issues.length === 0) return { values };
  const message = `${issues.map((issue) => `${issue.path}: ${issue.message}`).join("; ")}.`;
  return { refusal: { code: "related-record-not-found", message, issues } };
}

function keyOf(column: string, value: string): string {
  return `${column}\u0000${value}`;
}

function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
