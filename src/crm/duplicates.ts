import { isJsonObject, type Json, type JsonObject } from "../json.ts";
import { createStatement, type Sql, type Statement } from "../sql.ts";
import { recordJson, type CrmObject } from "./objects.ts";
import { equalSql, findTarget } from "./target.ts";

/** Records of which each may be another one of what was asked about. */
export interface Duplicates {
  /** The oldest first, and no more than asked for. */
  readonly records: JsonObject[];
  readonly total: number;
}

/** How many duplicates of one record are counted; beyond, it is no record that somebody entered twice. */
const mostCounted = 1_000;

/**
 * For each of `records` (of a new one its fields, of one that is there also its `id`) the others that are
 * the same by one of the object's criteria: all paths of the criterion have the same value, and it is not
 * empty. Compared as filters compare: e-mails without case, domains without `www.`. In one statement.
 */
export async function findDuplicates(
  sql: Sql,
  object: CrmObject,
  { records, limit }: { readonly records: readonly JsonObject[]; readonly limit: number },
): Promise<Duplicates[]> {
  const statement = createStatement();
  const lookups = lookupsOf(statement, object, records);
  if (lookups.length === 0) return records.map(() => ({ records: [], total: 0 }));
  const text = `select f.n, count(*) as total,
      coalesce(jsonb_agg(f.record order by f.position) filter (where f.record is not null), '[]'::jsonb) as records
    from (
      select o.n, o.position, case when o.position <= ${statement.param(limit, "integer")} then ${recordJson(object, "t")} end as record
      from (select d.n, d.id, row_number() over (partition by d.n order by d.id) as position from (${lookups.join(" union ")}) d) o
      join ${object.table} t on t.id = o.id
    ) f group by f.n`;
  // Without a name: each number of records is another statement.
  const { text: query, values } = statement.query(text);
  const { rows } = await sql.query<Duplicates & { n: number }>(query, values);
  const byPlace = new Map(rows.map(({ n, records: found, total }) => [n, { records: found, total }]));
  return records.map((_record, n) => byPlace.get(n) ?? { records: [], total: 0 });
}

/** SQL for each record and criterion: an index on what the criterion compares serves each by itself. */
function lookupsOf(statement: Statement, object: CrmObject, records: readonly JsonObject[]): string[] {
  return records.flatMap((record, n) =>
    object.duplicateCriteria.flatMap((criterion) => {
      const values = criterion.map((path) => valueAt(record, path.split(".")));
      if (values.some((value) => value === null || value === "")) return [];
      const conditions = criterion.map((path, position) => {
        const target = findTarget(object, path.split("."), "t", "duplicates");
        return equalSql(target, statement.param(values[position], target.type));
      });
      const own = record["id"] === undefined ? "true" : `t.id <> ${statement.param(record["id"], "uuid")}`;
      return [
        `(select ${n} as n, t.id from ${object.table} t where ${conditions.join(" and ")} and ${own} and t.deleted_at is null limit ${mostCounted})`,
      ];
    }),
  );
}

function valueAt(record: JsonObject, path: readonly string[]): Json {
  return path.reduce<Json>((value, key) => (isJsonObject(value) ? (value[key] ?? null) : null), record);
}
