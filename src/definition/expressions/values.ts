import { isJsonObject, type Json } from "../../json.ts";

/** What an expression works on: JSON, or undefined for a value that is not there. */
export type Value = Json | undefined;

/** A fault of one filter or path while evaluating; the caller adds the place. */
export class ValueFault extends Error {
  override readonly name = "ValueFault";
}

/** A path that gave nothing where nothing stands in; the caller adds what may be done about it there. */
export class MissingFault extends ValueFault {}

/** Longest text that an expression may make (DESIGN.md §7), in bytes of UTF-8. */
export const mostTextBytes = 1_048_576;

/** What kind of value this is, for sentences. */
export function kindOf(value: Value): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "an object";
  if (typeof value === "boolean") return "true or false";
  return typeof value === "number" ? "a number" : "text";
}

const hidden: ReadonlySet<string | number> = new Set(["__proto__", "constructor", "prototype"]);

/** Names that are never read, whether data has them or not. */
export function isHidden(name: string | number): boolean {
  return hidden.has(name);
}

/** One step down, own properties only: undefined where there is none. */
export function property(value: Value, key: string | number): Value {
  if (Array.isArray(value)) {
    const position = typeof key === "number" ? key : /^\d+$/.test(key) ? Number(key) : -1;
    return value[position];
  }
  if (value === undefined || !isJsonObject(value) || isHidden(key)) return undefined;
  return Object.hasOwn(value, key) ? value[key] : undefined;
}

export function text(value: Value, filter: string): string {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  throw new ValueFault(`${filter} takes text, but got ${kindOf(value)}`);
}

export function list(value: Value, filter: string): readonly Json[] {
  if (Array.isArray(value)) return value;
  throw new ValueFault(`${filter} takes a list, but got ${kindOf(value)}`);
}

/** Refuses text that would be too long before it is made. */
export function checkLength(characters: number): void {
  if (characters > mostTextBytes)
    throw new ValueFault("the text is longer than 1 MiB. Pass large values by reference, as exactly one path");
}

/** The text, if its bytes are few enough. */
export function limited(made: string): string {
  checkLength(made.length);
  if (made.length * 3 > mostTextBytes) checkLength(Buffer.byteLength(made));
  return made;
}

/** Whole numbers beyond 2⁵³ become text, exactly; others a number. */
export function exactNumber(value: bigint): Json {
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)
    ? Number(value)
    : value.toString();
}

/** The same JSON value, whatever the order of keys. */
export function sameJson(a: Value, b: Value): boolean {
  if (a === b) return true;
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((item, i) => sameJson(item, b[i]));
  if (a === undefined || b === undefined || !isJsonObject(a) || !isJsonObject(b)) return false;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && sameJson(a[key], b[key]))
  );
}

/** One text for equal JSON values: keys in order. */
export function canonicalJson(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (!isJsonObject(value)) return JSON.stringify(value);
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, part]) => `${JSON.stringify(key)}:${canonicalJson(part)}`).join(",")}}`;
}
