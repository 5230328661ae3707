import type { RecordCondition } from "../definition/conditions.ts";
import { StepError } from "../errors.ts";
import type { Json, JsonObject } from "../json.ts";
import { createStatement, sqlState, type Sql, type Statement } from "../sql.ts";
import { filterSql, findTarget, type Target } from "./filter.ts";
import { recordJson, type CrmObject, type Objects } from "./objects.ts";

export interface Sort {
  /** A field, or a composite's sub-field: `name.lastName`. */
  readonly field: string;
  readonly direction: "asc" | "desc";
  /** Where records without a value come; default: last. */
  readonly nulls?: "first" | "last";
}

/** A restriction: a condition, or SQL over the alias with its parameters in the statement. */
export type Where = RecordCondition | ((statement: Statement, alias: string) => string);

export interface ListRequest {
  readonly objects: Objects;
  readonly object: CrmObject;
  readonly where?: Where | undefined;
  readonly sort?: readonly Sort[] | undefined;
  readonly limit: number;
  /** Cursor of the record to go on after, or before. */
  readonly after?: string | undefined;
  readonly before?: string | undefined;
  /** Place of the filter, for faults. */
  readonly at?: string;
  /** Deleted records too. */
  readonly deleted?: boolean;
}

export interface RecordPage {
  readonly records: JsonObject[];
  /** How many match in all. */
  readonly total: number;
  readonly hasNext: boolean;
  readonly hasPrevious: boolean;
  readonly startCursor: string | null;
  readonly endCursor: string | null;
}

export async function findRecord(
  sql: Sql,
  object: CrmObject,
  id: string,
  options: { deleted?: boolean } = {},
): Promise<JsonObject | undefined> {
  const statement = createStatement();
  const text = `select ${recordJson(object, "t")} as record from ${object.table} t where t.id = ${statement.param(id, "uuid")}${options.deleted === true ? "" : " and t.deleted_at is null"}`;
  const { rows } = await sql.query<{ record: JsonObject }>(statement.query(text));
  return rows[0]?.record;
}

interface Key {
  readonly sql: string;
  readonly type: string;
  readonly direction: "asc" | "desc";
  readonly nulls: "first" | "last";
}

/**
 * A page of records in one statement, with the total. Cursors name the last record's sort values and
 * id, so that a page goes on at the right place while records come and go.
 */
export async function listRecords(sql: Sql, request: ListRequest): Promise<RecordPage> {
  const { object, limit } = request;
  const statement = createStatement();
  const keys = sortKeys(request);
  const backwards = request.before !== undefined;
  const cursor = request.after ?? request.before;
  const matching = whereSql(statement, request);
  const beyond =
    cursor === undefined
      ? "true"
      : beyondSql(statement, backwards ? keys.map(reversed) : keys, decodeCursor(cursor, keys.length));
  const order = (backwards ? keys.map(reversed) : keys)
    .map(({ sql: expression, direction, nulls }) => `${expression} ${direction} nulls ${nulls}`)
    .join(", ");
  const values = keys.map((key) => `(${key.sql})::text`).join(", ");
  const text = `select (select count(*) from ${object.table} t where ${matching}) as total,
      (select coalesce(jsonb_agg(jsonb_build_object('record', p.record, 'cursor', p.cursor) order by p.position), '[]'::jsonb) from (
        select ${recordJson(object, "t")} as record, jsonb_build_array(${values}) as cursor, row_number() over (order by ${order}) as position
        from ${object.table} t where ${matching} and ${beyond} order by ${order} limit ${statement.param(limit + 1, "integer")}
      ) p) as page`;
  const found = await readPage(sql, statement.query(text), cursor !== undefined);
  const more = found.page.length > limit;
  const page = found.page.slice(0, limit);
  if (backwards) page.reverse();
  const [first, last] = [page[0], page.at(-1)];
  return {
    records: page.map(({ record }) => record),
    total: found.total,
    hasNext: backwards ? true : more,
    hasPrevious: backwards ? more : request.after !== undefined,
    startCursor: first === undefined ? null : encodeCursor(first.cursor),
    endCursor: last === undefined ? null : encodeCursor(last.cursor),
  };
}

interface Found {
  readonly total: number;
  readonly page: { record: JsonObject; cursor: (string | null)[] }[];
}

async function readPage(sql: Sql, query: ReturnType<Statement["query"]>, hasCursor: boolean): Promise<Found> {
  try {
    const { rows } = await sql.query<Found>(query);
    return rows[0] ?? { total: 0, page: [] };
  } catch (error) {
    // A cursor of another order has values that are not of this order's types.
    if (hasCursor && sqlState(error)?.code.startsWith("22") === true) throw invalidCursor(error);
    throw error;
  }
}

function whereSql(statement: Statement, { where, object, objects, at, deleted }: ListRequest): string {
  const alive = deleted === true ? "true" : "t.deleted_at is null";
  if (where === undefined) return alive;
  const condition =
    typeof where === "function"
      ? where(statement, "t")
      : filterSql(where, { statement, objects, object, alias: "t", at: at ?? "filter", days: "refused" });
  return `${alive} and ${condition}`;
}

/** Of a text: what is beyond is sorted by id, so that a cursor stays short. */
const sortedCharacters = 200;

/** The keys to sort by, and last the id: every order is total. */
function sortKeys({ sort, object }: ListRequest): Key[] {
  const keys = (sort ?? []).map(({ field, direction, nulls }): Key => {
    const target = sortTarget(object, field);
    const sql = target.comparesAs === "text" ? `left(${target.sql}, ${sortedCharacters})` : target.sql;
    return { sql, type: target.type, direction, nulls: nulls ?? "last" };
  });
  return [...keys, { sql: "t.id", type: "uuid", direction: "asc", nulls: "last" }];
}

function sortTarget(object: CrmObject, field: string): Target {
  const target = findTarget(object, field.split("."), "t", "sort");
  if (target.comparesAs === "composite" || target.comparesAs === "list")
    throw new StepError("invalid-sort", `sort: "${field}" has no order; name a sub-field of it.`);
  return target;
}

/** What keeps records from being sorted by a field, if anything does. */
export function faultOfSort(object: CrmObject, field: string): string | undefined {
  try {
    sortTarget(object, field);
    return undefined;
  } catch (error) {
    if (error instanceof StepError) return error.message.replace(/^sort: /, "").replace(/\.$/, "");
    throw error;
  }
}

function reversed(key: Key): Key {
  return {
    ...key,
    direction: key.direction === "asc" ? "desc" : "asc",
    nulls: key.nulls === "first" ? "last" : "first",
  };
}

/** SQL: the records that come after the cursor's in this order. */
function beyondSql(statement: Statement, keys: readonly Key[], values: readonly (string | null)[]): string {
  const alternatives = keys.map((key, position) => {
    const same = keys
      .slice(0, position)
      .map((earlier, i) => `${earlier.sql} is not distinct from ${statement.param(values[i] ?? null, earlier.type)}`);
    return `(${[...same, afterSql(statement, key, values[position] ?? null)].join(" and ")})`;
  });
  return `(${alternatives.join(" or ")})`;
}

function afterSql(statement: Statement, key: Key, value: string | null): string {
  if (value === null) return key.nulls === "first" ? `${key.sql} is not null` : "false";
  const later = `${key.sql} ${key.direction === "asc" ? ">" : "<"} ${statement.param(value, key.type)}`;
  return key.nulls === "last" ? `(${later} or ${key.sql} is null)` : later;
}

function encodeCursor(values: readonly (string | null)[]): string {
  return Buffer.from(JSON.stringify(values)).toString("base64url");
}

function decodeCursor(cursor: string, length: number): (string | null)[] {
  try {
    const values: Json = JSON.parse(Buffer.from(cursor, "base64url").toString("utf8"));
    if (Array.isArray(values) && values.length === length && values.every(isKey)) return values;
  } catch (error) {
    throw invalidCursor(error);
  }
  throw invalidCursor();
}

function isKey(value: Json): value is string | null {
  return value === null || typeof value === "string";
}

function invalidCursor(cause?: unknown): StepError {
  return new StepError(
    "invalid-cursor",
    "The cursor is not one of this list with this order. Use endCursor or startCursor of the page before.",
    { cause },
  );
}
