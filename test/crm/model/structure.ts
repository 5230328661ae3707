import type { Json, JsonObject } from "../../../src/json.ts";
import { composites, contacts, isFilled, isList, shownAs } from "./values.ts";
import {
  alive,
  defaultOf,
  getKind,
  refused,
  uniqueKeys,
  valueOf,
  withKind,
  type Field,
  type Item,
  type Kind,
  type Verdict,
  type World,
} from "./world.ts";

/** A field as it is asked for. */
export interface NewField {
  readonly name: string;
  readonly type: string;
  readonly required?: boolean;
  readonly unique?: boolean;
  readonly searchable?: boolean;
  readonly indexed?: boolean;
  readonly defaultValue?: Json;
  readonly options?: { value: string; label: string }[];
  readonly compares?: Field["compares"];
  readonly object?: string;
  readonly objects?: string[];
  readonly onDelete?: "cascade" | "set-null";
  readonly inverse?: { name: string; label: string };
}

/** One change of a field: nothing else changes with it. */
export type FieldChange =
  | { required: boolean }
  | { unique: boolean }
  | { searchable: boolean }
  | { indexed: boolean }
  | { name: string }
  | { active: boolean }
  | { defaultValue: Json }
  | { options: { value: string; label: string }[] };

const wordless = ["BOOLEAN", "DATE", "DATE_TIME", "RATING", "RAW_JSON", "RELATION", "POSITION", "CURRENCY"];

/** Whether a field of the type can be so at all. */
export function can(type: string, what: "unique" | "searchable" | "indexed"): boolean {
  const isWhole = composites[type] !== undefined && contacts[type] === undefined;
  if (what === "searchable") return !wordless.includes(type);
  if (isWhole || type === "RAW_JSON") return false;
  return what === "indexed" || (!isList({ type }) && type !== "BOOLEAN");
}

/** So that a field that comes after one of its name is another. */
let keys = 0;

/** A field of the model for what was asked. `target`: the object that it points to. */
export function fieldOf(
  kind: Kind,
  input: NewField,
  { target, group = null }: { target?: Kind; group?: string | null } = {},
): Field {
  const { type, name, defaultValue = null } = input;
  return {
    key: `${kind.key}.${name}.${(keys += 1)}`,
    name,
    type,
    compares: input.compares ?? (type === "EMAILS" ? "without-case" : "exactly"),
    required: input.required === true,
    unique: input.unique === true,
    searchable: input.searchable === true,
    standard: false,
    defaultValue: defaultValue === null ? null : shownAs({ type }, defaultValue),
    options: (input.options ?? []).map(({ value }) => value),
    ...(target === undefined
      ? {}
      : { relation: { target: target.key, cascades: input.onDelete === "cascade", group } }),
    hidden: false,
  };
}

export function addObject(
  world: World,
  { key, name, plural, fields }: { key: string; name: string; plural: string; fields: readonly NewField[] },
): Verdict {
  const isTaken = [...world.values()].some((kind) =>
    [name, plural].some((each) => each === kind.name || each === kind.plural),
  );
  if (isTaken) return refused("name-taken");
  const position = fieldOf(blank, { name: "position", type: "POSITION" });
  let kind: Kind = { ...blank, key, name, plural, fields: [position] };
  for (const field of [{ name: "name", type: "TEXT", searchable: true }, ...fields])
    kind = { ...kind, fields: [...kind.fields, fieldOf(kind, field)] };
  return { world: withKind(world, kind), events: [] };
}

const blank: Kind = {
  key: "",
  name: "",
  plural: "",
  standard: false,
  hidden: false,
  fields: [],
  together: [],
  items: new Map(),
};

/** Hides an object, or shows it again. */
export function hideObject(world: World, key: string, hidden: boolean): Verdict {
  const kind = getKind(world, key);
  const isNeeded = [...world.values()].some(
    (other) =>
      !other.hidden &&
      other.key !== key &&
      other.fields.some((field) => !field.hidden && field.required && field.relation?.target === key),
  );
  if (hidden && !kind.hidden && isNeeded) return refused("required-field");
  return { world: withKind(world, { ...kind, hidden }), events: [] };
}

export function removeObject(world: World, key: string): Verdict {
  const after = new Map(world);
  after.delete(key);
  for (const kind of after.values()) {
    const fields = kind.fields.filter(({ relation }) => relation?.target !== key);
    const kept = new Set(fields.map((field) => field.key));
    const together = kind.together.filter((each) => each.fields.every((field) => kept.has(field)));
    after.set(kind.key, { ...kind, fields, together });
  }
  return { world: after, events: [] };
}

export function renameObject(world: World, key: string, { name, plural }: { name: string; plural: string }): Verdict {
  const isTaken = [...world.values()].some(
    (kind) => kind.key !== key && [name, plural].some((each) => each === kind.name || each === kind.plural),
  );
  if (isTaken) return refused("name-taken");
  return { world: withKind(world, { ...getKind(world, key), name, plural }), events: [] };
}

/** Adds fields; the records that are there get their defaults. */
export function addFields(world: World, key: string, added: readonly Field[]): Verdict {
  const kind = getKind(world, key);
  const problems = added.flatMap((field) => {
    const isLacking = field.required && !isFilled(field, defaultOf(field)) && alive(kind).length > 0;
    return [
      ...(isNameTaken(kind, field.key, [...namesOf(field), ...groupOf(field)]) ? ["name-taken"] : []),
      ...(isLacking ? ["records-without-value"] : []),
      ...(field.unique && field.defaultValue !== null ? ["invalid-metadata"] : []),
    ];
  });
  if (problems.length > 0) return refused(...problems);
  const filled = Object.fromEntries(added.map((field) => [field.key, defaultOf(field)]));
  return {
    world: withKind(world, { ...kind, fields: [...kind.fields, ...added], items: withValues(kind, filled) }),
    events: [],
  };
}

/** Relations are also called what paths follow. */
function namesOf({ name, relation }: Field): string[] {
  return relation === undefined ? [name] : [name, name.replace(/Id$/, "")];
}

function groupOf({ relation }: Field): string[] {
  return relation?.group === undefined || relation.group === null ? [] : [relation.group];
}

function isNameTaken({ fields }: Kind, key: string, names: readonly string[]): boolean {
  const held = fields.filter((each) => each.key !== key).flatMap((each) => [...namesOf(each), ...groupOf(each)]);
  return names.some((name) => held.includes(name));
}

function withValues({ items }: Kind, values: JsonObject): ReadonlyMap<string, Item> {
  return new Map([...items].map(([id, item]) => [id, { ...item, values: { ...item.values, ...values } }]));
}

export function changeField(world: World, { key, field }: { key: string; field: Field }, change: FieldChange): Verdict {
  const kind = getKind(world, key);
  const changed = changedField(field, change);
  const problems = faultsOfChange(kind, { field, changed }, change);
  if (problems.length > 0) return refused(...problems);
  const fields = kind.fields.map((each) => (each.key === field.key ? changed : each));
  return { world: withKind(world, { ...kind, fields }), events: [] };
}

function changedField(field: Field, change: FieldChange): Field {
  if ("required" in change) return { ...field, required: change.required };
  if ("unique" in change) return { ...field, unique: change.unique };
  if ("searchable" in change) return { ...field, searchable: change.searchable };
  if ("name" in change) return { ...field, name: change.name };
  if ("active" in change) return { ...field, hidden: !change.active };
  if ("options" in change) return { ...field, options: change.options.map(({ value }) => value) };
  if ("defaultValue" in change)
    return { ...field, defaultValue: change.defaultValue === null ? null : shownAs(field, change.defaultValue) };
  return field;
}

function faultsOfChange(
  kind: Kind,
  { field, changed }: { field: Field; changed: Field },
  change: FieldChange,
): string[] {
  const faults: string[] = [];
  const { type, name } = field;
  if (changed.name !== name) {
    if (field.standard) faults.push("standard-field");
    if (isNameTaken(kind, field.key, namesOf(changed))) faults.push("name-taken");
  }
  const items = alive(kind);
  if (changed.required && !field.required && items.some((item) => !isFilled(field, valueOf(item, field))))
    faults.push("records-without-value");
  if (changed.unique && !field.unique) {
    const keys = items.flatMap((item) => uniqueKeys({ ...kind, fields: [changed], together: [] }, item));
    if (new Set(keys).size < keys.length) faults.push("records-with-same-value");
  }
  const cannot = (["unique", "searchable", "indexed"] as const).filter((what) => what in change && !can(type, what));
  if (cannot.some((what) => (change as Record<string, boolean>)[what])) faults.push("invalid-metadata");
  if (changed.unique && changed.defaultValue !== null) faults.push("invalid-metadata");
  if ("active" in change && !change.active) faults.push(...faultsOfHiding(kind, field));
  if ("options" in change) faults.push(...faultsOfOptions(kind, field, changed));
  return faults;
}

export function faultsOfHiding(kind: Kind, field: Field): string[] {
  const isJoined = field.isHeld === true || kind.together.some(({ fields }) => fields.includes(field.key));
  const isNeeded = field.required && !isFilled(field, defaultOf(field));
  return [...(isJoined ? ["in-use"] : []), ...(isNeeded && !field.hidden ? ["required-field"] : [])];
}

function faultsOfOptions(kind: Kind, field: Field, changed: Field): string[] {
  const lost = field.options.filter((option) => !changed.options.includes(option));
  const isLost = (value: Json): boolean => [value].flat().some((option) => lost.includes(String(option)));
  const isHeld = [...kind.items.values()].some((item) => isLost(valueOf(item, field)));
  return [...(isHeld ? ["option-in-use"] : []), ...(isLost(field.defaultValue) ? ["invalid-metadata"] : [])];
}

export function removeField(world: World, key: string, field: Field): Verdict {
  const kind = getKind(world, key);
  if (field.standard) return refused("standard-field");
  const faults = faultsOfHiding(kind, field).filter((fault) => fault !== "required-field");
  if (faults.length > 0) return refused(...faults);
  const fields = kind.fields.filter((each) => each.key !== field.key);
  return { world: withKind(world, { ...kind, fields }), events: [] };
}

/** Lets fields together be unique. */
export function joinFields(
  world: World,
  key: string,
  { id, fields }: { id: string; fields: readonly Field[] },
): Verdict {
  const kind = getKind(world, key);
  const keys = fields.map((field) => field.key);
  if (kind.together.some((each) => each.fields.join() === keys.join())) return refused("index-exists");
  const together = { id, fields: keys };
  const held = alive(kind).flatMap((item) =>
    uniqueKeys({ ...kind, fields: fields.map((field) => ({ ...field, unique: false })), together: [together] }, item),
  );
  if (new Set(held).size < held.length) return refused("records-with-same-value");
  return { world: withKind(world, { ...kind, together: [...kind.together, together] }), events: [] };
}

export function partFields(world: World, key: string, id: string): Verdict {
  const kind = getKind(world, key);
  return { world: withKind(world, { ...kind, together: kind.together.filter((each) => each.id !== id) }), events: [] };
}
