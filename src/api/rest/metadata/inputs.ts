import { z } from "zod";
import {
  fieldChange,
  fieldDefinition,
  fieldType,
  objectChange,
  objectDefinition,
} from "../../../crm/metadata/definitions.ts";
import type { FieldChange, FieldInput, ObjectChange, ObjectInput } from "../../../crm/metadata/definitions.ts";
import type { StoredObject } from "../../../crm/metadata/stored.ts";
import type { Issue, ProblemError } from "../../../errors.ts";
import type { Json } from "../../../json.ts";
import { toIssues } from "../../endpoint.ts";
import { invalid } from "../body.ts";
import { unquoted } from "./shapes.ts";

/** What Twenty's clients send along and that means nothing here. */
const ignored = z.unknown().optional();

const objectShape = {
  nameSingular: z.string(),
  namePlural: z.string(),
  labelSingular: z.string(),
  labelPlural: z.string(),
  description: z.string().nullable(),
  icon: z.string().nullable(),
  isLabelSyncedWithName: ignored,
  isRemote: ignored,
  skipNameField: ignored,
};

/** Body that makes an object. */
export const objectBody = z.strictObject(objectShape).partial().required({ nameSingular: true, namePlural: true });
/** Body that changes one. */
export const objectChangeBody = z.strictObject({ ...objectShape, isActive: z.boolean() }).partial();

const option = z.strictObject({
  id: ignored,
  value: z.string(),
  label: z.string(),
  color: z.string().optional(),
  position: z.number().optional(),
});
const fieldShape = {
  name: z.string(),
  label: z.string(),
  description: z.string().nullable(),
  icon: z.string().nullable(),
  isNullable: z.boolean(),
  isUnique: z.boolean(),
  defaultValue: z.custom<Json>(() => true),
  options: z.array(option).nullable(),
  settings: z.looseObject({ decimals: z.int().optional(), dataType: z.string().optional() }).nullable(),
  isLabelSyncedWithName: ignored,
  isCustom: ignored,
  isSystem: ignored,
};
const relationBody = z.strictObject({
  targetObjectMetadataId: z.string(),
  targetFieldLabel: z.string().min(1),
  targetFieldIcon: ignored,
  type: z.enum(["MANY_TO_ONE", "ONE_TO_MANY"]).default("MANY_TO_ONE"),
});

/** Body that makes a field. */
export const fieldBody = z
  .strictObject({
    ...fieldShape,
    objectMetadataId: z.string(),
    type: z.string(),
    isActive: ignored,
    relationCreationPayload: relationBody,
  })
  .partial()
  .required({ objectMetadataId: true, type: true, name: true });
/** Body that changes one. */
export const fieldChangeBody = z
  .strictObject({ ...fieldShape, isActive: z.boolean(), objectMetadataId: ignored, type: ignored })
  .partial();

/** An object as our metadata has it. Throws a 400. */
export function toObjectInput(body: z.output<typeof objectBody>): ObjectInput {
  return parse(objectDefinition, objectNames, {
    name: body.nameSingular,
    plural: body.namePlural,
    label: body.labelSingular,
    labelPlural: body.labelPlural,
    description: body.description,
    icon: body.icon,
  });
}

export function toObjectChange(body: z.output<typeof objectChangeBody>): ObjectChange {
  return parse(objectChange, objectNames, {
    name: body.nameSingular,
    plural: body.namePlural,
    label: body.labelSingular,
    labelPlural: body.labelPlural,
    description: body.description,
    icon: body.icon,
    active: body.isActive,
  });
}

const objectNames = {
  name: "nameSingular",
  plural: "namePlural",
  label: "labelSingular",
  active: "isActive",
};

/** Names of types that Twenty has had for what is one here. */
const typeNames: Readonly<Record<string, string>> = { NUMERIC: "NUMBER", RICH_TEXT_V2: "RICH_TEXT" };

/** A field to be made, and the object that it is made in. */
export interface FieldWish {
  readonly object: StoredObject;
  readonly input: FieldInput;
  /** Whether what was asked for is the other side of it. */
  readonly isInverse: boolean;
}

/** A field as our metadata has it; of a relation the side that has the key. Throws a 400. */
export function toFieldInput(body: z.output<typeof fieldBody>, all: readonly StoredObject[]): FieldWish {
  const object = objectOf(all, body.objectMetadataId, "objectMetadataId");
  const type = typeNames[body.type] ?? body.type;
  if (!fieldType.safeParse(type).success)
    throw refused("type", `is "${body.type}"; there are ${fieldType.options.join(", ")}`);
  const relation = body.relationCreationPayload;
  if (type !== "RELATION") {
    const change = toFieldChange(body);
    return {
      object,
      input: parse(fieldDefinition, fieldNames, { ...change, name: body.name, type }),
      isInverse: false,
    };
  }
  if (relation === undefined) throw refused("relationCreationPayload", "says what a RELATION points to");
  const target = objectOf(all, relation.targetObjectMetadataId, "relationCreationPayload.targetObjectMetadataId");
  const there = { name: camelCase(relation.targetFieldLabel), label: relation.targetFieldLabel };
  const here = { name: body.name, label: body.label ?? body.name };
  const isInverse = relation.type === "ONE_TO_MANY";
  const [owner, pointed] = isInverse ? [target, object] : [object, target];
  const [key, inverse] = isInverse ? [there, here] : [here, there];
  const { description, icon } = body;
  const input = { ...key, type, object: pointed.name, inverse, description, icon };
  return { object: owner, input: parse(fieldDefinition, fieldNames, input), isInverse };
}

export function toFieldChange(
  body: Omit<z.output<typeof fieldChangeBody>, "isActive"> & { isActive?: unknown },
): FieldChange {
  const { settings, options, isNullable } = body;
  const decimals = settings?.dataType === "int" || settings?.dataType === "bigint" ? 0 : settings?.decimals;
  const inOrder = options?.toSorted((a, b) => (a.position ?? 0) - (b.position ?? 0));
  return parse(fieldChange, fieldNames, {
    name: body.name,
    label: body.label,
    description: body.description,
    icon: body.icon,
    required: isNullable === undefined ? undefined : !isNullable,
    unique: body.isUnique,
    defaultValue: body.defaultValue === undefined ? undefined : unquoted(body.defaultValue),
    options: inOrder?.map(({ value, label, color }) => ({ value, label, ...(color === undefined ? {} : { color }) })),
    decimals,
    active: typeof body.isActive === "boolean" ? body.isActive : undefined,
  });
}

const fieldNames = {
  required: "isNullable",
  unique: "isUnique",
  decimals: "settings.decimals",
  active: "isActive",
};

/** The object with the id. */
function objectOf(all: readonly StoredObject[], id: string, path: string): StoredObject {
  const found = all.find((object) => object.id === id.toLowerCase());
  if (found === undefined) throw refused(path, "is the id of no object");
  return found;
}

/** By one of our schemas; faults have the names that the client knows. */
function parse<Schema extends z.ZodType>(
  schema: Schema,
  names: Readonly<Record<string, string>>,
  values: Readonly<Record<string, unknown>>,
): z.output<Schema> {
  const given = Object.entries(values).filter(([, value]) => value !== undefined);
  const parsed = schema.safeParse(Object.fromEntries(given));
  if (parsed.success) return parsed.data;
  throw invalid(
    "invalid-body",
    toIssues(parsed.error).map((issue): Issue => ({ ...issue, path: names[issue.path] ?? issue.path })),
  );
}

function refused(path: string, message: string): ProblemError {
  return invalid("invalid-body", [{ path, message }]);
}

/** `Assigned deals` → `assignedDeals`. */
function camelCase(label: string): string {
  const words = label
    .normalize("NFKD")
    .replaceAll(/[^\w\s]/g, "")
    .split(/[\s_]+/)
    .filter((word) => word !== "");
  const joined = words.map(
    (word, i) => (i === 0 ? word.charAt(0).toLowerCase() : word.charAt(0).toUpperCase()) + word.slice(1),
  );
  return joined.join("");
}
