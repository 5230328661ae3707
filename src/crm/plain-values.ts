import { readDate } from "../definition/expressions/dates.ts";
import { didYouMean } from "../definition/suggest.ts";
import { isUuid } from "../ids.ts";
import type { Json } from "../json.ts";

/** What is wrong with a value for a field; the caller adds which field. */
export class FieldFault extends Error {
  override readonly name = "FieldFault";
}

/** Puts the place before what is wrong there: `.additionalEmails[1] takes text`. */
export function within<T>(key: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof FieldFault)) throw error;
    const place = key.startsWith("[") ? key : `.${key}`;
    throw new FieldFault(/^[.[]/.test(error.message) ? `${place}${error.message}` : `${place} ${error.message}`);
  }
}

const longestText = 1_048_576;

/** A value as a sentence quotes it. */
export function describe(value: Json): string {
  const written = JSON.stringify(value);
  return written.length > 60 ? `${written.slice(0, 57)}…` : written;
}

export function parseText(value: Json): string {
  if (typeof value !== "string") throw new FieldFault(`takes text, but got ${describe(value)}`);
  if (value.includes("\u0000")) throw new FieldFault("holds a NUL character, which text cannot have");
  if (!value.isWellFormed()) throw new FieldFault("holds half a character (a lone surrogate)");
  if (value.length > longestText) throw new FieldFault("is longer than 1 MiB");
  return value;
}

export function parseNumber(value: Json): number {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw new FieldFault(`takes a number, but got ${describe(value)}`);
}

/** Of a decimal: more before the point, or behind it, is no figure of a business. */
const mostDigits = 38;
/** Zeros around it aside, which may be many but not without end: the pattern tries each of them. */
const longestDecimal = 200;
/** Digits that a double holds for certain. */
const digitsOfDouble = 15;

/**
 * A decimal number, exactly: as text where a double would not hold all of its digits. `decimals`: how
 * many may stand behind the point.
 */
export function parseDecimal(value: Json, decimals: number | undefined): Json {
  const written = typeof value === "number" && Number.isFinite(value) ? writeDouble(value) : value;
  const text = typeof written === "string" ? written.trim() : "";
  const parts = text.length > longestDecimal ? null : /^(-?)0*(\d*)(?:\.(\d*?)0*)?$/.exec(text);
  if (parts === null || text === "") throw new FieldFault(`takes a number, but got ${describe(value)}`);
  const [, sign = "", whole = "", fraction = ""] = parts;
  const isLong = whole.length + fraction.length > digitsOfDouble;
  if (typeof value === "string" && !isLong) throw new FieldFault(`takes a number, but got ${describe(value)}`);
  if (whole.length > mostDigits || fraction.length > mostDigits)
    throw new FieldFault(`takes at most ${mostDigits} digits before and behind the point, but got ${describe(value)}`);
  if (decimals !== undefined && fraction.length > decimals)
    throw new FieldFault(
      decimals === 0
        ? `takes a whole number, but got ${describe(value)}`
        : `takes at most ${decimals} decimals, but got ${describe(value)}`,
    );
  return typeof value === "number" ? value : `${sign}${whole || "0"}${fraction === "" ? "" : `.${fraction}`}`;
}

/** A double in digits, without an exponent. */
export function writeDouble(value: number): string {
  const written = String(value);
  const [, sign = "", whole = "", fraction = "", exponent = "0"] =
    /^(-?)(\d+)(?:\.(\d+))?e([+-]\d+)$/.exec(written) ?? [];
  if (whole === "") return written;
  const digits = whole + fraction;
  const point = whole.length + Number(exponent);
  if (point <= 0) return `${sign}0.${"0".repeat(-point)}${digits}`;
  if (point >= digits.length) return `${sign}${digits.padEnd(point, "0")}`;
  return `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
}

/** Whole numbers, exactly: as text where they are past 2⁵³. */
export function parseInteger(value: Json): Json {
  if (typeof value === "number" && Number.isSafeInteger(value)) return value;
  if (typeof value === "string" && /^-?\d{1,38}$/.test(value)) {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : BigInt(value).toString();
  }
  throw new FieldFault(`takes a whole number, but got ${describe(value)}`);
}

export function parseBoolean(value: Json): boolean {
  if (typeof value !== "boolean") throw new FieldFault(`takes true or false, but got ${describe(value)}`);
  return value;
}

export function parseId(value: Json): string {
  if (typeof value !== "string" || !isUuid(value))
    throw new FieldFault(`takes the id of a record, but got ${describe(value)}`);
  return value.toLowerCase();
}

export function parseUuid(value: Json): string {
  if (typeof value !== "string" || !isUuid(value)) throw new FieldFault(`takes a UUID, but got ${describe(value)}`);
  return value.toLowerCase();
}

/** A day of the calendar. Postgres has no year 0. */
export function parseDay(value: Json): string {
  const date = typeof value === "string" ? readDate(value, "UTC") : undefined;
  if (date === undefined || !("day" in date))
    throw new FieldFault(`takes a day such as 2026-03-29, but got ${describe(value)}`);
  if (date.day.year < 1) throw new FieldFault(`takes a day from 0001-01-01 to 9999-12-31, but got ${describe(value)}`);
  return date.day.toString();
}

/**
 * A moment in milliseconds, as UTC. What names no offset is in the time zone; a day alone is its
 * beginning there.
 */
export function parseMoment(value: Json, timeZone: string): string {
  const date = typeof value === "string" ? readDate(value, timeZone) : undefined;
  if (date === undefined)
    throw new FieldFault(`takes a date and time such as 2026-03-29T10:00:00Z, but got ${describe(value)}`);
  const moment = "day" in date ? date.day.toZonedDateTime(timeZone) : date.moment;
  const { year } = moment.withTimeZone("UTC");
  if (year < 1 || year > 9999)
    throw new FieldFault(`takes a moment in the years 1 to 9999, but got ${describe(value)}`);
  return moment.toInstant().toString({ fractionalSecondDigits: 3 });
}

export interface SelectOption {
  readonly value: string;
  readonly label: string;
}

/** An option by its value. A label is refused, with the value that was meant. */
export function parseOption(value: Json, options: readonly SelectOption[]): string {
  const found = options.find((option) => option.value === value);
  if (found !== undefined) return found.value;
  const word = typeof value === "string" ? value : "";
  const values = options.map((option) => option.value);
  const labelled = options.find((option) => option.label.toLowerCase() === word.toLowerCase());
  const meant =
    labelled === undefined
      ? didYouMean(word, values) || `; it has ${values.join(", ")}`
      : `; did you mean "${labelled.value}"?`;
  throw new FieldFault(`has no option ${describe(value)}${meant}`);
}
