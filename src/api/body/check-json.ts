import { at } from "../../errors.ts";
import { isJsonObject, type Json } from "../../json.ts";
import { malformed } from "./malformed.ts";

const maxDepth = 64;
const maxValues = 100_000;
const halfSurrogate = /\p{Surrogate}/u;

/**
 * That a parsed document is JSON which can be stored and passed on: nested at most 64 levels, at most
 * 100,000 values, finite numbers, text without NUL (which Postgres cannot keep) and without half
 * surrogate pairs, no key that would reach a prototype. Walks without recursion. Throws a 400.
 */
export function checkJson(document: unknown): Json {
  const pending: Place[] = [{ value: document, path: "", depth: 1 }];
  let values = 0;
  for (let place = pending.pop(); place !== undefined; place = pending.pop()) {
    if (++values > maxValues) throw malformed(`The body holds more than ${maxValues} values.`);
    const { value, path, depth } = place;
    if (typeof value === "string") checkText(value, path);
    else if (typeof value === "object" && value !== null) {
      if (depth > maxDepth) throw malformed(`The body is nested more than ${maxDepth} levels deep.`);
      pushChildren(value, place, pending);
    } else if (!isPlain(value)) throw malformed(`${name(path)} is not a JSON value.`);
  }
  // Every value in it has just been seen to be one.
  return document as Json;
}

/** That text can be stored as it is. */
export function checkText(text: string, path: string): void {
  if (text.includes("\0")) throw malformed(`${name(path)} contains a NUL character. Remove it.`);
  if (halfSurrogate.test(text))
    throw malformed(
      `${name(path)} contains half of a surrogate pair, which is no character. Send it as valid Unicode.`,
    );
}

interface Place {
  readonly value: unknown;
  readonly path: string;
  readonly depth: number;
}

function pushChildren(value: object, { path, depth }: Place, pending: Place[]): void {
  if (Array.isArray(value)) {
    value.forEach((item, index) => pending.push({ value: item, path: at(path, index), depth: depth + 1 }));
    return;
  }
  if (!isPlainObject(value)) throw malformed(`${name(path)} is not a JSON value.`);
  for (const [key, item] of Object.entries(value)) {
    checkText(key, path === "" ? "A key" : `A key of ${path}`);
    if (key === "__proto__" || (key === "constructor" && isJsonObject(item) && Object.hasOwn(item, "prototype"))) {
      throw malformed(`${name(at(path, key))} is a key that is never accepted.`);
    }
    pending.push({ value: item, path: at(path, key), depth: depth + 1 });
  }
}

function isPlain(value: unknown): boolean {
  return value === null || typeof value === "boolean" || (typeof value === "number" && Number.isFinite(value));
}

function isPlainObject(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function name(path: string): string {
  return path === "" ? "The body" : path;
}
