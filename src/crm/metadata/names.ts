import { sentence } from "../../definition/suggest.ts";
import { ProblemError } from "../../errors.ts";
import { textOf } from "../../json.ts";
import { storedName } from "../ddl.ts";
import type { FieldType } from "../field-types.ts";
import { baseFields } from "../objects.ts";
import type { StoredObject } from "./stored.ts";

/** Words that stand in the place of a plural, or of an id, in the paths of `/rest`. */
const restWords = ["batch", "duplicates", "groupBy", "merge", "metadata", "restore"];
const ownNames = new Set(["id", "__typename", ...baseFields.map(({ name }) => name)]);
/** Of every object, and of every table of Postgres. */
const ownColumns = new Set([
  "id",
  ...baseFields.map(({ column }) => column),
  "tableoid",
  "ctid",
  "xmin",
  "xmax",
  "cmin",
  "cmax",
]);

/** Refuses names of an object that another has. `self`: the object that is renamed. */
export function checkObjectNames(
  all: readonly StoredObject[],
  { name, plural, self }: { name: string; plural: string; self?: string },
): void {
  if (name === plural) throw refused("plural", `"${plural}" is the singular too; records are reached by their plural`);
  for (const [path, wanted] of [["name", name] as const, ["plural", plural] as const]) {
    if (restWords.includes(wanted)) throw refused(path, `"${wanted}" is a word of the API's paths`);
    const other = all.find((each) => each.id !== self && (each.name === wanted || each.plural === wanted));
    if (other !== undefined) throw taken(path, `the object "${other.name}" is called "${wanted}" already`);
  }
}

/** Every name that a path into the object's records may begin with, and what has it. */
export function namesIn(
  object: StoredObject,
  all: readonly StoredObject[],
  self?: string,
): ReadonlyMap<string, string> {
  const names = new Map<string, string>([...ownNames].map((name) => [name, "every object has it"]));
  for (const field of object.fields) {
    if (field.state === "removed" || field.id === self) continue;
    names.set(field.name, `a field of ${object.name} is called so`);
    if (field.type === "RELATION") names.set(relationName(field.name), `a relation of ${object.name} is called so`);
    const group = textOf(field.settings["oneOf"]);
    if (group !== undefined) names.set(group, `a relation of ${object.name} to several objects is called so`);
  }
  for (const other of all)
    for (const field of other.fields) {
      const name = field.type === "RELATION" && field.id !== self ? inverseOf(field.settings, object) : undefined;
      if (name !== undefined && field.state !== "removed")
        names.set(name, `${other.name}.${relationName(field.name)} is seen so from ${object.name}`);
    }
  return names;
}

function inverseOf(settings: StoredObject["fields"][number]["settings"], object: StoredObject): string | undefined {
  const { inverse } = settings;
  if (settings["object"] !== object.name || typeof inverse !== "object" || inverse === null) return undefined;
  return "name" in inverse && typeof inverse["name"] === "string" ? inverse["name"] : undefined;
}

/**
 * Refuses a name that something in the object has; of a relation also the one that paths follow. `self`:
 * the id of the field that is renamed.
 */
export function checkFieldName(
  object: StoredObject,
  all: readonly StoredObject[],
  { name, path, type, self }: { name: string; path: string; type?: FieldType; self?: string },
): void {
  const names = namesIn(object, all, self);
  for (const wanted of type === "RELATION" ? [name, relationName(name)] : [name]) {
    const holder = names.get(wanted);
    if (holder !== undefined) throw taken(path, `"${wanted}" cannot be used: ${holder}`);
  }
}

/** What a relation is followed by: `company` for `companyId`. */
export function relationName(fieldName: string): string {
  return fieldName.replace(/Id$/, "");
}

/** A name in snake case that no other has; what was removed keeps its own until it is dropped. */
export function freeColumn(object: StoredObject, name: string): string {
  const held = new Set([...ownColumns, ...object.fields.map(({ columnName }) => columnName)]);
  return freeName(storedName(name), (column) => held.has(column));
}

export function freeName(wanted: string, isHeld: (name: string) => boolean): string {
  for (let i = 1; ; i++) {
    const name = i === 1 ? wanted : `${wanted}_${i}`;
    if (!isHeld(name)) return name;
  }
}

function taken(path: string, message: string): ProblemError {
  return new ProblemError(409, "name-taken", sentence(`${path}: ${message}`), { issues: [{ path, message }] });
}

export function refused(path: string, message: string): ProblemError {
  return new ProblemError(422, "invalid-metadata", sentence(`${path}: ${message}`), { issues: [{ path, message }] });
}
