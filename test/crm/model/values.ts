import { isJsonObject, type Json, type JsonObject } from "../../../src/json.ts";

/** What the model must know of a field to tell what becomes of its values. */
export interface Typed {
  readonly type: string;
  readonly compares: "exactly" | "without-case" | "as-domain";
}

/** Composites: their sub-fields while nobody has set them. */
export const composites: Readonly<Record<string, JsonObject>> = {
  FULL_NAME: { firstName: "", lastName: "" },
  EMAILS: { primaryEmail: "", additionalEmails: [] },
  PHONES: {
    primaryPhoneNumber: "",
    primaryPhoneCountryCode: "",
    primaryPhoneCallingCode: "",
    additionalPhones: [],
  },
  LINKS: { primaryLinkLabel: "", primaryLinkUrl: "", secondaryLinks: [] },
  CURRENCY: { amountMicros: null, currencyCode: "" },
  ADDRESS: {
    addressStreet1: "",
    addressStreet2: "",
    addressCity: "",
    addressPostcode: "",
    addressState: "",
    addressCountry: "",
    addressLat: null,
    addressLng: null,
  },
  RICH_TEXT: { blocknote: null, markdown: "" },
};

/** Of contacts: the main sub-field, the list beside it, and which sub-fields make an item of that. */
export const contacts: Readonly<Record<string, { main: string; list: string; item: [string, string][] | null }>> = {
  EMAILS: { main: "primaryEmail", list: "additionalEmails", item: null },
  PHONES: {
    main: "primaryPhoneNumber",
    list: "additionalPhones",
    item: [
      ["number", "primaryPhoneNumber"],
      ["countryCode", "primaryPhoneCountryCode"],
      ["callingCode", "primaryPhoneCallingCode"],
    ],
  },
  LINKS: {
    main: "primaryLinkUrl",
    list: "secondaryLinks",
    item: [
      ["label", "primaryLinkLabel"],
      ["url", "primaryLinkUrl"],
    ],
  },
};

export function isList({ type }: Pick<Typed, "type">): boolean {
  return type === "MULTI_SELECT" || type === "ARRAY";
}

/** What a field holds while nobody has set it, and when it is cleared. */
export function emptyOf({ type }: Pick<Typed, "type">): Json {
  if (type === "POSITION") return 0;
  return isList({ type }) ? [] : (composites[type] ?? null);
}

export function isNothing(value: Json | undefined): boolean {
  return value === undefined || value === null || value === "" || (Array.isArray(value) && value.length === 0);
}

/** Whether a field that must have a value has one. */
export function isFilled({ type }: Pick<Typed, "type">, value: Json): boolean {
  const shape = composites[type];
  if (shape === undefined || !isJsonObject(value)) return !isNothing(value);
  const contact = contacts[type];
  if (contact !== undefined) return !isNothing(value[contact.main]);
  return Object.keys(shape).some((key) => !isNothing(value[key]));
}

/** A given value as it is shown afterwards; of a composite what was named. */
export function shownAs({ type }: Pick<Typed, "type">, given: Json): Json {
  const shape = composites[type];
  if (given === null) return null;
  if (type === "UUID" || type === "RELATION") return String(given).toLowerCase();
  if (type === "MULTI_SELECT" && Array.isArray(given)) return [...new Set(given)];
  if (shape === undefined || !isJsonObject(given)) return given;
  return Object.fromEntries(Object.entries(given).map(([key, part]) => [key, part ?? shape[key] ?? null]));
}

/** A text as it is compared; undefined where there is nothing to compare. */
export function folded({ compares }: Pick<Typed, "compares">, text: string): string | undefined {
  if (compares === "exactly") return text;
  const lower = text.toLowerCase();
  if (compares === "without-case") return lower === "" ? undefined : lower;
  const host = lower
    .trim()
    .replace(/^[a-z][a-z0-9+.-]*:\/\//, "")
    .replace(/[/?#:].*$/, "")
    .replace(/^www\.(?=.*\.)/, "")
    .replace(/[. ]+$/, "");
  return host === "" ? undefined : host;
}

/** What no two records may share where a field is unique; undefined: it has no value. */
export function uniqueKey(field: Typed, value: Json): string | undefined {
  const contact = contacts[field.type];
  const main = contact === undefined ? value : isJsonObject(value) ? (value[contact.main] ?? null) : null;
  if (isNothing(main)) return undefined;
  const isText = contact !== undefined || field.type === "TEXT";
  return isText ? folded(field, String(main)) : JSON.stringify(typeof main === "number" ? String(main) : main);
}

export type Mode = "replace" | "append-unique" | "only-if-empty" | "clear";

/** What a field holds when a value meets what it held. */
export function meet(field: Typed, { old, given, mode }: { old: Json; given: Json; mode: Mode }): Json {
  const empty = emptyOf(field);
  if (mode === "clear") return empty;
  if (given === null) return mode === "only-if-empty" ? old : empty;
  const value = shownAs(field, given);
  if (isList(field) && mode === "append-unique") return [...new Set([...asList(old), ...asList(value)])];
  if (isJsonObject(old) && isJsonObject(value) && composites[field.type] !== undefined)
    return meetComposite(field, { old, given: value, mode });
  const isHeld = field.type === "RAW_JSON" ? old !== null : !isNothing(old);
  return mode === "only-if-empty" && isHeld ? old : value;
}

function meetComposite(field: Typed, { old, given, mode }: { old: JsonObject; given: JsonObject; mode: Mode }): Json {
  if (mode === "replace") return { ...old, ...given };
  const met: JsonObject = { ...old };
  for (const [key, part] of Object.entries(given))
    if (mode === "append-unique" && Array.isArray(part)) met[key] = distinct(field, [...asList(old[key]), ...part]);
    else if (isNothing(old[key])) met[key] = part;
  const contact = contacts[field.type];
  const wanted = contact === undefined ? undefined : given[contact.main];
  if (mode !== "append-unique" || contact === undefined || isNothing(wanted)) return met;
  // A main value that another keeps from its place goes to the list.
  const [held, sought] = [old[contact.main], wanted].map((main) => folded(field, String(main)));
  if (isNothing(held) || held === sought) return met;
  const item = itemOf(field, given);
  return { ...met, [contact.list]: distinct(field, [...asList(met[contact.list]), item]) };
}

/** The main value as an item of the list beside it. */
export function itemOf({ type }: Pick<Typed, "type">, value: JsonObject): Json {
  const { item = null, main = "" } = contacts[type] ?? {};
  if (item === null) return value[main] ?? "";
  return Object.fromEntries(item.map(([key, sub]) => [key, value[sub] ?? ""]));
}

/** The items, of those that are the same the first. Where text compares without case, so do items. */
export function distinct({ compares }: Pick<Typed, "compares">, items: readonly Json[]): Json[] {
  const seen = new Set<string>();
  return items.filter((item) => {
    const written = JSON.stringify(item);
    const key = compares === "exactly" ? written : written.toLowerCase();
    return !seen.has(key) && seen.add(key);
  });
}

export function asList(value: Json | undefined): Json[] {
  return Array.isArray(value) ? value : [];
}
