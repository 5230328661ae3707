import { Temporal } from "temporal-polyfill";
import type { Json } from "../../json.ts";
import { readDate, type DateValue } from "../expressions/dates.ts";
import { compareDecimals, readDecimal, type Decimal } from "../expressions/decimals.ts";
import { kindOf, sameJson, ValueFault } from "../expressions/values.ts";

/** What comparing needs besides the two values. */
export interface Comparing {
  readonly timeZone: string;
  readonly now: Date;
  /** E-mails, domains and the like compare without case. */
  readonly ignoreCase?: boolean;
}

/** Whether two values are the same: the same JSON, the same number beside its text, the same moment. */
export function areEqual(left: Json, right: Json, comparing: Comparing): boolean {
  if (sameJson(left, right)) return true;
  if (typeof left === "string" && typeof right === "string") {
    const dates = bothDates(left, right, comparing);
    if (dates !== undefined) return orderOfDates(...dates) === 0;
    return fold(left, comparing) === fold(right, comparing);
  }
  const numbers = bothNumbers(left, right);
  return numbers !== undefined && compareDecimals(...numbers) === 0;
}

/**
 * Below, at or above 0 as left orders before, with or after right; null where one of them is null,
 * which orders with nothing. Throws ValueFault where the two have no order.
 */
export function orderOf(left: Json, right: Json, comparing: Comparing): number | null {
  if (left === null || right === null) return null;
  const numbers = bothNumbers(left, right);
  if (numbers !== undefined) return compareDecimals(...numbers);
  if (typeof left === "string" && typeof right === "string") {
    const dates = bothDates(left, right, comparing);
    if (dates !== undefined) return orderOfDates(...dates);
    const [a, b] = [fold(left, comparing), fold(right, comparing)];
    return a < b ? -1 : a > b ? 1 : 0;
  }
  throw new ValueFault(`${describe(left)} and ${describe(right)} have no order`);
}

/** Text as it compares. */
export function fold(text: string, { ignoreCase }: Comparing): string {
  return ignoreCase === true ? text.toLowerCase() : text;
}

function describe(value: Json): string {
  return typeof value === "string" ? `the text ${JSON.stringify(value.slice(0, 40))}` : kindOf(value);
}

/** A number beside text that is one. Of two texts only integers past 2⁵³, which are text because JSON's numbers end there. */
function bothNumbers(a: Json, b: Json): [Decimal, Decimal] | undefined {
  const isNumber = typeof a === "number" || typeof b === "number" || isPastNumbers(a) || isPastNumbers(b);
  if (!isNumber) return undefined;
  const [x, y] = [numberOf(a), numberOf(b)];
  return x === undefined || y === undefined ? undefined : [x, y];
}

function isPastNumbers(value: Json): boolean {
  return typeof value === "string" && /^-?[1-9]\d{15,}$/.test(value);
}

function numberOf(value: Json): Decimal | undefined {
  if (typeof value === "number") return readDecimal(String(value));
  return typeof value === "string" && /^-?\d+(\.\d+)?$/.test(value) ? readDecimal(value) : undefined;
}

/** Both as days or both as moments; undefined when one is no date. */
function bothDates(a: string, b: string, { timeZone }: Comparing): [DateValue, DateValue] | undefined {
  const [x, y] = [readDate(a, timeZone), readDate(b, timeZone)];
  if (x === undefined || y === undefined) return undefined;
  if ("day" in x !== "day" in y) {
    const [day, moment] = "day" in x ? [a, b] : [b, a];
    throw new ValueFault(
      `the date ${day} and the moment ${moment} cannot be compared. Use "| start_of_day" on the date`,
    );
  }
  return [x, y];
}

function orderOfDates(a: DateValue, b: DateValue): number {
  if ("day" in a && "day" in b) return Temporal.PlainDate.compare(a.day, b.day);
  if ("moment" in a && "moment" in b) return Temporal.Instant.compare(a.moment.toInstant(), b.moment.toInstant());
  return 0;
}
