import { isWithin } from "../../definition/conditions/spans.ts";
import type { Operator } from "../../definition/conditions.ts";
import { compareDecimals, readDecimal, type Decimal } from "../../definition/expressions/decimals.ts";
import { sameJson } from "../../definition/expressions/values.ts";
import { isJsonObject, type Json } from "../../json.ts";
import type { Place } from "./place.ts";

/** A record's value beside the wanted one, which was read for the place. */
export interface Compared {
  readonly value: Json;
  readonly wanted: Json;
  readonly place: Place;
}

/**
 * Whether a value of a record stands so to the wanted one. The same as a filter of records says of it,
 * null included: it holds nothing, and is other than everything.
 */
export function holds(operator: Operator, compared: Compared): boolean {
  switch (operator) {
    case "isEmpty":
      return isEmpty(compared);
    case "isNotEmpty":
      return !isEmpty(compared);
    case "equals":
      return isSame(compared);
    case "notEquals":
      return !isSame(compared);
    case "in":
      return isAmong(compared);
    case "notIn":
      return !isAmong(compared);
    case "contains":
      return containsPart(compared);
    case "notContains":
      return !containsPart(compared);
    case "startsWith":
      return inText(compared, (whole, part) => whole.startsWith(part));
    case "endsWith":
      return inText(compared, (whole, part) => whole.endsWith(part));
    case "greaterThan":
      return isOrdered(compared, (order) => order > 0);
    case "greaterThanOrEqual":
      return isOrdered(compared, (order) => order >= 0);
    case "lessThan":
      return isOrdered(compared, (order) => order < 0);
    case "lessThanOrEqual":
      return isOrdered(compared, (order) => order <= 0);
    case "inLast":
    case "inNext":
      return isInSpan(compared, operator);
  }
}

function isInSpan({ value, wanted, place }: Compared, operator: "inLast" | "inNext"): boolean {
  return isWithin(value, wanted, operator, { timeZone: place.timeZone, now: new Date() });
}

function isEmpty({ value, place: { comparesAs, field } }: Compared): boolean {
  if (value === null) return true;
  if (comparesAs === "text") return value === "";
  if (comparesAs === "list") return Array.isArray(value) && value.length === 0;
  if (comparesAs === "json") return value === "" || (typeof value === "object" && Object.keys(value).length === 0);
  if (comparesAs !== "composite" || !isJsonObject(value)) return false;
  return Object.keys(field?.info.subFields ?? {}).every((sub) => {
    const part = value[sub] ?? null;
    return part === null || part === "" || (Array.isArray(part) && part.length === 0);
  });
}

function isSame({ value, wanted, place }: Compared): boolean {
  if (value === null || wanted === null) return false;
  if (place.comparesAs === "number") return orderOfNumbers(value, wanted) === 0;
  if (place.comparesAs !== "text") return sameJson(value, wanted);
  const own = comparable(value, place);
  return own !== undefined && own === comparable(wanted, place);
}

function isAmong({ value, wanted, place }: Compared): boolean {
  return Array.isArray(wanted) && wanted.some((item) => isSame({ value, wanted: item, place }));
}

function isOrdered({ value, wanted, place }: Compared, fits: (order: number) => boolean): boolean {
  if (value === null || wanted === null) return false;
  if (place.comparesAs === "number") {
    const order = orderOfNumbers(value, wanted);
    return order !== undefined && fits(order);
  }
  if (place.comparesAs === "boolean") return fits(Number(value) - Number(wanted));
  const isText = place.comparesAs === "text";
  const [a, b] = isText ? [comparable(value, place), comparable(wanted, place)] : [value, wanted];
  return typeof a === "string" && typeof b === "string" && fits(orderOfTexts(a, b));
}

function orderOfNumbers(a: Json, b: Json): number | undefined {
  const [x, y] = [decimalOf(a), decimalOf(b)];
  return x === undefined || y === undefined ? undefined : compareDecimals(x, y);
}

/** A number, or text that is one: past what a double holds. */
function decimalOf(value: Json): Decimal | undefined {
  if (typeof value === "number") return readDecimal(String(value));
  return typeof value === "string" ? readDecimal(value) : undefined;
}

/** By the numbers of the characters, as the database orders them. */
function orderOfTexts(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function containsPart(compared: Compared): boolean {
  const { value, wanted, place } = compared;
  if (value === null || wanted === null) return false;
  if (place.comparesAs === "json") return containsJson(value, wanted);
  if (!Array.isArray(value)) return inText(compared, (whole, part) => whole.includes(part));
  const [items, item] = place.compares === "exactly" ? [value, wanted] : [folded(value), folded(wanted)];
  const isItem = place.isWhole ? sameJson : containsJson;
  return Array.isArray(items) && items.some((each) => isItem(each, item));
}

/** Every text in it in lower case. */
function folded(value: Json): Json {
  return JSON.parse(JSON.stringify(value).toLowerCase()) as Json;
}

/** Whether JSON has all that the part has, at the same places; items of a list anywhere in it. */
function containsJson(whole: Json, part: Json): boolean {
  if (Array.isArray(whole)) {
    const parts = Array.isArray(part) ? part : [part];
    return parts.every((item) => whole.some((each) => hasPart(each, item)));
  }
  if (!isJsonObject(whole) || !isJsonObject(part)) return sameJson(whole, part);
  return Object.entries(part).every(([key, item]) => Object.hasOwn(whole, key) && hasPart(whole[key] ?? null, item));
}

function hasPart(own: Json, item: Json): boolean {
  return sameJson(own, item) || (typeof item === "object" && item !== null && containsJson(own, item));
}

function inText({ value, wanted, place }: Compared, finds: (whole: string, part: string) => boolean): boolean {
  if (typeof value !== "string" || typeof wanted !== "string") return false;
  return place.compares === "exactly" ? finds(value, wanted) : finds(value.toLowerCase(), wanted.toLowerCase());
}

const domain = /^\s*([a-z][a-z0-9+.-]*:\/\/)?(www\.(?=[^/?#:]*\.))?([^/?#:]*)[^]*$/;
const around = /^[ .\t\r\n]+|[ .\t\r\n]+$/g;

/** A text as it is compared; undefined where it is none: of a domain the host alone, of an e-mail without case. */
function comparable(value: Json, { compares }: Place): string | undefined {
  if (typeof value !== "string") return undefined;
  if (compares === "exactly") return value;
  const lower = value.toLowerCase();
  const compared = compares === "as-domain" ? lower.replace(domain, "$3").replace(around, "") : lower;
  return compared === "" ? undefined : compared;
}
