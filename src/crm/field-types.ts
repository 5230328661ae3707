import type { Json } from "../json.ts";
import { compositeShapes, emptyComposite, parseComposite, type CompositeShape, type SubField } from "./composites.ts";
import {
  parseBoolean,
  parseId,
  parseMoment,
  parseNumber,
  parseOption,
  parseText,
  type SelectOption,
} from "./plain-values.ts";

/** What reading a value depends on besides its type. */
export interface Reading {
  /** Of a select. */
  readonly options: readonly SelectOption[];
  /** IANA zone of moments that name no offset. */
  readonly timeZone: string;
}

/** How values of a type are read, stored and shown; `filter.ts` has how they are compared. */
export interface FieldTypeInfo {
  /** Postgres type of the column. */
  readonly column: string;
  /** How conditions and sorting see it. A composite is seen by its sub-fields. */
  readonly comparesAs: "text" | "number" | "boolean" | "moment" | "uuid" | "composite";
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
  NUMBER: { ...plain, column: "double precision", comparesAs: "number", parse: parseNumber },
  BOOLEAN: { ...plain, column: "boolean", comparesAs: "boolean", parse: parseBoolean },
  DATE_TIME: {
    ...plain,
    column: "timestamptz(3)",
    comparesAs: "moment",
    json: (column) => `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`,
    parse: (value, { timeZone }) => parseMoment(value, timeZone),
  },
  SELECT: { ...plain, column: "text", comparesAs: "text", parse: (value, { options }) => parseOption(value, options) },
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
