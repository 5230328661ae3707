import { isJsonObject, type Json } from "../../json.ts";

/** What an expression works on: JSON, or undefined for a value that is not there. */
export type Value = Json | undefined;

/** A fault of one filter or path while evaluating; the caller adds the place. */
export class ValueFault extends Error {
  override readonly name = "ValueFault";
}

/** What kind of value this is, for sentences. */
export function kindOf(value: Value): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "an object";
  if (typeof value === "boolean") return "true or false";
  return typeof value === "number" ? "a number" : "text";
}

const hidden = new Set(["__proto__", "constructor", "prototype"]);

/** One step down, own properties only: undefined where there is none. */
export function property(value: Value, key: string | number): Value {
  if (Array.isArray(value)) {
    const position = typeof key === "number" ? key : /^\d+$/.test(key) ? Number(key) : -1;
    return value[position];
  }
  if (!isJsonObject(value as Json) || value === undefined || value === null) return undefined;
  const name = String(key);
  return !hidden.has(name) && Object.hasOwn(value as object, name)
    ? (value as { [key: string]: Json })[name]
    : undefined;
}

export function text(value: Value, filter: string): string {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  throw new ValueFault(`${filter} takes text, but got ${kindOf(value)}`);
}

export function list(value: Value, filter: string): Json[] {
  if (Array.isArray(value)) return value;
  throw new ValueFault(`${filter} takes a list, but got ${kindOf(value)}`);
}

/** Whole numbers beyond 2⁵³ become text, exactly; others a number. */
export function exactNumber(value: bigint): Json {
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)
    ? Number(value)
    : value.toString();
}

/** Text that is a number, and numbers. Integers too large for a number stay exact as bigint. */
export function number(value: Value, filter: string): number | bigint {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  if (typeof value === "string" && /^-?\d{1,400}$/.test(value)) {
    const exact = BigInt(value);
    return typeof exactNumber(exact) === "number" ? Number(exact) : exact;
  }
  throw new ValueFault(
    `${filter} takes a number, but got ${typeof value === "string" ? `the text ${JSON.stringify(value.slice(0, 40))}` : kindOf(value)}`,
  );
}

/** The same JSON value, whatever the order of keys. */
export function sameJson(a: Value, b: Value): boolean {
  if (a === b) return true;
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((item, i) => sameJson(item, b[i]));
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null || Array.isArray(b)) return false;
  if (a === undefined || b === undefined) return false;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && sameJson(a[key], b[key]))
  );
}
