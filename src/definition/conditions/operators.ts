import { Temporal } from "temporal-polyfill";
import { z } from "zod";
import type { Json } from "../../json.ts";
import { readDate, type DateValue } from "../expressions/dates.ts";
import { kindOf, number, sameJson, ValueFault } from "../expressions/values.ts";
import type { Operator } from "../conditions.ts";

/** What comparing needs besides the two values. */
export interface Comparing {
  readonly timeZone: string;
  readonly now: Date;
  /** E-mails, domains and the like compare without case. */
  readonly ignoreCase?: boolean;
}

/** Whether `left operator right` holds. Throws ValueFault where the two cannot be compared. */
export function matches(left: Json, operator: Operator, right: Json, comparing: Comparing): boolean {
  switch (operator) {
    case "equals":
      return equal(left, right, comparing);
    case "notEquals":
      return !equal(left, right, comparing);
    case "greaterThan":
      return ordered(left, right, comparing, (order) => order > 0);
    case "greaterThanOrEqual":
      return ordered(left, right, comparing, (order) => order >= 0);
    case "lessThan":
      return ordered(left, right, comparing, (order) => order < 0);
    case "lessThanOrEqual":
      return ordered(left, right, comparing, (order) => order <= 0);
    case "contains":
      return contains(left, right, comparing);
    case "notContains":
      return !contains(left, right, comparing);
    case "startsWith":
      return part(left, right, "startsWith", comparing, (whole, piece) => whole.startsWith(piece));
    case "endsWith":
      return part(left, right, "endsWith", comparing, (whole, piece) => whole.endsWith(piece));
    case "in":
      return items(right, "in").some((item) => equal(left, item, comparing));
    case "notIn":
      return !items(right, "notIn").some((item) => equal(left, item, comparing));
    case "isEmpty":
      return isEmpty(left);
    case "isNotEmpty":
      return !isEmpty(left);
    case "inLast":
      return within(left, right, "inLast", comparing);
    case "inNext":
      return within(left, right, "inNext", comparing);
  }
}

/** Null, empty text, an empty list, an object of nothing. */
export function isEmpty(value: Json): boolean {
  if (value === null || value === "") return true;
  if (Array.isArray(value)) return value.length === 0;
  return typeof value === "object" && Object.values(value).every((part) => part === null || part === "");
}

function fold(value: Json, comparing: Comparing): Json {
  return typeof value === "string" ? foldText(value, comparing) : value;
}

function foldText(text: string, { ignoreCase }: Comparing): string {
  return ignoreCase === true ? text.toLowerCase() : text;
}

function equal(left: Json, right: Json, comparing: Comparing): boolean {
  const [a, b] = [fold(left, comparing), fold(right, comparing)];
  if (sameJson(a, b)) return true;
  if (typeof a === "string" && typeof b === "string") {
    const dates = bothDates(a, b, comparing);
    return dates !== undefined && orderOfDates(...dates) === 0;
  }
  return isNumberPair(a, b) && orderOfNumbers(a, b) === 0;
}

/** Below, at or above 0 as left orders before, with or after right; null where one of them is null. */
export function compare(left: Json, right: Json, comparing: Comparing): number | null {
  if (left === null || right === null) return null;
  const [a, b] = [fold(left, comparing), fold(right, comparing)];
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (isNumberPair(a, b)) return orderOfNumbers(a, b);
  if (typeof a === "string" && typeof b === "string") {
    const dates = bothDates(a, b, comparing);
    if (dates !== undefined) return orderOfDates(...dates);
    return a < b ? -1 : a > b ? 1 : 0;
  }
  if (typeof a === "boolean" && typeof b === "boolean") return Number(a) - Number(b);
  throw new ValueFault(`${kindOf(left)} and ${kindOf(right)} have no order`);
}

function ordered(left: Json, right: Json, comparing: Comparing, holds: (order: number) => boolean): boolean {
  const order = compare(left, right, comparing);
  return order !== null && holds(order);
}

const numeric = /^-?\d+(\.\d+)?$/;

/** A number beside text that is a number; two integers too large for a number stay exact. */
function isNumberPair(a: Json, b: Json): boolean {
  const isNumeric = (value: Json): boolean =>
    typeof value === "number" || (typeof value === "string" && numeric.test(value));
  return isNumeric(a) && isNumeric(b) && (typeof a === "number" || typeof b === "number" || isLong(a) || isLong(b));
}

function isLong(value: Json): boolean {
  return typeof value === "string" && /^-?\d{16,}$/.test(value);
}

function orderOfNumbers(a: Json, b: Json): number {
  const read = (value: Json): number | bigint =>
    typeof value === "string" && value.includes(".") ? Number(value) : number(value, "comparing");
  const [x, y] = [read(a), read(b)];
  return x < y ? -1 : x > y ? 1 : 0;
}

/** Both as days or both as moments; undefined when one is no date. A day beside a moment is an error. */
function bothDates(a: string, b: string, { timeZone }: Comparing): [DateValue, DateValue] | undefined {
  if (!/^\d{4}-\d{2}-\d{2}/.test(a) || !/^\d{4}-\d{2}-\d{2}/.test(b)) return undefined;
  const [x, y] = [readDate(a, timeZone), readDate(b, timeZone)];
  if (x === undefined || y === undefined) return undefined;
  if ("day" in x !== "day" in y)
    throw new ValueFault(
      `the date ${"day" in x ? a : b} and the moment ${"day" in x ? b : a} cannot be compared; use start_of_day`,
    );
  return [x, y];
}

function orderOfDates(a: DateValue, b: DateValue): number {
  if ("day" in a && "day" in b) return Temporal.PlainDate.compare(a.day, b.day);
  if ("moment" in a && "moment" in b) return Temporal.Instant.compare(a.moment.toInstant(), b.moment.toInstant());
  return 0;
}

function contains(left: Json, right: Json, comparing: Comparing): boolean {
  if (left === null) return false;
  if (Array.isArray(left)) return left.some((item) => equal(item, right, comparing));
  return part(left, right, "contains", comparing, (whole, piece) => whole.includes(piece));
}

function part(
  left: Json,
  right: Json,
  operator: string,
  comparing: Comparing,
  holds: (whole: string, piece: string) => boolean,
): boolean {
  if (left === null || right === null) return false;
  if (typeof left !== "string" || (typeof right !== "string" && typeof right !== "number")) {
    throw new ValueFault(
      `${operator} looks for text in text${operator === "contains" ? " or an item in a list" : ""}, but got ${kindOf(left)} and ${kindOf(right)}`,
    );
  }
  return holds(foldText(left, comparing), foldText(String(right), comparing));
}

function items(value: Json, operator: string): Json[] {
  if (Array.isArray(value)) return value;
  throw new ValueFault(`${operator} takes a list, but got ${kindOf(value)}`);
}

/** `{ days: 7 }` and the like: one unit, a whole count of at least one. */
export const spanSchema = z
  .partialRecord(z.enum(["minutes", "hours", "days", "weeks", "months"]), z.number().int().min(1).max(100_000))
  .refine((span) => Object.keys(span).length === 1, "a span names one unit, such as { days: 7 }");

export type Span = z.output<typeof spanSchema>;

function within(left: Json, right: Json, operator: "inLast" | "inNext", { timeZone, now }: Comparing): boolean {
  const span = spanSchema.safeParse(right);
  if (!span.success) throw new ValueFault(`${operator} takes a span such as { days: 7 }`);
  if (left === null) return false;
  const date = typeof left === "string" ? readDate(left, timeZone) : undefined;
  if (date === undefined) throw new ValueFault(`${operator} looks at a date, but got ${kindOf(left)}`);
  const moment = "day" in date ? date.day.toZonedDateTime(timeZone) : date.moment;
  const here = Temporal.Instant.fromEpochMilliseconds(now.getTime()).toZonedDateTimeISO(timeZone);
  const duration = Temporal.Duration.from(definedSpan(span.data));
  const [from, to] = operator === "inLast" ? [here.subtract(duration), here] : [here, here.add(duration)];
  return Temporal.ZonedDateTime.compare(moment, from) >= 0 && Temporal.ZonedDateTime.compare(moment, to) <= 0;
}

function definedSpan(span: Span): { [unit: string]: number } {
  return Object.fromEntries(Object.entries(span).filter((entry): entry is [string, number] => entry[1] !== undefined));
}
