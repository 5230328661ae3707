import { isDeepStrictEqual } from "node:util";
import type { Operator, RecordCondition } from "../../../src/definition/conditions.ts";
import { isJsonObject, type Json } from "../../../src/json.ts";
import { asList, composites, contacts, folded, isList, isNothing } from "./values.ts";
import { alive, getKind, valueOf, visibleFields, type Field, type Item, type Kind, type World } from "./world.ts";

/** What a path of a condition or a sort reads of a record. */
export interface Read {
  readonly value: Json;
  readonly as: "text" | "number" | "list" | "json" | "composite" | "plain";
  /** How its text compares. */
  readonly compares: Field["compares"];
  /** Whether empty text is no value: so it is where values must be unique. */
  readonly unique?: boolean;
}

const numbers = new Set(["amountMicros", "addressLat", "addressLng"]);

/** What a field, or a sub-field of it, has in a record. */
export function read(field: Field, item: Item, sub?: string): Read {
  const value = valueOf(item, field);
  const contact = contacts[field.type];
  const key = sub ?? contact?.main;
  if (key !== undefined && isJsonObject(value)) {
    const part = value[key] ?? null;
    if (key === contact?.list) return { value: part, as: "list", compares: field.compares };
    if (numbers.has(key)) return { value: part, as: "number", compares: "exactly" };
    if (key !== contact?.main) return { value: part, as: "text", compares: "exactly" };
    return { value: part, as: "text", compares: field.compares, unique: field.unique };
  }
  const { compares } = field;
  if (composites[field.type] !== undefined) return { value, as: "composite", compares };
  if (field.type === "NUMBER" || field.type === "POSITION") return { value, as: "number", compares };
  if (isList(field)) return { value, as: "list", compares: "exactly" };
  if (field.type === "RAW_JSON") return { value, as: "json", compares };
  const isText = ["TEXT", "SELECT", "RATING"].includes(field.type);
  if (!isText) return { value, as: "plain", compares: "exactly" };
  return { value, as: "text", compares, unique: field.unique };
}

/** Hold where there is nothing: over a relation they say that no related record is otherwise. */
const opposites: Partial<Record<Operator, Operator>> = {
  notEquals: "equals",
  notIn: "in",
  notContains: "contains",
  isEmpty: "isNotEmpty",
};

export function holds(world: World, kind: Kind, { item, where }: { item: Item; where: RecordCondition }): boolean {
  if ("all" in where) return where.all.every((each) => holds(world, kind, { item, where: each }));
  if ("any" in where) return where.any.some((each) => holds(world, kind, { item, where: each }));
  if ("not" in where) return !holds(world, kind, { item, where: where.not });
  return leafHolds(world, kind, { item, leaf: where });
}

type Leaf = Extract<RecordCondition, { field: string }>;

function leafHolds(world: World, kind: Kind, { item, leaf }: { item: Item; leaf: Leaf }): boolean {
  const { field: path, operator, value = null } = leaf;
  const [name = "", ...rest] = path.split(".");
  const fields = visibleFields(world, kind);
  if (name === "id") return compare({ value: item.id, as: "plain", compares: "exactly" }, operator, value);
  const field = fields.find((each) => each.name === name);
  if (field !== undefined) return compare(read(field, item, rest[0]), operator, value);
  const relation = fields.find((each) => each.relation !== undefined && each.name === `${name}Id`);
  if (relation?.relation === undefined) throw new Error(`The model has no ${kind.name}.${path}.`);
  const opposite = opposites[operator];
  if (opposite !== undefined) return !leafHolds(world, kind, { item, leaf: { ...leaf, operator: opposite } });
  const target = getKind(world, relation.relation.target);
  const related = target.items.get(String(valueOf(item, relation)));
  if (related === undefined || related.deleted) return false;
  return leafHolds(world, target, { item: related, leaf: { ...leaf, field: rest.join(".") } });
}

function compare(held: Read, operator: Operator, value: Json): boolean {
  switch (operator) {
    case "isEmpty":
      return isEmpty(held);
    case "isNotEmpty":
      return !isEmpty(held);
    case "equals":
      return equals(held, value);
    case "notEquals":
      return !equals(held, value);
    case "in":
      return asList(value).some((item) => equals(held, item));
    case "notIn":
      return !asList(value).some((item) => equals(held, item));
    case "contains":
      return contains(held, value);
    case "notContains":
      return !contains(held, value);
    case "startsWith":
      return within(held, value, (whole, part) => whole.startsWith(part));
    case "endsWith":
      return within(held, value, (whole, part) => whole.endsWith(part));
    case "greaterThan":
      return ordered(held, value, (order) => order > 0);
    case "greaterThanOrEqual":
      return ordered(held, value, (order) => order >= 0);
    case "lessThan":
      return ordered(held, value, (order) => order < 0);
    case "lessThanOrEqual":
      return ordered(held, value, (order) => order <= 0);
    case "inLast":
      return isNear(held, value, -1);
    case "inNext":
      return isNear(held, value, 1);
  }
}

function isEmpty({ value, as, compares }: Read): boolean {
  if (as === "text") return value === null || (folded({ compares }, String(value)) ?? "") === "";
  if (as === "composite" && isJsonObject(value)) return Object.values(value).every((part) => isNothing(part));
  if (as === "json" && isJsonObject(value)) return Object.keys(value).length === 0;
  return as === "plain" || as === "number" ? value === null : isNothing(value);
}

/** A value as it compares; undefined: with nothing. */
export function comparable({ as, compares, unique }: Read, value: Json): string | bigint | undefined {
  if (value === null || (value === "" && unique === true)) return undefined;
  if (as === "number") return scaled(String(value));
  return as === "text" ? folded({ compares }, String(value)) : String(value);
}

/** A number without an exponent, ten decimals at most, as a whole one. */
function scaled(text: string): bigint {
  const [whole = "0", fraction = ""] = text.split(".");
  return BigInt(`${whole}${fraction.padEnd(10, "0")}`);
}

function equals(held: Read, value: Json): boolean {
  if (held.value === null || value === null) return false;
  if (held.as === "list" || held.as === "json") return isDeepStrictEqual(held.value, value);
  const [left, right] = [comparable(held, held.value), comparable(held, value)];
  return left !== undefined && left === right;
}

function ordered(held: Read, value: Json, is: (order: number) => boolean): boolean {
  const [left, right] = [comparable(held, held.value), comparable(held, value)];
  return left !== undefined && right !== undefined && is(orderOf(left, right));
}

/** Texts by their characters' numbers. */
export function orderOf(a: string | bigint, b: string | bigint): number {
  if (typeof a === "bigint" || typeof b === "bigint") return a < b ? -1 : a > b ? 1 : 0;
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function within(held: Read, value: Json, is: (whole: string, part: string) => boolean): boolean {
  if (held.value === null || value === null) return false;
  const fold = (text: string): string => (held.compares === "exactly" ? text : text.toLowerCase());
  return is(fold(String(held.value)), fold(String(value)));
}

function contains(held: Read, value: Json): boolean {
  if (held.value === null || value === null) return false;
  if (held.as === "text") return within(held, value, (whole, part) => whole.includes(part));
  if (held.as === "json") return holdsJson(held.value, value);
  const fold = (item: Json): string =>
    held.compares === "without-case" ? JSON.stringify(item).toLowerCase() : JSON.stringify(item);
  return asList(held.value).some((item) => fold(item) === fold(value));
}

/** Whether one JSON value holds another: objects by their keys, lists by their items. */
function holdsJson(whole: Json, part: Json): boolean {
  if (Array.isArray(whole))
    return (Array.isArray(part) ? part : [part]).every((item) =>
      whole.some((each) => (Array.isArray(each) === Array.isArray(item) ? holdsJson(each, item) : false)),
    );
  if (isJsonObject(whole) && isJsonObject(part))
    return Object.entries(part).every(([key, value]) => key in whole && holdsJson(whole[key] ?? null, value));
  return isDeepStrictEqual(whole, part);
}

const dayMs = 86_400_000;

/** Whether a moment lies within a span of days from now. Values of the model are far from its ends. */
function isNear(held: Read, value: Json, sign: 1 | -1): boolean {
  if (held.value === null || !isJsonObject(value)) return false;
  const ahead = sign * (Date.parse(String(held.value)) - Date.now());
  return ahead >= 0 && ahead <= Number(value["days"]) * dayMs;
}

/** The words of a record that full-text search looks into. */
export function wordsOf(fields: readonly Field[], item: Item): string[] {
  const texts = fields
    .filter(({ searchable }) => searchable)
    .flatMap((field) => {
      const value = valueOf(item, field);
      return textsIn(field.type === "RICH_TEXT" && isJsonObject(value) ? (value["markdown"] ?? null) : value);
    });
  return plain(texts.join(" ")).match(/[a-z0-9]+/g) ?? [];
}

/** A text without case and accents. */
export function plain(text: string): string {
  return text
    .normalize("NFKD")
    .replaceAll(/[\u0300-\u036f]/g, "")
    .toLowerCase();
}

function textsIn(value: Json): string[] {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(textsIn) : [];
}

/** The living records that match, in the order of their ids. */
export function matching(world: World, kind: Kind, where: RecordCondition): Item[] {
  return alive(kind)
    .filter((item) => holds(world, kind, { item, where }))
    .toSorted((a, b) => (a.id < b.id ? -1 : 1));
}
