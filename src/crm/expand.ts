import type { JsonObject } from "../json.ts";
import { createStatement, type Sql } from "../sql.ts";
import { recordJson, type CrmField, type CrmObject, type Inverse, type Objects } from "./objects.ts";

/** Related records that a record shows of one relation: the first by id. More are a list of their own. */
export const mostRelated = 60;

interface Expansion {
  readonly objects: Objects;
  readonly object: CrmObject;
  readonly records: readonly JsonObject[];
  /** Whether a relation or inverse of this name is wanted; default: all. */
  wants?(name: string): boolean;
}

/**
 * The records with those that they are related to: beside `companyId` the `company` (null where there is
 * none, or it is deleted), and lists of what points to them by the inverse's name, `people`. One statement
 * a relation, however many records there are.
 */
export async function expandRecords(sql: Sql, expansion: Expansion): Promise<JsonObject[]> {
  const { object, objects, records, wants = () => true } = expansion;
  const expanded = records.map((record) => ({ ...record }));
  if (expanded.length === 0) return expanded;
  for (const field of object.fields) {
    const { relation } = field;
    const other = relation === undefined ? undefined : objects.find(relation.object);
    if (relation === undefined || other === undefined || !wants(relation.name)) continue;
    const found = await findReferred(sql, other, idsOf(expanded, field.name));
    for (const record of expanded) record[relation.name] = found.get(record[field.name]) ?? null;
  }
  for (const inverse of object.inverses) {
    const other = objects.find(inverse.object);
    if (other === undefined || !wants(inverse.name)) continue;
    const found = await findReferring(sql, { other, field: inverse.field, ids: idsOf(expanded, "id") });
    for (const record of expanded) record[inverse.name] = found.get(record["id"]) ?? [];
  }
  return expanded;
}

function idsOf(records: readonly JsonObject[], name: string): string[] {
  return [...new Set(records.flatMap((record) => (typeof record[name] === "string" ? [record[name]] : [])))];
}

async function findReferred(sql: Sql, other: CrmObject, ids: readonly string[]): Promise<Map<unknown, JsonObject>> {
  if (ids.length === 0) return new Map();
  const statement = createStatement();
  const query = statement.query(
    `select ${recordJson(other, "t")} as record from ${other.table} t where t.id = any (${statement.param(ids, "uuid[]")}) and t.deleted_at is null`,
  );
  const { rows } = await sql.query<{ record: JsonObject }>(query);
  return new Map(rows.map(({ record }) => [record["id"], record]));
}

/** The relation's index gives the first of each record in the order of their ids. */
async function findReferring(
  sql: Sql,
  { other, field, ids }: { other: CrmObject; field: CrmField; ids: readonly string[] },
): Promise<Map<unknown, JsonObject[]>> {
  const statement = createStatement();
  const query = statement.query(
    `select i.id, coalesce((
        select jsonb_agg(r.record order by r.id) from (
          select t.id, ${recordJson(other, "t")} as record from ${other.table} t
          where t.${field.column} = i.id and t.deleted_at is null order by t.id limit ${mostRelated}
        ) r), '[]'::jsonb) as records
     from unnest(${statement.param(ids, "uuid[]")}) as i(id)`,
  );
  const { rows } = await sql.query<{ id: string; records: JsonObject[] }>(query);
  return new Map(rows.map(({ id, records }) => [id, records]));
}

/** The relations of an object that an expansion shows, by their names. */
export function relationNames(object: CrmObject): string[] {
  const own = object.fields.flatMap(({ relation }) => (relation === undefined ? [] : [relation.name]));
  return [...own, ...object.inverses.map(({ name }: Inverse) => name)];
}
