import { StepError } from "../errors.ts";
import { isUuid } from "../ids.ts";
import type { Json } from "../json.ts";
import type { Statement } from "../sql.ts";
import { findTarget } from "./target.ts";
import type { CrmObject } from "./objects.ts";

export interface Sort {
  /** A field, or a composite's sub-field: `name.lastName`. */
  readonly field: string;
  readonly direction: "asc" | "desc";
  /** Where records without a value come; default: last. */
  readonly nulls?: "first" | "last";
}

/** What records are put in order by. */
export interface Key {
  /** SQL over the alias `t`. */
  readonly sql: string;
  /** Postgres type of its values in a cursor. */
  readonly type: string;
  readonly direction: "asc" | "desc";
  readonly nulls: "first" | "last";
  readonly nullable: boolean;
  /** Whether an index begins with it and goes on with the id. */
  readonly indexed: boolean;
}

/** Records that come one after the other in the order, found by one range of an index. */
export interface Segment {
  readonly condition: string;
  /** What orders them among themselves. */
  readonly order: string;
}

/** A place in an order: each key's value, as text. */
export type Cursor = readonly (string | null)[];

/**
 * The keys to sort by, and last the id, so that every order is total. The id goes the way of the key
 * before it: one index then serves both. Throws `invalid-sort` for what has no order.
 */
export function sortKeys(object: CrmObject, sort: readonly Sort[]): Key[] {
  const keys = sort.map(({ field, direction, nulls }): Key => {
    const { order, type } = sortTarget(object, field);
    const { sql, nullable, indexed } = order;
    return { sql, type, nullable, indexed, direction, nulls: nullable ? (nulls ?? "last") : naturalNulls(direction) };
  });
  const direction = keys.at(-1)?.direction ?? "asc";
  const nulls = naturalNulls(direction);
  const id: Key = { sql: "t.id", type: "uuid", direction, nulls, nullable: false, indexed: true };
  const cut = keys.findIndex((key) => key.sql === id.sql);
  return cut === -1 ? [...keys, id] : keys.slice(0, cut + 1);
}

function sortTarget(object: CrmObject, field: string) {
  const target = findTarget(object, field.split("."), "t", "sort");
  if (["composite", "list", "json"].includes(target.comparesAs))
    throw new StepError(
      "invalid-sort",
      `sort: "${field}" has no order${target.comparesAs === "composite" ? "; name a sub-field of it" : ""}.`,
    );
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

/** The same keys the other way round. */
export function reversed(keys: readonly Key[]): Key[] {
  return keys.map((key) => ({
    ...key,
    direction: key.direction === "asc" ? "desc" : "asc",
    nulls: key.nulls === "first" ? "last" : "first",
  }));
}

/** SQL: `order by` these keys; `named`: how a key's value is written, by its position. */
export function orderBy(keys: readonly Key[], named?: (position: number) => string): string {
  return keys.map(({ sql, direction, nulls }, i) => `${named?.(i) ?? sql} ${direction} nulls ${nulls}`).join(", ");
}

/**
 * The records after the cursor, or all, as segments in their order. Where an index serves the first key
 * each is one range of it, however deep the page lies; otherwise there is one segment, for one scan.
 */
export function segmentsAfter(statement: Statement, keys: readonly Key[], cursor: Cursor | undefined): Segment[] {
  const [first] = keys;
  if (first?.indexed !== true)
    return [{ condition: cursor === undefined ? "true" : beyondSql(statement, keys, cursor), order: orderBy(keys) }];
  if (cursor === undefined) return valued(keys, 0, "true");
  if (isOneWay(keys)) return [{ condition: rowsBeyond(statement, keys, cursor), order: naturalOrder(keys, 0) }];
  return keys.flatMap((_, i) => beyondKey(statement, { keys, position: keys.length - 1 - i, cursor }));
}

/** Conditions of which one holds of each record at the cursor or before it. */
export function conditionsUpTo(statement: Statement, keys: readonly Key[], cursor: Cursor): string[] {
  const at = keys.map((key, i) => sameSql(statement, key, cursor[i] ?? null)).join(" and ");
  return [at, ...segmentsAfter(statement, reversed(keys), cursor).map(({ condition }) => condition)];
}

/** With and without a value of the key at `position`, each where the order has them. */
function valued(keys: readonly Key[], position: number, condition: string): Segment[] {
  const key = keys[position];
  if (key?.nullable !== true) return [{ condition, order: naturalOrder(keys, position) }];
  const filled = { condition: `${condition} and ${key.sql} is not null`, order: naturalOrder(keys, position) };
  const empty = { condition: `${condition} and ${key.sql} is null`, order: naturalOrder(keys, position) };
  return key.nulls === "first" ? [empty, filled] : [filled, empty];
}

/**
 * Where the key at `position` has a value throughout, or none throughout: nulls as an index has them, so
 * that it serves. The key is named also where it is null: the index on it is then the way, not the one on ids.
 */
function naturalOrder(keys: readonly Key[], position: number): string {
  const [key, ...rest] = keys.slice(position);
  return key === undefined ? "" : orderBy([{ ...key, nulls: naturalNulls(key.direction) }, ...rest]);
}

/** Where an index that is read in this direction has records without a value. */
function naturalNulls(direction: "asc" | "desc"): "first" | "last" {
  return direction === "asc" ? "last" : "first";
}

/** Whether the keys can be compared as one row. */
function isOneWay(keys: readonly Key[]): boolean {
  return keys.every(({ nullable, direction }) => !nullable && direction === keys[0]?.direction);
}

function rowsBeyond(statement: Statement, keys: readonly Key[], cursor: Cursor): string {
  const values = keys.map(({ type }, i) => statement.param(cursor[i] ?? null, type));
  const sign = keys[0]?.direction === "asc" ? ">" : "<";
  return `(${keys.map(({ sql }) => sql).join(", ")}) ${sign} (${values.join(", ")})`;
}

/** Records that are as the cursor's up to a key, and beyond it by that key. */
function beyondKey(
  statement: Statement,
  { keys, position, cursor }: { keys: readonly Key[]; position: number; cursor: Cursor },
): Segment[] {
  const key = keys[position];
  const value = cursor[position] ?? null;
  if (key === undefined || (value === null && key.nulls === "last")) return [];
  const same = keys.slice(0, position).map((earlier, i) => sameSql(statement, earlier, cursor[i] ?? null));
  const within = same.length === 0 ? "true" : same.join(" and ");
  const order = naturalOrder(keys, position);
  if (value === null) return [{ condition: `${within} and ${key.sql} is not null`, order }];
  const later = { condition: `${within} and ${laterSql(statement, key, value)}`, order };
  if (!key.nullable || key.nulls === "first") return [later];
  return [later, { condition: `${within} and ${key.sql} is null`, order }];
}

function laterSql(statement: Statement, { sql, type, direction }: Key, value: string): string {
  return `${sql} ${direction === "asc" ? ">" : "<"} ${statement.param(value, type)}`;
}

function sameSql(statement: Statement, { sql, type }: Key, value: string | null): string {
  return value === null ? `${sql} is null` : `${sql} = ${statement.param(value, type)}`;
}

/** SQL: the records that come after the cursor's, in one condition. */
function beyondSql(statement: Statement, keys: readonly Key[], cursor: Cursor): string {
  const alternatives = keys.flatMap((_, position) =>
    beyondKey(statement, { keys, position, cursor }).map(({ condition }) => `(${condition})`),
  );
  return alternatives.length === 0 ? "false" : `(${alternatives.join(" or ")})`;
}

/** A place as text. In the order of ids it is the id: clients generated from Twenty's OpenAPI document take no other cursor. */
export function encodeCursor(values: Cursor): string {
  const [id, ...others] = values;
  if (typeof id === "string" && others.length === 0) return id;
  return Buffer.from(JSON.stringify(values)).toString("base64url");
}

/** The values in a cursor. Throws `invalid-cursor` for one that no list of so many keys gave. */
export function decodeCursor(cursor: string, length: number): Cursor {
  if (length === 1 && isUuid(cursor)) return [cursor];
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

export function invalidCursor(cause?: unknown): StepError {
  return new StepError(
    "invalid-cursor",
    "The cursor is not one of this list with this order. Use endCursor or startCursor of the page before.",
    { cause },
  );
}
