import type { Json } from "../../json.ts";
import type { CrmField } from "../objects.ts";
import { describe, FieldFault } from "../plain-values.ts";
import type { ImportSettings } from "./settings.ts";

/** How numbers and dates are written. */
type Conventions = Pick<ImportSettings, "numbers" | "dates">;

/** What reading a text depends on besides what it is meant to be. */
export interface TextReading {
  readonly field: CrmField;
  readonly conventions: Conventions;
  /** Reads JSON as strictly as a request's body. Throws an error that says what is wrong. */
  parseJson(text: string): Json;
}

/** What a text is meant to be. */
export type TextKind = "text" | "number" | "integer" | "list" | "micros" | CrmField["type"];

/**
 * The value that a cell's text stands for, as the API takes it. What is not of the kind is left to
 * whoever checks the value; faults are of texts that cannot be read. Throws FieldFault.
 */
export function readText(text: string, kind: TextKind, reading: TextReading): Json {
  return readers[kind]?.(text, reading) ?? text;
}

const trimmed = (text: string): string => text.trim();
const double = (text: string, { conventions }: TextReading): number => Number(readDecimal(text, conventions));
const day = (text: string, { conventions }: TextReading): string => readDay(text.trim(), conventions);

/** Kinds that are not their text as it is written. */
const readers: Partial<Record<TextKind, (text: string, reading: TextReading) => Json>> = {
  NUMBER: (text, { conventions }) => toNumber(readDecimal(text, conventions)),
  POSITION: double,
  number: double,
  integer: (text, { conventions }) => readDecimal(text, conventions),
  micros: (text, { conventions }) => toMicros(readDecimal(text, conventions), text),
  BOOLEAN: readBoolean,
  DATE: day,
  DATE_TIME: day,
  SELECT: (text, { field }) => readOption(text.trim(), field),
  RATING: (text) => text.trim().replace(/^[1-5]$/, "RATING_$&"),
  MULTI_SELECT: (text, reading) => readTexts(text, reading).map((item) => readOption(item, reading.field)),
  ARRAY: readItems,
  list: readItems,
  RAW_JSON: readJson,
  UUID: trimmed,
  RELATION: trimmed,
};

const grouped = {
  point: /^[-+]?\d{1,3}(?:(?<mark>[, '’\u00a0\u202f])\d{3})(?:\k<mark>\d{3})*(?:\.\d+)?$/,
  comma: /^[-+]?\d{1,3}(?:(?<mark>[. '’\u00a0\u202f])\d{3})(?:\k<mark>\d{3})*(?:,\d+)?$/,
};
const plain = { point: /^[-+]?\d*(?:\.\d+)?$/, comma: /^[-+]?\d*(?:,\d+)?$/ };

/** A number in digits and a point: without the marks between its thousands. */
function readDecimal(text: string, { numbers }: Conventions): string {
  const written = text.trim();
  if (!/\d/.test(written) || !(plain[numbers].test(written) || grouped[numbers].test(written))) {
    const example = numbers === "point" ? "1,234.50" : "1.234,50";
    throw new FieldFault(`takes a number such as ${example}, but got ${describe(text)}`);
  }
  const decimals = numbers === "point" ? "." : ",";
  const [whole = "", fraction] = written.split(decimals);
  const digits = whole.replaceAll(/[^\d-]/g, "") || "0";
  return fraction === undefined ? digits : `${digits === "-" ? "-0" : digits}.${fraction}`;
}

/** As a number where a double holds all of its digits, else as text, which is taken as exactly. */
function toNumber(digits: string): Json {
  const significant = digits.replaceAll(/[-.]/g, "").replace(/^0+/, "");
  return significant.length > 15 ? digits : Number(digits);
}

/** Millionths, exactly. */
function toMicros(digits: string, text: string): string {
  const [whole = "0", fraction = ""] = digits.replace(/^-/, "").split(".");
  if (/[^0]/.test(fraction.slice(6))) throw new FieldFault(`takes at most 6 decimals, but got ${describe(text)}`);
  const micros = BigInt(`${whole}${fraction.slice(0, 6).padEnd(6, "0")}`);
  return String(digits.startsWith("-") ? -micros : micros);
}

const truths: Readonly<Record<string, boolean>> = {
  true: true,
  yes: true,
  y: true,
  t: true,
  "1": true,
  false: false,
  no: false,
  n: false,
  f: false,
  "0": false,
};

function readBoolean(text: string): boolean {
  const word = text.trim().toLowerCase();
  const truth = Object.hasOwn(truths, word) ? truths[word] : undefined;
  if (truth === undefined) throw new FieldFault(`takes true or false, yes or no, 1 or 0, but got ${describe(text)}`);
  return truth;
}

const dayPattern = /^(\d{1,2})([./-])(\d{1,2})\2(\d{4})(?:[ T,]+(\d{1,2}:\d{2}(?::\d{2})?))?$/;

/** ISO text; dates in the order that the conventions name are turned into it. */
function readDay(text: string, { dates }: Conventions): string {
  const parts = dates === "iso" ? null : dayPattern.exec(text);
  if (parts === null) return text;
  const [, first = "", , second = "", year = "", time] = parts;
  const [day, month] = dates === "day-first" ? [first, second] : [second, first];
  const iso = `${year}-${month.padStart(2, "0")}-${day.padStart(2, "0")}`;
  return time === undefined ? iso : `${iso}T${time.replace(/^\d:/, "0$&")}`;
}

/** An option by its value, or by its label in any case. */
function readOption(text: string, { reading }: CrmField): string {
  const { options } = reading;
  if (options.some(({ value }) => value === text)) return text;
  const wanted = text.toLowerCase();
  return options.find(({ label }) => label.toLowerCase() === wanted)?.value ?? text;
}

/** A list of texts: as JSON, or divided by semicolons. */
function readTexts(text: string, reading: TextReading): string[] {
  const items = readItems(text, reading);
  const strange = items.find((item) => typeof item !== "string");
  if (strange !== undefined) throw new FieldFault(`takes a list of texts, but has ${describe(strange)}`);
  return items.filter((item) => typeof item === "string");
}

function readItems(text: string, reading: TextReading): Json[] {
  if (!text.trim().startsWith("["))
    return text
      .split(";")
      .map((item) => item.trim())
      .filter((item) => item !== "");
  const value = readJson(text, reading);
  if (Array.isArray(value)) return value;
  throw new FieldFault(`takes a list, but got ${describe(text)}`);
}

function readJson(text: string, { parseJson }: TextReading): Json {
  try {
    return parseJson(text);
  } catch {
    throw new FieldFault(`takes JSON, but got ${describe(text)}`);
  }
}
