import { isJsonObject, type Json, type JsonObject } from "../../json.ts";
import { compileBodySchema } from "../body-schema.ts";

/** Properties that are described, at most: past them, whatever an object holds is let through. */
const mostProperties = 1_000;

const formats = ["uuid", "date-time", "date", "email", "uri"] as const;
type Format = (typeof formats)[number];

/** What was seen at one place of the samples. */
interface Seen {
  readonly types: Set<"null" | "boolean" | "integer" | "number" | "string" | "array" | "object">;
  /** How many objects stood here: a property is required that lies in all of them. */
  objects: number;
  readonly properties: Map<string, { readonly seen: Seen; times: number }>;
  items: Seen | undefined;
  /** Formats that every text had; undefined: no text yet. */
  formats: readonly Format[] | undefined;
}

/**
 * A JSON Schema (draft 7) that all of the samples fit: types, properties (required where every sample
 * has them), and the formats of text where they are plain to see. It is a proposal, for people to look at.
 */
export function proposeSchema(samples: readonly Json[]): JsonObject {
  const seen = nothing();
  for (const sample of samples) note(seen, sample);
  return describe(seen, { left: mostProperties });
}

function nothing(): Seen {
  return { types: new Set(), objects: 0, properties: new Map(), items: undefined, formats: undefined };
}

function note(seen: Seen, value: Json): void {
  if (value === null) seen.types.add("null");
  else if (typeof value === "boolean") seen.types.add("boolean");
  else if (typeof value === "number") seen.types.add(Number.isInteger(value) ? "integer" : "number");
  else if (typeof value === "string") noteText(seen, value);
  else if (Array.isArray(value)) noteList(seen, value);
  else if (isJsonObject(value)) noteObject(seen, value);
}

function noteText(seen: Seen, text: string): void {
  seen.types.add("string");
  seen.formats = (seen.formats ?? formats).filter((format) => looksLike(format, text));
}

function noteList(seen: Seen, list: readonly Json[]): void {
  seen.types.add("array");
  const items = (seen.items ??= nothing());
  for (const item of list) note(items, item);
}

function noteObject(seen: Seen, value: JsonObject): void {
  seen.types.add("object");
  seen.objects += 1;
  for (const [key, part] of Object.entries(value)) {
    const property = seen.properties.get(key) ?? { seen: nothing(), times: 0 };
    seen.properties.set(key, property);
    property.times += 1;
    note(property.seen, part);
  }
}

function describe(seen: Seen, budget: { left: number }): JsonObject {
  const types = [...seen.types].filter((type) => type !== "integer" || !seen.types.has("number"));
  const [type] = types;
  // What was never there may be anything once it is.
  if (type === undefined || (type === "null" && types.length === 1)) return {};
  const [format] = seen.formats ?? [];
  return {
    type: types.length === 1 ? type : types,
    ...(format === undefined ? {} : { format }),
    ...(seen.types.has("object") ? describeProperties(seen, budget) : {}),
    ...(seen.items === undefined || seen.items.types.size === 0 ? {} : { items: describe(seen.items, budget) }),
  };
}

function describeProperties({ properties, objects }: Seen, budget: { left: number }): JsonObject {
  const shown = [...properties].slice(0, Math.max(budget.left, 0));
  budget.left -= shown.length;
  const required = shown.filter(([, { times }]) => times === objects).map(([key]) => key);
  return {
    ...(required.length > 0 ? { required } : {}),
    properties: Object.fromEntries(shown.map(([key, { seen }]) => [key, describe(seen, budget)])),
  };
}

const checks = new Map(formats.map((format) => [format, compileBodySchema({ type: "string", format })]));

/** Just as it is checked afterwards. An address must have a scheme that people mean, since `a:b` is one too. */
function looksLike(format: Format, text: string): boolean {
  if (format === "uri" && !/^(https?|ftp|mailto|tel):/i.test(text)) return false;
  return checks.get(format)?.check(text, { fromText: false }).issues.length === 0;
}
