import { isJsonObject, type Json, type JsonObject } from "../json.ts";
import { isUuid } from "../ids.ts";

/** What is wrong with a value for a field; the caller adds which field. */
export class FieldFault extends Error {
  override readonly name = "FieldFault";
}

/** Part of a composite field. */
export interface SubField {
  readonly kind: "text" | "number" | "integer" | "list";
  /** What it holds while nobody has set it. */
  readonly empty: Json;
}

/** How values of a type are stored, compared and shown. */
export interface FieldTypeInfo {
  /** Postgres type of the column. */
  readonly column: string;
  /** How conditions and sorting see it. A composite is seen by its sub-fields. */
  readonly comparesAs: "text" | "number" | "boolean" | "moment" | "uuid" | "composite";
  readonly subFields?: Readonly<Record<string, SubField>>;
  /** A composite's sub-field that is meant when only the field is named, e.g. for a unique constraint. */
  readonly main?: string;
  /** SQL: the column as JSON. */
  json(column: string): string;
  /** The value to store. Throws FieldFault. For a composite: the sub-fields that were named. */
  parse(value: Json, settings: JsonObject): Json;
}

const plain = (column: string): string => `to_jsonb(${column})`;

function text(value: Json): string {
  if (typeof value !== "string") throw new FieldFault(`takes text, but got ${describe(value)}`);
  return checkText(value);
}

function checkText(value: string): string {
  if (value.includes("\u0000")) throw new FieldFault("holds a NUL character, which text cannot have");
  if (!value.isWellFormed()) throw new FieldFault("holds half a character (a lone surrogate)");
  if (value.length > 1_048_576) throw new FieldFault("is longer than 1 MiB");
  return value;
}

function finiteNumber(value: Json): number {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw new FieldFault(`takes a number, but got ${describe(value)}`);
}

/** Whole numbers, exactly: text where they are past 2⁵³. */
function integer(value: Json): Json {
  if (typeof value === "number" && Number.isSafeInteger(value)) return value;
  if (typeof value === "string" && /^-?\d{1,38}$/.test(value)) {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }
  throw new FieldFault(`takes a whole number, but got ${describe(value)}`);
}

function moment(value: Json): string {
  const shape = /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?$/;
  if (typeof value !== "string" || !shape.test(value))
    throw new FieldFault(`takes a date and time such as 2026-03-29T10:00:00Z, but got ${describe(value)}`);
  const hasZone = /(Z|[+-]\d{2}:?\d{2})$/.test(value.slice(10));
  const date = new Date(value.length === 10 ? `${value}T00:00:00Z` : hasZone ? value : `${value}Z`);
  const year = date.getUTCFullYear();
  if (!(year >= 1900 && year < 2200))
    throw new FieldFault(`takes a moment between 1900 and 2200, but got ${describe(value)}`);
  return date.toISOString();
}

export function describe(value: Json): string {
  const written = JSON.stringify(value);
  return written.length > 60 ? `${written.slice(0, 57)}…` : written;
}

function composite(subFields: Readonly<Record<string, SubField>>, main?: string): FieldTypeInfo {
  return {
    column: "jsonb",
    comparesAs: "composite",
    subFields,
    ...(main === undefined ? {} : { main }),
    json: (column) => column,
    parse(value) {
      if (!isJsonObject(value))
        throw new FieldFault(`takes an object with ${Object.keys(subFields).join(", ")}, but got ${describe(value)}`);
      return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, parsePart(key, part)]));
    },
  };

  function parsePart(key: string, value: Json): Json {
    const sub = Object.hasOwn(subFields, key) ? subFields[key] : undefined;
    if (sub === undefined)
      throw new FieldFault(`has no sub-field "${key}"; it has ${Object.keys(subFields).join(", ")}`);
    if (value === null) return sub.empty;
    try {
      if (sub.kind === "text") return text(value);
      if (sub.kind === "integer") return integer(value);
      if (sub.kind === "number") return finiteNumber(value);
    } catch (error) {
      throw error instanceof FieldFault ? new FieldFault(`.${key} ${error.message}`) : error;
    }
    if (!Array.isArray(value)) throw new FieldFault(`.${key} takes a list, but got ${describe(value)}`);
    checkText(JSON.stringify(value).replaceAll("\\u0000", "\u0000"));
    return value;
  }
}

const textPart: SubField = { kind: "text", empty: "" };
const listPart: SubField = { kind: "list", empty: [] };

/** Every type of field. Composite ones are jsonb, with all their sub-fields always there. */
export const fieldTypes = {
  TEXT: { column: "text", comparesAs: "text", json: plain, parse: text },
  NUMBER: { column: "double precision", comparesAs: "number", json: plain, parse: finiteNumber },
  BOOLEAN: {
    column: "boolean",
    comparesAs: "boolean",
    json: plain,
    parse(value) {
      if (typeof value !== "boolean") throw new FieldFault(`takes true or false, but got ${describe(value)}`);
      return value;
    },
  },
  DATE_TIME: {
    column: "timestamptz(3)",
    comparesAs: "moment",
    json: (column) => `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`,
    parse: moment,
  },
  SELECT: {
    column: "text",
    comparesAs: "text",
    json: plain,
    parse(value, settings) {
      const options = optionsOf(settings);
      const found = options.find((option) => option.value === value);
      if (found !== undefined) return found.value;
      const labelled = options.find((option) => option.label === value);
      const meant =
        labelled === undefined
          ? `; it has ${options.map((option) => option.value).join(", ")}`
          : `; did you mean "${labelled.value}"?`;
      throw new FieldFault(`has no option ${describe(value)}${meant}`);
    },
  },
  RELATION: {
    column: "uuid",
    comparesAs: "uuid",
    json: plain,
    parse(value) {
      if (typeof value !== "string" || !isUuid(value))
        throw new FieldFault(`takes the id of a record, but got ${describe(value)}`);
      return value.toLowerCase();
    },
  },
  POSITION: { column: "double precision", comparesAs: "number", json: plain, parse: finiteNumber },
  FULL_NAME: composite({ firstName: textPart, lastName: textPart }),
  EMAILS: composite({ primaryEmail: textPart, additionalEmails: listPart }, "primaryEmail"),
  PHONES: composite(
    {
      primaryPhoneNumber: textPart,
      primaryPhoneCountryCode: textPart,
      primaryPhoneCallingCode: textPart,
      additionalPhones: listPart,
    },
    "primaryPhoneNumber",
  ),
  LINKS: composite(
    { primaryLinkLabel: textPart, primaryLinkUrl: textPart, secondaryLinks: listPart },
    "primaryLinkUrl",
  ),
  CURRENCY: composite({ amountMicros: { kind: "integer", empty: null }, currencyCode: textPart }),
  ADDRESS: composite({
    addressStreet1: textPart,
    addressStreet2: textPart,
    addressCity: textPart,
    addressPostcode: textPart,
    addressState: textPart,
    addressCountry: textPart,
    addressLat: { kind: "number", empty: null },
    addressLng: { kind: "number", empty: null },
  }),
  RICH_TEXT: composite({ blocknote: { kind: "text", empty: null }, markdown: textPart }),
  ACTOR: composite({ source: textPart, workspaceMemberId: { kind: "text", empty: null }, name: textPart }),
} as const satisfies Record<string, FieldTypeInfo>;

export type FieldType = keyof typeof fieldTypes;

export interface SelectOption {
  readonly value: string;
  readonly label: string;
}

export function optionsOf(settings: JsonObject): SelectOption[] {
  const options = settings["options"];
  return Array.isArray(options) ? (options as unknown as SelectOption[]) : [];
}

/** What a composite holds while nobody has set it. */
export function emptyComposite(type: FieldType): JsonObject {
  const { subFields } = fieldTypes[type] as FieldTypeInfo;
  return Object.fromEntries(Object.entries(subFields ?? {}).map(([key, sub]) => [key, sub.empty]));
}
