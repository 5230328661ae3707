import { createStatement, type Sql } from "../sql.ts";
import type { CrmObject, Objects } from "./objects.ts";
import type { FieldValue } from "./values.ts";

/** The relations among these values that lead to no record, as `field id`. */
export async function findMissing(
  sql: Sql,
  objects: Objects,
  { object, values }: { object: CrmObject; values: readonly FieldValue[] },
): Promise<ReadonlySet<string>> {
  const statement = createStatement();
  const lookups = object.fields.flatMap((field) => {
    const target = field.relation === undefined ? undefined : objects.find(field.relation.object);
    const ids = new Set(
      values.flatMap((given) => (given.field === field && given.value !== null ? [given.value] : [])),
    );
    if (target === undefined || ids.size === 0) return [];
    return `select ${statement.param(field.name, "text")} || ' ' || x.id::text as missing from unnest(${statement.param([...ids], "uuid[]")}) as x(id)
      where not exists (select 1 from ${target.table} t where t.id = x.id)`;
  });
  if (lookups.length === 0) return new Set();
  const { text, values: parameters } = statement.query(lookups.join(" union all "));
  const { rows } = await sql.query<{ missing: string }>(text, parameters);
  return new Set(rows.map(({ missing }) => missing));
}
