import { didYouMean } from "../../definition/suggest.ts";
import type { Json, JsonObject } from "../../json.ts";
import { fieldTypes, type FieldType, type FieldTypeInfo } from "../field-types.ts";
import { FieldFault, type SelectOption } from "../plain-values.ts";
import { isSearchable } from "../search.ts";
import type { FieldInput } from "./definitions.ts";
import { checkFieldName, namesIn, refused, relationName } from "./names.ts";
import type { StoredObject } from "./stored.ts";

const optionTypes: readonly FieldType[] = ["SELECT", "MULTI_SELECT"];
const textTypes: readonly FieldType[] = ["TEXT", "EMAILS", "LINKS"];

/** Options as they are stored, in their order. */
export function storedOptions(options: NonNullable<FieldInput["options"]>): JsonObject[] {
  return options.map(({ value, label, color }, position) => ({
    value,
    label,
    position,
    ...(color === undefined ? {} : { color }),
  }));
}

/** Where a field is to be: in which object, among which. `group`: the relation to several objects that it is part of. */
interface Place {
  readonly object: StoredObject;
  readonly all: readonly StoredObject[];
  readonly group: string | null;
}

/** What the field's type needs, of what was given; what is another type's is refused. */
export function settingsOf(input: FieldInput, place: Place): JsonObject {
  const { type, options, decimals, compares } = input;
  const hasOptions = optionTypes.includes(type);
  if (options !== undefined && !hasOptions) throw refused("options", `a ${type} has no options`);
  if (options === undefined && hasOptions) throw refused("options", `a ${type} needs its options`);
  if (decimals !== undefined && type !== "NUMBER") throw refused("decimals", `a ${type} has no decimals`);
  if (compares !== undefined && !textTypes.includes(type))
    throw refused("compares", `a ${type} is compared in its own way`);
  const compared = compares ?? (type === "EMAILS" ? "without-case" : undefined);
  return {
    ...(options === undefined ? {} : { options: storedOptions(options) }),
    ...(decimals === undefined ? {} : { decimals }),
    ...(compared === undefined ? {} : { compares: compared }),
    ...relationSettings(input, place),
  };
}

function relationSettings(input: FieldInput, { object, all, group }: Place): JsonObject {
  const { type, name, inverse, onDelete = "set-null" } = input;
  if (type !== "RELATION") {
    for (const key of ["object", "objects", "inverse", "onDelete"] as const)
      if (input[key] !== undefined) throw refused(key, `is for a RELATION, and this is a ${type}`);
    return {};
  }
  if (input.object === undefined) throw refused("object", "a RELATION needs the object that it points to");
  const target = all.find((each) => each.name === input.object);
  if (target === undefined) {
    const meant = didYouMean(
      input.object,
      all.map((each) => each.name),
    );
    throw refused("object", `there is no object "${input.object}"${meant}`);
  }
  const relation = relationName(name);
  const byRelation = `${object.plural}By${relation.charAt(0).toUpperCase()}${relation.slice(1)}`;
  const isTaken = (wanted: string): boolean =>
    namesIn(target, all).has(wanted) || (target.id === object.id && wanted === relation);
  const seen = inverse ?? {
    name: isTaken(object.plural) ? byRelation : object.plural,
    label: object.labelPlural,
  };
  checkFieldName(target, all, { name: seen.name, path: "inverse.name" });
  if (relation === seen.name && target.id === object.id)
    throw refused("inverse.name", "must differ from the relation's own name in the same object");
  return {
    object: target.name,
    onDelete,
    inverse: { name: seen.name, label: seen.label },
    ...(group === null ? {} : { oneOf: group }),
  };
}

/** A default as it is stored. Throws a 422 for what the field does not take. */
export function parseDefault(
  { type, settings }: { type: FieldType; settings: JsonObject },
  value: Json,
  timeZone: string,
): Json {
  if (value === null) return null;
  if (type === "RELATION") throw refused("defaultValue", "a relation has none: there is no record for all");
  const info: FieldTypeInfo = fieldTypes[type];
  const decimals = settings["decimals"];
  const options = (settings["options"] ?? []) as unknown as SelectOption[];
  try {
    return info.parse(value, {
      options,
      timeZone,
      ...(typeof decimals === "number" ? { decimals } : {}),
    });
  } catch (error) {
    if (error instanceof FieldFault) throw refused("defaultValue", error.message);
    throw error;
  }
}

/** What a field of this type can be, and what cannot be together. */
export function checkField(
  { type, settings, defaultValue }: { type: FieldType; settings: JsonObject; defaultValue: Json },
  { unique, searchable, indexed }: { unique: boolean; searchable: boolean; indexed: boolean },
): void {
  const info: FieldTypeInfo = fieldTypes[type];
  const isWhole = info.comparesAs === "composite" && info.main === undefined;
  if (unique && (isWhole || ["list", "json", "boolean"].includes(info.comparesAs)))
    throw refused("unique", `a ${type} cannot be unique`);
  if (unique && defaultValue !== null)
    throw refused("unique", "a value that is everybody's default cannot be unique; leave the default out");
  if (searchable && !isSearchable(type)) throw refused("searchable", `there are no words in a ${type}`);
  if (indexed && info.comparesAs === "json") throw refused("indexed", `a ${type} has no order`);
  if (indexed && isWhole) throw refused("indexed", `a ${type} is indexed by its sub-fields: make an index over them`);
  if (defaultValue !== null && Array.isArray(settings["options"])) {
    const known = new Set((settings["options"] as unknown as SelectOption[]).map((option) => option.value));
    for (const value of [defaultValue].flat())
      if (typeof value === "string" && !known.has(value)) throw refused("defaultValue", `has no option "${value}"`);
  }
}
