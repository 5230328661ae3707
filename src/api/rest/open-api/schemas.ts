import type { SubField } from "../../../crm/composites.ts";
import type { FieldTypeInfo } from "../../../crm/field-types.ts";
import { baseFields, systemFields, type CrmField, type CrmObject } from "../../../crm/objects.ts";
import type { Json, JsonObject } from "../../../json.ts";
import { spellingsOf } from "../spellings.ts";

/** A JSON Schema. */
export type Schema = JsonObject;

export function reference(name: string): Schema {
  return { $ref: `#/components/schemas/${name}` };
}

/** The schemas of an object: what makes a record, what changes one, and a record as it is answered. */
export function objectSchemas(object: CrmObject, { One, schemaOf }: SchemaNames): Record<string, Schema> {
  const writable = object.fields.filter(({ name }) => !systemFields.has(name));
  const properties = Object.fromEntries([
    ...writable.map((field) => [field.name, fieldSchema(field)]),
    ...spellingSchemas(object),
  ]) as JsonObject;
  const required = writable.filter((field) => field.required && field.defaultValue === null).map(({ name }) => name);
  const described = { type: "object", description: object.description ?? object.label };
  return {
    [One]: {
      ...described,
      properties: { id: { type: "string", format: "uuid" }, ...properties },
      ...(required.length === 0 ? {} : { required }),
    },
    [`${One}ForUpdate`]: { ...described, properties },
    [`${One}ForResponse`]: {
      ...described,
      properties: {
        id: { type: "string", format: "uuid" },
        ...Object.fromEntries(object.fields.map((field) => [field.name, fieldSchema(field)])),
        ...Object.fromEntries(spellingSchemas(object)),
        ...relationSchemas(object, schemaOf),
      },
    },
  };
}

export interface SchemaNames {
  /** The object's name with a capital. */
  readonly One: string;
  /** The name of another object's schemas; undefined where there is no such object. */
  schemaOf(object: string): string | undefined;
}

function spellingSchemas(object: CrmObject): [string, Schema][] {
  return spellingsOf(object).flatMap(({ field, key, name }): [string, Schema][] => {
    const description = `Another name of \`${field.name}\``;
    return [
      [key, { ...fieldSchema(field), description }],
      [name, { type: ["string", "object", "null"], description: `${description}; with \`depth=1\` the record` }],
    ];
  });
}

function relationSchemas(object: CrmObject, schemaOf: SchemaNames["schemaOf"]): Record<string, Schema> {
  const one = object.fields.flatMap(({ relation }): [string, Schema][] => {
    const schema = relation === undefined ? undefined : schemaOf(relation.object);
    if (relation === undefined || schema === undefined) return [];
    return [
      [relation.name, { anyOf: [reference(`${schema}ForResponse`), { type: "null" }], description: "With `depth=1`" }],
    ];
  });
  const many = object.inverses.flatMap(({ name, object: other }): [string, Schema][] => {
    const schema = schemaOf(other);
    if (schema === undefined) return [];
    return [[name, { type: "array", items: reference(`${schema}ForResponse`), description: "With `depth=1`" }]];
  });
  return Object.fromEntries([...one, ...many]);
}

/** What a field holds, as JSON Schema. */
function fieldSchema(field: CrmField): Schema {
  const { description, label, info } = field;
  const isBase = baseFields.some(({ name }) => name === field.name);
  return {
    ...typeSchema(field),
    description: description ?? (isBase || info.comparesAs !== "uuid" ? label : `${label}: its id`),
  };
}

function typeSchema({ type, info, reading, settings }: CrmField): Schema {
  const { subFields }: FieldTypeInfo = info;
  if (subFields !== undefined)
    return {
      type: ["object", "null"],
      properties: Object.fromEntries(Object.entries(subFields).map(([key, sub]) => [key, subFieldSchema(sub)])),
    };
  const values = reading.options.map(({ value }) => value);
  if (type === "SELECT") return { type: ["string", "null"], enum: [...values, null] };
  if (type === "MULTI_SELECT") return { type: ["array", "null"], items: { type: "string", enum: values } };
  if (type === "RATING")
    return { type: ["string", "null"], enum: [...[1, 2, 3, 4, 5].map((stars) => `RATING_${stars}`), null] };
  if (type !== "NUMBER") return plainSchemas[info.comparesAs] ?? {};
  return { type: [settings["decimals"] === 0 ? "integer" : "number", "string", "null"] };
}

const plainSchemas: Readonly<Partial<Record<CrmField["info"]["comparesAs"], Schema>>> = {
  text: { type: ["string", "null"] },
  number: { type: ["number", "null"] },
  boolean: { type: ["boolean", "null"] },
  moment: { type: ["string", "null"], format: "date-time" },
  day: { type: ["string", "null"], format: "date" },
  uuid: { type: ["string", "null"], format: "uuid" },
  list: { type: ["array", "null"], items: { type: "string" } },
};

function subFieldSchema({ kind, items }: SubField): Schema {
  if (kind === "text") return { type: ["string", "null"] };
  if (kind === "integer") return { type: ["integer", "string", "null"], description: "As text beyond 2^53" };
  if (kind === "number") return { type: ["number", "null"] };
  const keys: Json[] = typeof items === "object" ? [...items] : [];
  const item: Schema =
    keys.length === 0
      ? { type: "string" }
      : { type: "object", properties: Object.fromEntries(keys.map((key) => [key, { type: "string" }])) };
  return { type: ["array", "null"], items: item };
}
