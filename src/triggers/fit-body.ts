import { isJsonObject, type Json, type JsonObject } from "../json.ts";

/** A value as it is kept, and as the schema checks it: they differ where an integer is kept as text. */
export interface Fitted {
  readonly kept: Json;
  readonly checked: Json;
}

/**
 * Fits values to the types that a JSON Schema declares for them. Text of a form becomes what is
 * declared; text that is declared takes an integer and makes it text (ids). An integer past 2⁵³ comes
 * as text already and is kept so, but it is checked as the number that was sent.
 */
export function createFit(root: JsonObject): (body: Json, options: { fromText: boolean }) => Fitted {
  return (body, { fromText }) => {
    const fit = (schemas: readonly JsonObject[], value: Json): Fitted => {
      const applying = partsOf(schemas, root);
      if (isJsonObject(value)) return fitObject(value, (key) => childrenOf(applying, key), fit);
      const types = new Set(applying.flatMap(({ type }) => type ?? []));
      if (Array.isArray(value)) return fitList(value.map((item) => fit(itemsOf(applying), item)));
      if (fromText && typeof value === "string" && types.has("array") && !types.has("string"))
        return fitList([fit(itemsOf(applying), value)]);
      return fitScalar(value, types, fromText);
    };
    return fit([root], body);
  };
}

function fitObject(
  value: JsonObject,
  schemasOf: (key: string) => JsonObject[],
  fit: (schemas: readonly JsonObject[], value: Json) => Fitted,
): Fitted {
  const entries = Object.entries(value).map(([key, part]) => [key, fit(schemasOf(key), part)] as const);
  return {
    kept: Object.fromEntries(entries.map(([key, { kept }]) => [key, kept])),
    checked: Object.fromEntries(entries.map(([key, { checked }]) => [key, checked])),
  };
}

function fitList(items: readonly Fitted[]): Fitted {
  return { kept: items.map(({ kept }) => kept), checked: items.map(({ checked }) => checked) };
}

function fitScalar(value: Json, types: ReadonlySet<Json>, fromText: boolean): Fitted {
  const numeric = types.has("number") || types.has("integer");
  if (typeof value === "number" && types.has("string") && !numeric && Number.isSafeInteger(value))
    return same(String(value));
  if (typeof value !== "string" || types.has("string")) return same(value);
  if (numeric && isPastNumbers(value)) return { kept: value, checked: Number(value) };
  return same(fromText ? fromForm(value, types) : value);
}

function same(value: Json): Fitted {
  return { kept: value, checked: value };
}

/** An integer that no number holds exactly. */
function isPastNumbers(text: string): boolean {
  return /^-?[1-9]\d{15,400}$/.test(text) && !Number.isSafeInteger(Number(text)) && Number.isFinite(Number(text));
}

function fromForm(text: string, types: ReadonlySet<Json>): Json {
  const number = Number(text);
  if (types.has("integer") && /^-?\d+$/.test(text) && Number.isSafeInteger(number)) return number;
  if (types.has("number") && /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(text) && Number.isFinite(number)) return number;
  // What the boxes of HTML forms send.
  if (types.has("boolean") && /^(true|on|yes|1)$/i.test(text)) return true;
  if (types.has("boolean") && /^(false|off|no|0)$/i.test(text)) return false;
  return text;
}

/** The schemas with what they refer to and are combined of: any of them may declare the type. */
function partsOf(schemas: readonly JsonObject[], root: JsonObject): JsonObject[] {
  // A set in the order of its making: what is added while it is walked is walked too, and only once.
  const parts = new Set(schemas);
  for (const part of parts) {
    const target = typeof part["$ref"] === "string" ? atPointer(part["$ref"], root) : undefined;
    for (const other of [target, part["allOf"], part["anyOf"], part["oneOf"]].flatMap(objectsIn)) parts.add(other);
  }
  return [...parts];
}

/** What a reference within the document points to. */
function atPointer(reference: string, root: JsonObject): Json | undefined {
  if (!reference.startsWith("#")) return undefined;
  const keys = reference.split("/").slice(1);
  return keys.reduce<Json | undefined>((value, key) => {
    const name = decodeURIComponent(key).replaceAll("~1", "/").replaceAll("~0", "~");
    return value !== undefined && isJsonObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
  }, root);
}

function childrenOf(schemas: readonly JsonObject[], key: string): JsonObject[] {
  return schemas.flatMap(({ properties, additionalProperties }) => {
    const declared = properties !== undefined && isJsonObject(properties) && Object.hasOwn(properties, key);
    return objectsIn(declared ? properties[key] : additionalProperties);
  });
}

function itemsOf(schemas: readonly JsonObject[]): JsonObject[] {
  return schemas.flatMap(({ items }) => (Array.isArray(items) ? [] : objectsIn(items)));
}

function objectsIn(value: Json | undefined): JsonObject[] {
  if (Array.isArray(value)) return value.filter(isJsonObject);
  return value !== undefined && isJsonObject(value) ? [value] : [];
}
