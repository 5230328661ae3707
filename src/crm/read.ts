import type { JsonObject } from "../json.ts";
import { createStatement, sqlState, type Sql, type Statement } from "../sql.ts";
import { countRecords, type Total } from "./count.ts";
import {
  conditionsUpTo,
  decodeCursor,
  encodeCursor,
  invalidCursor,
  orderBy,
  reversed,
  segmentsAfter,
  sortKeys,
  type Cursor,
  type Key,
  type Sort,
} from "./keyset.ts";
import { recordJson, type CrmObject } from "./objects.ts";
import { addRanking } from "./search.ts";
import { matchingSql, restrictionSql, type Selection } from "./selection.ts";

export { faultOfSort, type Sort } from "./keyset.ts";
export type { Selection, Where } from "./selection.ts";

export interface ListRequest extends Selection {
  /** Default: by id, or what was searched for by how well it matches. */
  readonly sort?: readonly Sort[] | undefined;
  readonly limit: number;
  /** Cursor of the record to go on after, or before. */
  readonly after?: string | undefined;
  readonly before?: string | undefined;
}

export interface RecordPage {
  readonly records: JsonObject[];
  /** How many match in all. */
  readonly total: number;
  /** Whether the total was not counted: past 10,000, or where counting would take long. */
  readonly totalIsEstimate: boolean;
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

/** Of what is searched for without an order of its own, so many of the best are listed. */
const mostRanked = 500;

/**
 * A page of records, with the total. Cursors name the last record's sort values and id, so that a page
 * goes on at the right place while records come and go; a deep page costs what the first one does.
 */
export async function listRecords(sql: Sql, request: ListRequest): Promise<RecordPage> {
  const { limit, before } = request;
  const given = request.after ?? before;
  const page = await readPage(sql, request, given);
  const more = page.rows.length > limit;
  const rows = page.rows.slice(0, limit);
  if (before !== undefined) rows.reverse();
  const known = given === undefined && !more ? rows.length : page.total;
  const total: Total =
    known === null ? await countRecords(sql, request, page.rows.length) : { count: known, isEstimate: false };
  const [first, last] = [rows[0], rows.at(-1)];
  return {
    records: rows.map(({ record }) => record),
    total: total.count,
    totalIsEstimate: total.isEstimate,
    hasNext: before === undefined ? more : page.turned,
    hasPrevious: before === undefined ? page.turned : more,
    startCursor: first === undefined ? null : encodeCursor(first.cursor),
    endCursor: last === undefined ? null : encodeCursor(last.cursor),
  };
}

interface Page {
  /** One more than were asked for, where there are more; away from the cursor. */
  readonly rows: { readonly record: JsonObject; readonly cursor: Cursor }[];
  /** Whether there are records at the cursor or on its other side. */
  readonly turned: boolean;
  /** How many match in all, where the page tells. */
  readonly total: number | null;
}

async function readPage(sql: Sql, request: ListRequest, given: string | undefined): Promise<Page> {
  const statement = createStatement();
  const { text, values } = statement.query(pageSql(statement, request, given));
  try {
    // Filters have as many shapes as callers, and the best plan depends on the values: no name keeps one.
    const { rows } = await sql.query<Page>(text, values);
    return rows[0] ?? { rows: [], turned: false, total: 0 };
  } catch (error) {
    // A cursor of another order has values that are not of this order's types.
    if (given !== undefined && sqlState(error)?.code.startsWith("22") === true) throw invalidCursor(error);
    throw error;
  }
}

/** SQL: the page of the request as one row. */
function pageSql(statement: Statement, request: ListRequest, given: string | undefined): string {
  const { object, limit } = request;
  const { keys: forwards, source, matching, total } = orderOf(statement, request);
  const keys = request.before === undefined ? forwards : reversed(forwards);
  const cursor = given === undefined ? undefined : decodeCursor(given, keys.length);
  const most = statement.param(limit + 1, "integer");
  const named = (position: number): string => `s.k${position}`;
  const columns = keys.map(({ sql }, i) => `${sql} as k${i}`).join(", ");
  // A later segment is read only where those before it do not fill the page.
  const segments = segmentsAfter(statement, keys, cursor).map(({ condition, order }, i) => {
    const filled = Array.from({ length: i }, (_, earlier) => `(select count(*) from s${earlier})`);
    const wanted = i === 0 ? "true" : `${filled.join(" + ")} < ${most}`;
    statement.with(
      `s${i}`,
      `select t.id, ${columns} from ${source} t where ${wanted} and ${matching} and ${condition} order by ${order} limit ${most}`,
    );
    return `select * from s${i}`;
  });
  const turned =
    cursor === undefined
      ? ["false"]
      : conditionsUpTo(statement, keys, cursor).map(
          (condition) => `exists (select 1 from ${source} t where ${matching} and ${condition})`,
        );
  const values = keys.map((_, i) => `${named(i)}::text`).join(", ");
  const order = orderBy(keys, named);
  return `select (select coalesce(jsonb_agg(jsonb_build_object('record', ${recordJson(object, "t")}, 'cursor', p.cursor) order by p.position), '[]'::jsonb)
      from (select s.id, jsonb_build_array(${values}) as cursor, row_number() over (order by ${order}) as position
        from (${segments.join(" union all ")}) s order by ${order} limit ${most}) p
      join ${object.table} t on t.id = p.id) as rows,
    (${turned.join(" or ")}) as turned, ${total} as total`;
}

interface Ordered {
  readonly keys: Key[];
  /** SQL: what to select from, with the columns that the keys are made of. */
  readonly source: string;
  readonly matching: string;
  /** SQL: how many match, where that is known already. */
  readonly total: string;
}

function orderOf(statement: Statement, request: ListRequest): Ordered {
  const { object, search, sort = [] } = request;
  if (search === undefined || sort.length > 0)
    return {
      keys: sortKeys(object, sort),
      source: object.table,
      matching: matchingSql(statement, request),
      total: "null",
    };
  const restriction = restrictionSql(statement, request);
  const total = addRanking(statement, object, { search, restriction, most: mostRanked });
  const rank: Key = {
    sql: "t.rank",
    type: "integer",
    direction: "desc",
    nulls: "first",
    nullable: false,
    indexed: false,
  };
  const id: Key = { ...rank, sql: "t.id", type: "uuid", direction: "asc", nulls: "last" };
  return { keys: [rank, id], source: "ranked", matching: "true", total };
}
