import { mostDepth } from "../limits.ts";

/** What a function returned that is no JSON; the sentence names the path. */
export class ResultFault extends Error {
  override readonly name = "ResultFault";
}

/** Where a value lies in the result: keys from the inside out. */
interface Place {
  readonly key: string | number;
  readonly within: Place | undefined;
}

/** The result as JSON. Nothing is lost on the way: what JSON cannot hold is a fault. Throws ResultFault. */
export function toJson(value: unknown): string {
  check(value, undefined, []);
  return JSON.stringify(value);
}

function check(value: unknown, place: Place | undefined, above: readonly object[]): void {
  switch (typeof value) {
    case "string":
      return checkText(value, place);
    case "boolean":
      return;
    case "number":
      if (!Number.isFinite(value)) throw fault(place, `is ${value}, which JSON cannot hold`);
      return;
    case "object":
      if (value !== null) checkObject(value, place, above);
      return;
    case "undefined":
      if (place !== undefined) throw fault(place, "is undefined; leave the key out, or write null");
      throw new ResultFault("The function returned nothing: return a value, or null.");
    case "bigint":
      throw fault(place, "is a BigInt; write String(…), or Number(…) where it fits");
    case "function":
    case "symbol":
      throw fault(place, `is a ${typeof value}, which JSON cannot hold`);
  }
}

function checkObject(value: object, place: Place | undefined, above: readonly object[]): void {
  if (above.includes(value)) throw fault(place, "is an object that it lies in itself");
  if (above.length === mostDepth) throw fault(place, `lies more than ${mostDepth} levels deep`);
  const within = [...above, value];
  if (Array.isArray(value)) {
    // By number, since holes are undefined too.
    for (let index = 0; index < value.length; index++) check(value[index], { key: index, within: place }, within);
    return;
  }
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw fault(place, "is an invalid Date");
    return;
  }
  const kind = unusable.find((known) => value instanceof known)?.name ?? viewName(value);
  if (kind !== undefined) throw fault(place, `is a ${kind}; give a list or a plain object`);
  if ("toJSON" in value && typeof value.toJSON === "function") return check(value.toJSON(), place, within);
  for (const key of Object.keys(value)) {
    checkText(key, { key, within: place });
    check(Reflect.get(value, key), { key, within: place }, within);
  }
}

/** What JSON.stringify makes an empty object of, without a word. */
const unusable = [Map, Set, WeakMap, WeakSet, WeakRef, Promise, RegExp, Error, ArrayBuffer] as const;

function viewName(value: object): string | undefined {
  return ArrayBuffer.isView(value) ? value.constructor.name : undefined;
}

function checkText(text: string, place: Place | undefined): void {
  if (text.includes("\u0000")) throw fault(place, "holds a NUL character, which cannot be kept");
  if (!text.isWellFormed()) throw fault(place, "holds half of a surrogate pair, which is no text");
}

function fault(place: Place | undefined, message: string): ResultFault {
  return new ResultFault(`${write(place)} ${message}.`);
}

function write(place: Place | undefined): string {
  if (place === undefined) return "result";
  const { key, within } = place;
  if (typeof key === "number") return `${write(within)}[${key}]`;
  return /^[A-Za-z_$][\w$]*$/.test(key)
    ? `${write(within)}.${key}`
    : `${write(within)}[${JSON.stringify(key.slice(0, 100))}]`;
}
