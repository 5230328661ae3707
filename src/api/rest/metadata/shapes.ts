import { createHash } from "node:crypto";
import { baseFields } from "../../../crm/objects.ts";
import { relationName } from "../../../crm/metadata/names.ts";
import type { StoredField, StoredObject } from "../../../crm/metadata/stored.ts";
import { isJsonObject, textOf, type Json, type JsonObject } from "../../../json.ts";

/** An object as Twenty's clients know it, with its fields. */
export function describeObject(object: StoredObject, all: readonly StoredObject[]): JsonObject {
  const fields = describeFields(object, all);
  const label = fields.find(({ name }) => name === "name" || name === "title" || name === "userEmail");
  return {
    id: object.id,
    nameSingular: object.name,
    namePlural: object.plural,
    labelSingular: object.label,
    labelPlural: object.labelPlural,
    description: object.description,
    icon: object.icon,
    isCustom: !object.standard,
    isRemote: false,
    isActive: object.state === "active",
    isSystem: false,
    isLabelSyncedWithName: false,
    duplicateCriteria: object.duplicateCriteria,
    labelIdentifierFieldMetadataId: label?.["id"] ?? null,
    imageIdentifierFieldMetadataId: null,
    ...madeAt(object.id),
    fields,
  };
}

/** An object's fields as Twenty's clients know them: also those that every object has, and what points to it. */
export function describeFields(object: StoredObject, all: readonly StoredObject[]): JsonObject[] {
  const base = [{ name: "id", label: "Id", type: "UUID" }, ...baseFields].map(({ name, label, type }) => ({
    ...plainField(object, { id: derivedId(object.id, name), name, label, type }),
    isSystem: true,
    isNullable: name === "deletedAt",
  }));
  const own = object.fields
    .filter(({ state }) => state !== "removed")
    .map((field) => describeField(object, field, all));
  const inverses = all.flatMap((other) =>
    other.fields.flatMap((field) => {
      const inverse = field.settings["inverse"];
      const points = field.type === "RELATION" && field.state === "active" && field.settings["object"] === object.name;
      if (!points || !isJsonObject(inverse)) return [];
      return [describeInverse({ object, other, field, inverse })];
    }),
  );
  return [...base, ...own, ...inverses];
}

function describeField(object: StoredObject, field: StoredField, all: readonly StoredObject[]): JsonObject {
  const { settings, type } = field;
  const options = settings["options"];
  return {
    ...plainField(object, { ...field, name: type === "RELATION" ? relationName(field.name) : field.name }),
    description: field.description,
    icon: field.icon,
    isCustom: !field.standard,
    isActive: field.state === "active" || field.state === "building",
    isNullable: !field.required,
    isUnique: field.unique,
    defaultValue: quoted(field.defaultValue),
    options: Array.isArray(options) ? options.map((option) => describeOption(field, option)) : null,
    settings: typeof settings["decimals"] === "number" ? { decimals: settings["decimals"] } : null,
    ...(type === "RELATION" ? describeRelation(object, field, all) : {}),
  };
}

function plainField(
  object: StoredObject,
  { id, name, label, type }: { id: string; name: string; label: string; type: string },
): JsonObject {
  return {
    id,
    objectMetadataId: object.id,
    name,
    label,
    type,
    description: null,
    icon: null,
    isCustom: false,
    isActive: true,
    isSystem: false,
    isNullable: true,
    isUnique: false,
    isLabelSyncedWithName: false,
    defaultValue: null,
    options: null,
    settings: null,
    relation: null,
    ...madeAt(id.charAt(14) === "7" ? id : object.id),
  };
}

function describeOption(field: StoredField, option: Json): JsonObject {
  const { value = null, label = null, color = "gray", position = 0 } = isJsonObject(option) ? option : {};
  return { id: derivedId(field.id, String(textOf(value))), value, label, color, position };
}

function describeRelation(object: StoredObject, field: StoredField, all: readonly StoredObject[]): JsonObject {
  const target = all.find(({ name }) => name === field.settings["object"]);
  const inverse = field.settings["inverse"];
  const isCascade = field.settings["onDelete"] === "cascade";
  return {
    settings: {
      relationType: "MANY_TO_ONE",
      onDelete: isCascade ? "CASCADE" : "SET_NULL",
      joinColumnName: field.name,
    },
    relation:
      target === undefined
        ? null
        : {
            type: "MANY_TO_ONE",
            sourceObjectMetadata: named(object),
            sourceFieldMetadata: { id: field.id, name: relationName(field.name) },
            targetObjectMetadata: named(target),
            targetFieldMetadata: isJsonObject(inverse) ? { id: inverseId(field), name: inverse["name"] ?? null } : null,
          },
  };
}

interface Side {
  readonly object: StoredObject;
  readonly other: StoredObject;
  readonly field: StoredField;
  readonly inverse: JsonObject;
}

/** A relation as it is seen from the object that it points to. */
function describeInverse({ object, other, field, inverse }: Side): JsonObject {
  const name = textOf(inverse["name"]) ?? "";
  return {
    ...plainField(object, {
      id: inverseId(field),
      name,
      label: textOf(inverse["label"]) ?? name,
      type: "RELATION",
    }),
    isCustom: !field.standard,
    settings: { relationType: "ONE_TO_MANY" },
    relation: {
      type: "ONE_TO_MANY",
      sourceObjectMetadata: named(object),
      sourceFieldMetadata: { id: inverseId(field), name },
      targetObjectMetadata: named(other),
      targetFieldMetadata: { id: field.id, name: relationName(field.name) },
    },
  };
}

function named({ id, name, plural }: StoredObject): JsonObject {
  return { id, nameSingular: name, namePlural: plural };
}

/** The id under which the other side of a relation is known; here it is no field of its own. */
export function inverseId({ id }: Pick<StoredField, "id">): string {
  return derivedId(id, "inverse");
}

/** An id for what Twenty gives one and we do not: always the same (a UUIDv8, RFC 9562). */
function derivedId(of: string, name: string): string {
  const hex = createHash("sha256").update(`${of} ${name}`).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** Our ids begin with the millisecond in which they were made. */
function madeAt(id: string): JsonObject {
  const moment = new Date(Number.parseInt(id.replaceAll("-", "").slice(0, 12), 16)).toISOString();
  return { createdAt: moment, updatedAt: moment };
}

/** Twenty writes texts of defaults in quotes, as SQL does. */
function quoted(value: Json): Json {
  if (typeof value === "string") return `'${value}'`;
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, quoted(part)]));
}

/** The default that a client of Twenty means. */
export function unquoted(value: Json): Json {
  if (typeof value === "string") return value.replace(/^'(.*)'$/s, "$1");
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, unquoted(part)]));
}
