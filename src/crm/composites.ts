import { isJsonObject, type Json, type JsonObject } from "../json.ts";
import { describe, FieldFault, parseInteger, parseNumber, parseText, within } from "./plain-values.ts";

/** Part of a composite field. */
export interface SubField {
  readonly kind: "text" | "number" | "integer" | "list";
  /** What it holds while nobody has set it. */
  readonly empty: Json;
  /** Of a list: what its items hold: text, or texts under these keys. */
  readonly items?: "text" | readonly string[];
}

/** Where a composite keeps the values beside its main one, and how the main sub-fields make such an item. */
export interface Overflow {
  readonly list: string;
  /** Item key → sub-field that it is taken from; a text: the item is that sub-field's text. */
  readonly item: string | Readonly<Record<string, string>>;
}

/** A composite's sub-fields, and which of them is meant when only the field is named. */
export interface CompositeShape {
  readonly subFields: Readonly<Record<string, SubField>>;
  readonly main?: string;
  readonly overflow?: Overflow;
}

const text: SubField = { kind: "text", empty: "" };
const unset: SubField = { kind: "text", empty: null };

/** Every composite, as Twenty has it. Stored as jsonb with all its sub-fields always there. */
export const compositeShapes = {
  FULL_NAME: { subFields: { firstName: text, lastName: text } },
  EMAILS: {
    subFields: { primaryEmail: text, additionalEmails: { kind: "list", empty: [], items: "text" } },
    main: "primaryEmail",
    overflow: { list: "additionalEmails", item: "primaryEmail" },
  },
  PHONES: {
    subFields: {
      primaryPhoneNumber: text,
      primaryPhoneCountryCode: text,
      primaryPhoneCallingCode: text,
      additionalPhones: { kind: "list", empty: [], items: ["number", "countryCode", "callingCode"] },
    },
    main: "primaryPhoneNumber",
    overflow: {
      list: "additionalPhones",
      item: {
        number: "primaryPhoneNumber",
        countryCode: "primaryPhoneCountryCode",
        callingCode: "primaryPhoneCallingCode",
      },
    },
  },
  LINKS: {
    subFields: {
      primaryLinkLabel: text,
      primaryLinkUrl: text,
      secondaryLinks: { kind: "list", empty: [], items: ["label", "url"] },
    },
    main: "primaryLinkUrl",
    overflow: { list: "secondaryLinks", item: { label: "primaryLinkLabel", url: "primaryLinkUrl" } },
  },
  CURRENCY: { subFields: { amountMicros: { kind: "integer", empty: null }, currencyCode: text } },
  ADDRESS: {
    subFields: {
      addressStreet1: text,
      addressStreet2: text,
      addressCity: text,
      addressPostcode: text,
      addressState: text,
      addressCountry: text,
      addressLat: { kind: "number", empty: null },
      addressLng: { kind: "number", empty: null },
    },
  },
  RICH_TEXT: { subFields: { blocknote: unset, markdown: text } },
  ACTOR: { subFields: { source: text, workspaceMemberId: unset, name: text } },
} as const satisfies Record<string, CompositeShape>;

/** What a composite holds while nobody has set it. */
export function emptyComposite({ subFields }: CompositeShape): JsonObject {
  return Object.fromEntries(Object.entries(subFields).map(([key, sub]) => [key, sub.empty]));
}

/** The sub-fields that a value names, each checked; the others are left out. Throws FieldFault. */
export function parseComposite({ subFields }: CompositeShape, value: Json): JsonObject {
  const known = Object.keys(subFields).join(", ");
  if (!isJsonObject(value)) throw new FieldFault(`takes an object with ${known}, but got ${describe(value)}`);
  return Object.fromEntries(
    Object.entries(value).map(([key, part]) => {
      const sub = Object.hasOwn(subFields, key) ? subFields[key] : undefined;
      if (sub === undefined) throw new FieldFault(`has no sub-field "${key}"; it has ${known}`);
      return [key, part === null ? sub.empty : within(key, () => parsePart(sub, part))];
    }),
  );
}

function parsePart(sub: SubField, value: Json): Json {
  if (sub.kind === "text") return parseText(value);
  if (sub.kind === "integer") return parseInteger(value);
  if (sub.kind === "number") return parseNumber(value);
  if (!Array.isArray(value)) throw new FieldFault(`takes a list, but got ${describe(value)}`);
  return value.map((item, position) => within(`[${position}]`, () => parseItem(sub.items ?? "text", item)));
}

function parseItem(items: "text" | readonly string[], value: Json): Json {
  if (items === "text") return parseText(value);
  if (!isJsonObject(value))
    throw new FieldFault(`takes an object with ${items.join(", ")}, but got ${describe(value)}`);
  const unknown = Object.keys(value).find((key) => !items.includes(key));
  if (unknown !== undefined) throw new FieldFault(`has no key "${unknown}"; it has ${items.join(", ")}`);
  return Object.fromEntries(items.map((key) => [key, within(key, () => parseText(value[key] ?? ""))]));
}
