import { z } from "zod";
import { isJsonObject, type Json, type JsonObject } from "../../../src/json.ts";

/** A value that is broken in one place. */
export interface Broken {
  readonly input: JsonObject;
  readonly at: string;
  readonly how: string;
}

/** One of each type that JSON has. */
const strangers: Readonly<Record<string, Json>> = {
  null: null,
  boolean: true,
  number: 7.25,
  string: "stranger",
  array: [],
  object: {},
};

/** The keys that a schema of an object takes. */
export function keysOf(schema: z.ZodType): string[] {
  return Object.keys(partOf(describe(schema), "properties"));
}

/**
 * A value that its schema takes, broken in every way that the schema's shape tells of: a value of another type
 * at each place, a key that lacks, a key that nobody knows. `without`: keys at its top that stay.
 */
export function brokenAt(
  schema: z.ZodType,
  input: JsonObject,
  { at, without = [] }: { at: string; without?: readonly string[] },
): Broken[] {
  const all = breakObject(describe(schema), input, { at, keep: new Set(without) });
  return all.map(({ value, ...where }) => ({ ...where, input: value as JsonObject }));
}

function describe(schema: z.ZodType): JsonObject {
  const described = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  return z.record(z.string(), z.json()).parse(JSON.parse(JSON.stringify(described))) as JsonObject;
}

interface BrokenPart {
  readonly value: Json;
  readonly at: string;
  readonly how: string;
}

function breakValue(schema: JsonObject, value: Json, at: string): BrokenPart[] {
  const allowed = typesOf(schema);
  const others = Object.entries(strangers).filter(([type]) => allowed !== undefined && !allowed.has(type));
  const wrong = others.map(([type, stranger]) => ({ value: stranger, at, how: `is of type ${type}` }));
  const own = fitting(schema, value);
  if (Array.isArray(value) && value.length > 0 && isJsonObject(own["items"] ?? null)) {
    const [first, ...rest] = value as [Json, ...Json[]];
    const inner = breakValue(partOf(own, "items"), first, `${at}[0]`);
    return [...wrong, ...inner.map((part) => ({ ...part, value: [part.value, ...rest] }))];
  }
  return isJsonObject(value) ? [...wrong, ...breakObject(own, value, { at })] : wrong;
}

function breakObject(
  schema: JsonObject,
  value: JsonObject,
  { at, keep = new Set() }: { at: string; keep?: ReadonlySet<string> },
): BrokenPart[] {
  const properties = partOf(schema, "properties");
  const required = (Array.isArray(schema["required"]) ? schema["required"] : []).map(String);
  const unknown =
    schema["additionalProperties"] === false
      ? [{ value: { ...value, stranger: 1 }, at: `${at}.stranger`, how: "is not known" }]
      : [];
  const inner = Object.entries(value).flatMap(([key, own]) =>
    keep.has(key) || !isJsonObject(properties[key] ?? null)
      ? []
      : breakValue(partOf(properties, key), own, `${at}.${key}`).map((part) => ({
          ...part,
          value: { ...value, [key]: part.value },
        })),
  );
  const lacking = required
    .filter((key) => !keep.has(key) && Object.hasOwn(value, key))
    .map((key) => {
      const { [key]: _gone, ...rest } = value;
      return { value: rest, at: `${at}.${key}`, how: "is missing" };
    });
  return [...unknown, ...lacking, ...inner];
}

/** Types that are taken; undefined: any, or the shape does not say. */
function typesOf(schema: JsonObject): Set<string> | undefined {
  const options = optionsOf(schema);
  if (options.length > 0) {
    const all = options.map(typesOf);
    return all.includes(undefined) ? undefined : new Set(all.flatMap((types) => [...(types ?? [])]));
  }
  if ("const" in schema) return new Set([typeOf(schema["const"] ?? null)]);
  const { type } = schema;
  if (type === undefined) return undefined;
  return new Set((Array.isArray(type) ? type : [type]).map((one) => (one === "integer" ? "number" : String(one))));
}

/** Of several shapes the one that the value is of. */
function fitting(schema: JsonObject, value: Json): JsonObject {
  const options = optionsOf(schema).map((option) => fitting(option, value));
  const fits = (option: JsonObject): boolean =>
    typesOf(option)?.has(typeOf(value)) === true &&
    (!isJsonObject(value) ||
      Object.entries(partOf(option, "properties")).every(
        ([key, part]) => !isJsonObject(part) || !("const" in part) || part["const"] === value[key],
      ));
  return options.length === 0 ? schema : (options.find(fits) ?? {});
}

function optionsOf(schema: JsonObject): JsonObject[] {
  const options = schema["anyOf"] ?? schema["oneOf"];
  return Array.isArray(options) ? options.filter((option): option is JsonObject => isJsonObject(option)) : [];
}

function typeOf(value: Json): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}

function partOf(schema: JsonObject, key: string): JsonObject {
  const part = schema[key] ?? null;
  return isJsonObject(part) ? part : {};
}
