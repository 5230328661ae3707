import type { JsonObject } from "../json.ts";
import { createStatement, literal, type Sql, type Statement } from "../sql.ts";
import { aggregateSql } from "./group-aggregates.ts";
import { dimensionSql, type Dimension } from "./group-dimensions.ts";
import { recordJson, type CrmObject, type Objects } from "./objects.ts";
import { findTarget, invalidFilter } from "./target.ts";

export { granularities, type Dimension } from "./group-dimensions.ts";

interface Direction {
  readonly direction: "asc" | "desc";
  readonly nulls: "first" | "last";
}

export interface GroupRequest {
  readonly objects: Objects;
  readonly object: CrmObject;
  /** SQL over the alias. Deleted records are left out unless it is told otherwise. */
  readonly where?: ((statement: Statement, alias: string) => string) | undefined;
  readonly deleted?: boolean;
  /** One or two. */
  readonly by: readonly Dimension[];
  /** Names of figures, besides the number of records. */
  readonly aggregates: readonly string[];
  /** By the place of a dimension, or a figure's name; default: the dimensions in their order. */
  readonly order?: ReadonlyArray<Direction & { readonly by: number | string }>;
  readonly limit: number;
  /** Leaves out groups of records that have no value. */
  readonly omitNulls?: boolean;
  /** How many records each group shows, and which first. */
  readonly sample?:
    | { readonly limit: number; readonly sort: ReadonlyArray<Direction & { readonly field: string }> }
    | undefined;
}

export interface Group {
  /** Each dimension's value as text; null: none. */
  readonly values: (string | null)[];
  readonly total: number;
  readonly aggregates: JsonObject;
  /** Where a sample is asked for. */
  readonly records?: JsonObject[];
}

/** Records put together by what they have in one or two fields, with figures of each group. One statement. */
export async function groupRecords(sql: Sql, request: GroupRequest): Promise<Group[]> {
  const { objects, object, limit, sample } = request;
  const statement = createStatement();
  const context = { statement, objects, object, alias: "t" };
  const dimensions = request.by.map((dimension, i) => dimensionSql(dimension, { ...context, at: `group_by[${i}]` }));
  const figures = request.aggregates.map((name, i) => aggregateSql(name, { ...context, at: `aggregate[${i}]` }));
  const alive = request.deleted === true ? "true" : "t.deleted_at is null";
  const matching = `${alive} and ${request.where?.(statement, "t") ?? "true"}`;
  const keys = dimensions.map((_dimension, i) => `v${i}`);
  // What is grouped by is written once: two parameters are never known to be the same.
  const columns = [
    ...keys.map((key) => `d.${key}`),
    "count(*) as total",
    ...figures.map(({ value }, i) => `${value} as a${i}`),
  ];
  const filled = request.omitNulls === true ? `where ${keys.map((key) => `d.${key} is not null`).join(" and ")}` : "";
  statement.with(
    "valued",
    `select t.id, ${dimensions.map(({ value }, i) => `${value} as v${i}`).join(", ")} from ${object.table} t where ${matching}`,
  );
  statement.with(
    "grouped",
    `select ${columns.join(", ")} from valued d ${figures.length === 0 ? "" : `join ${object.table} t on t.id = d.id`} ${filled}
     group by ${keys.map((key) => `d.${key}`).join(", ")} order by ${orderSql(request)} limit ${statement.param(limit, "integer")}`,
  );
  if (sample !== undefined) addSample(statement, request, keys);
  const labels = dimensions.map(({ label }, i) => label(`g.v${i}`));
  const pairs = figures.map(({ name, json }, i) => `${literal(name)}, ${json(`g.a${i}`)}`);
  const records =
    sample === undefined
      ? ""
      : `, coalesce((select jsonb_agg(s.record order by s.position) from sampled s where s.key = ${keySql("g", keys)}), '[]'::jsonb) as records`;
  const { text, values } = statement.query(
    `select jsonb_build_array(${labels.join(", ")}) as values, g.total, jsonb_build_object(${pairs.join(", ")}) as aggregates${records}
     from grouped g order by ${orderSql(request)}`,
  );
  // Without a name: groups have as many shapes as callers.
  return (await sql.query<Group>(text, values)).rows;
}

/** SQL over `grouped`, whose columns have names of their own. The dimensions come last, so that the order is total. */
function orderSql({ order = [], by, aggregates }: GroupRequest): string {
  const keys = order.map(({ by: key, direction, nulls }) => {
    const column = typeof key === "number" ? `v${key}` : key === "totalCount" ? "total" : `a${aggregates.indexOf(key)}`;
    if (column === "a-1")
      throw invalidFilter("order_by", `"${String(key)}" is no figure that is asked for in aggregate`);
    return `${column} ${direction} nulls ${nulls}`;
  });
  return [...keys, ...by.map((_dimension, i) => `v${i} asc nulls last`)].join(", ");
}

/** SQL: a group's values as one, which can be null like any of them. */
function keySql(alias: string, keys: readonly string[]): string {
  return `jsonb_build_array(${keys.map((key) => `${alias}.${key}`).join(", ")})`;
}

function addSample(statement: Statement, { object, sample }: GroupRequest, keys: readonly string[]): void {
  const sort = (sample?.sort ?? []).map(({ field, direction, nulls }) => {
    const { order } = findTarget(object, field.split("."), "t", "order_by_for_records");
    return `${order.sql} ${direction} nulls ${nulls}`;
  });
  statement.with(
    "placed",
    `select d.id, d.key, row_number() over (partition by d.key order by ${[...sort, "t.id"].join(", ")}) as position
     from (select v.id, ${keySql("v", keys)} as key from valued v) d join ${object.table} t on t.id = d.id
     where d.key in (select ${keySql("g", keys)} from grouped g)`,
  );
  statement.with(
    "sampled",
    `select p.key, p.position, ${recordJson(object, "t")} as record from placed p join ${object.table} t on t.id = p.id
     where p.position <= ${statement.param(sample?.limit ?? 0, "integer")}`,
  );
}
