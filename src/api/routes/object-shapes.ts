import { z } from "zod";
import { fieldTypes, type FieldTypeInfo } from "../../crm/field-types.ts";
import { namesOf, type StoredField, type StoredIndex, type StoredObject } from "../../crm/metadata/stored.ts";
import { baseFields } from "../../crm/objects.ts";
import { id, json } from "../schemas.ts";

const failure = z.object({ code: z.string(), message: z.string(), rows: z.array(z.string()).optional() }).nullable();
export const field = z
  .object({
    id: id.nullable().meta({ description: "null: every object has it" }),
    name: z.string(),
    label: z.string(),
    description: z.string().nullable(),
    icon: z.string().nullable(),
    type: z.string(),
    state: z
      .enum(["building", "active", "inactive"])
      .meta({ description: "building: what was last asked of it is being brought about" }),
    standard: z.boolean(),
    required: z.boolean(),
    unique: z.boolean(),
    indexed: z.boolean(),
    searchable: z.boolean(),
    defaultValue: json,
    settings: json.meta({ description: "Options, decimals, the object of a relation and its other side" }),
    subFields: z.array(z.string()).optional().meta({ description: "Of a composite" }),
    failure: failure.meta({ description: "Why what was last asked of it was given up" }),
  })
  .meta({ id: "Field" });
export const index = z
  .object({
    id,
    fields: z.array(z.string()),
    unique: z.boolean(),
    standard: z.boolean(),
    state: z.enum(["building", "active", "failed"]),
    failure,
  })
  .meta({ id: "Index" });
export const object = z
  .object({
    id,
    name: z.string(),
    plural: z.string(),
    label: z.string(),
    labelPlural: z.string(),
    description: z.string().nullable(),
    icon: z.string().nullable(),
    standard: z.boolean(),
    state: z.enum(["active", "inactive"]),
    duplicateCriteria: z.array(z.array(z.string())),
    fields: z.array(field),
    indexes: z.array(index),
  })
  .meta({ id: "Object" });

/** An object as the API shows it. */
export function describeObject(stored: StoredObject) {
  const { tableName: _table, fields, indexes, ...rest } = stored;
  return {
    ...rest,
    fields: [...baseFields.map(describeBase), ...fields.filter(({ state }) => state !== "removed").map(describeField)],
    indexes: indexes.filter(({ state }) => state !== "removed").map((each) => describeIndex(stored, each)),
  };
}

function describeBase({ name, label, type }: (typeof baseFields)[number]) {
  return {
    id: null,
    name,
    label,
    description: null,
    icon: null,
    type,
    state: "active",
    standard: true,
    required: false,
    unique: false,
    indexed: name === "createdAt",
    searchable: false,
    defaultValue: null,
    settings: {},
    ...subFieldsOf(type),
    failure: null,
  };
}

/** A field as the API shows it. */
export function describeField({ columnName: _column, wanted, position: _position, ...stored }: StoredField) {
  return { ...stored, state: wanted === null ? stored.state : "building", ...subFieldsOf(stored.type) };
}

function subFieldsOf(type: StoredField["type"]): { subFields?: string[] } {
  const { subFields }: FieldTypeInfo = fieldTypes[type];
  return subFields === undefined ? {} : { subFields: Object.keys(subFields) };
}

/** An index as the API shows it. */
export function describeIndex(owner: StoredObject, { name: _name, parts, ...stored }: StoredIndex) {
  return { ...stored, fields: namesOf(owner, { parts }) };
}
