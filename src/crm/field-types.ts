import type { Json } from "../json.ts";
import { compositeShapes, emptyComposite, parseComposite, type CompositeShape, type SubField } from "./composites.ts";
import {
  parseBoolean,
  parseDay,
  parseDecimal,
  parseId,
  parseMoment,
  parseNumber,
  parseOption,
  parseText,
  parseUuid,
  type SelectOption,
} from "./plain-values.ts";
import { parseAnyJson, parseList } from "./structured-values.ts";

/** What reading a value depends on besides its type. */
export interface Reading {
  /** Of a select. */
  readonly options: readonly SelectOption[];
  /** Of a number: digits after the point, at most; undefined: any. */
  readonly decimals?: number | undefined;
  /** IANA zone of moments that name no offset. */
  readonly timeZone: string;
}

/** How values of a type are read, stored and shown; `filter.ts` has how they are compared. */
export interface FieldTypeInfo {
  /** Postgres type of the column. */
  readonly column: string;
  /** How conditions and sorting see it. A composite is seen by its sub-fields. */
  readonly comparesAs: "text" | "number" | "boolean" | "moment" | "day" | "uuid" | "list" | "json" | "composite";
  /** What clearing leaves: null, but for composites and what cannot be null. */
  readonly empty: Json;
  /** Of a composite. */
  readonly subFields?: Readonly<Record<string, SubField>>;
  /** A composite's sub-field that is meant when only the field is named, e.g. for a unique constraint. */
  readonly main?: string;
  readonly overflow?: CompositeShape["overflow"];
  /** SQL: the column as JSON. */
  json(column: string): string;
  /** The value to store. Throws FieldFault. For a composite: the sub-fields that were named. */
  parse(value: Json, reading: Reading): Json;
}

const plain = { empty: null, json: (column: string) => `to_jsonb(${column})` };
const list = { ...plain, column: "text[]", comparesAs: "list" as const, empty: [] as Json[] };

/** SQL: a number, as text where a double would not hold all of its digits; a double's text is the shortest that is it. */
function exactJson(column: string): string {
  const held = `case when ${column} = trunc(${column}) then abs(${column}) <= ${Number.MAX_SAFE_INTEGER} else ${column} = ${column}::float8::text::numeric end`;
  return `case when ${held} then to_jsonb(${column}) else to_jsonb(${column}::text) end`;
}

const ratings = [1, 2, 3, 4, 5].map((stars) => ({ value: `RATING_${stars}`, label: String(stars) }));

function composite(shape: CompositeShape): FieldTypeInfo {
  return {
    ...shape,
    column: "jsonb",
    comparesAs: "composite",
    empty: emptyComposite(shape),
    json: (column) => column,
    parse: (value) => parseComposite(shape, value),
  };
}

/** Every type of field. */
export const fieldTypes = {
  TEXT: { ...plain, column: "text", comparesAs: "text", parse: parseText },
  NUMBER: {
    ...plain,
    column: "numeric",
    comparesAs: "number",
    json: exactJson,
    parse: (value, { decimals }) => parseDecimal(value, decimals),
  },
  BOOLEAN: { ...plain, column: "boolean", comparesAs: "boolean", parse: parseBoolean },
  DATE: {
    ...plain,
    column: "date",
    comparesAs: "day",
    json: (column) => `to_jsonb(to_char(${column}, 'YYYY-MM-DD'))`,
    parse: parseDay,
  },
  DATE_TIME: {
    ...plain,
    column: "timestamptz(3)",
    comparesAs: "moment",
    json: (column) => `to_jsonb(to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))`,
    parse: (value, { timeZone }) => parseMoment(value, timeZone),
  },
  SELECT: { ...plain, column: "text", comparesAs: "text", parse: (value, { options }) => parseOption(value, options) },
  MULTI_SELECT: {
    ...list,
    parse: (value, { options }) => parseList(value, (item) => parseOption(item, options), { distinct: true }),
  },
  ARRAY: { ...list, parse: (value) => parseList(value, parseText) },
  RATING: { ...plain, column: "text", comparesAs: "text", parse: (value) => parseOption(value, ratings) },
  RAW_JSON: { ...plain, column: "jsonb", comparesAs: "json", json: (column) => column, parse: parseAnyJson },
  UUID: { ...plain, column: "uuid", comparesAs: "uuid", parse: parseUuid },
  RELATION: { ...plain, column: "uuid", comparesAs: "uuid", parse: parseId },
  POSITION: { ...plain, column: "double precision", comparesAs: "number", empty: 0, parse: parseNumber },
  FULL_NAME: composite(compositeShapes.FULL_NAME),
  EMAILS: composite(compositeShapes.EMAILS),
  PHONES: composite(compositeShapes.PHONES),
  LINKS: composite(compositeShapes.LINKS),
  CURRENCY: composite(compositeShapes.CURRENCY),
  ADDRESS: composite(compositeShapes.ADDRESS),
  RICH_TEXT: composite(compositeShapes.RICH_TEXT),
  ACTOR: composite(compositeShapes.ACTOR),
} as const satisfies Record<string, FieldTypeInfo>;

export type FieldType = keyof typeof fieldTypes;
