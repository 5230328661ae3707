import { isDeepStrictEqual } from "node:util";
import { isJsonObject, type Json, type JsonObject } from "../../../src/json.ts";
import { composites, contacts, folded, isNothing, meet, shownAs, type Mode } from "./values.ts";
import {
  alive,
  byAge,
  getKind,
  initialValues,
  ownKeys,
  problemsOf,
  refused,
  show,
  valueOf,
  visibleFields,
  withItem,
  type Expected,
  type Field,
  type Item,
  type Kind,
  type Verdict,
  type World,
} from "./world.ts";

export type Modes = { readonly [field: string]: Mode };

/** One write, alone or as a row of a batch. */
export interface Write {
  readonly object: string;
  readonly values: JsonObject;
  readonly modes?: Modes;
  /** The record that is changed, or the id of the one that is made. */
  readonly id?: string;
  /** Of an upsert: fields by name; empty: by id, else by the first unique field that has a value. */
  readonly match?: readonly string[];
  /** Of a creation. */
  readonly ifExists?: "fail" | "use" | "update";
}

/** What a write gave: of a record that came to be, its id and when. */
export interface Made {
  readonly id: string;
  readonly createdAt: string;
}

const isKnown = (fields: readonly Field[]) => (name: string) => fields.some((field) => field.name === name);

/** The faults of what is given, whatever it meets. A marked value is wrong for every type but JSON. */
function faultsOf(fields: readonly Field[], { values, modes = {} }: Write): boolean {
  const isCleared = (field: Field): boolean => {
    const value = values[field.name];
    if (modes[field.name] === "clear") return true;
    if (value === undefined) return false;
    const contact = contacts[field.type];
    if (contact !== undefined && isJsonObject(value)) return contact.main in value && isNothing(value[contact.main]);
    return composites[field.type] === undefined || value === null ? isNothing(value) : false;
  };
  return (
    !Object.keys(values).every(isKnown(fields)) ||
    fields.some((field) => takesWrong(field, { values, modes })) ||
    fields.some((field) => field.required && isCleared(field))
  );
}

/** What no type but JSON takes. */
export const wrongValue: JsonObject = { no: "value" };

function takesWrong({ type, name }: Field, { values, modes = {} }: Pick<Write, "values" | "modes">): boolean {
  return type !== "RAW_JSON" && modes[name] !== "clear" && isDeepStrictEqual(values[name], wrongValue);
}

export function create(world: World, write: Write, made: Made): Verdict {
  const kind = getKind(world, write.object);
  const fields = visibleFields(world, kind);
  if (faultsOf(fields, write)) return refused("invalid-values");
  const item = newItem(kind, fields, { write, made });
  // What can be no record is refused, also where one may turn out to be there.
  const problems = problemsOf(world, kind, { item });
  if (problems.has("invalid-values")) return { refused: problems };
  const { ifExists = "fail" } = write;
  const keys = new Set(givenKeys(kind, write, item));
  const same = alive(kind)
    .filter((other) => ownKeys(kind, other).some((key) => keys.has(key)))
    .toSorted(byAge)[0];
  if (same !== undefined && ifExists !== "fail")
    return change(world, kind, {
      item: same,
      write: ifExists === "use" ? { object: write.object, values: {} } : write,
    });
  return insert(world, kind, { item, write });
}

/** The unique values that the write itself names. */
function givenKeys(kind: Kind, { values }: Write, item: Item): string[] {
  const named = kind.fields.filter(({ name, hidden }) => !hidden && name in values);
  return ownKeys({ ...kind, fields: named }, item);
}

function newItem(kind: Kind, fields: readonly Field[], { write, made }: { write: Write; made: Made }): Item {
  const values = { ...initialValues(kind) };
  for (const field of fields) {
    const given = write.values[field.name];
    const cleared = write.modes?.[field.name] === "clear";
    const empty = meet(field, { old: null, given: null, mode: "clear" });
    if (cleared || given === null) values[field.key] = empty;
    else if (given !== undefined) values[field.key] = meet(field, { old: empty, given, mode: "replace" });
  }
  return { id: write.id ?? made.id, createdAt: made.createdAt, deleted: false, values };
}

function insert(world: World, kind: Kind, { item, write }: { item: Item; write: Write }): Verdict {
  const problems = problemsOf(world, kind, { item });
  // An id is taken by a deleted record too.
  if (kind.items.has(item.id)) problems.add("record-exists");
  if (problems.size > 0) return { refused: problems };
  const after = show(world, kind, item);
  const changed = [...new Set([...Object.keys(write.values), ...clearedOf(write)])];
  const event: Expected = { object: kind.name, id: item.id, kind: "created", before: null, after, changed };
  return { world: withItem(world, kind.key, item), events: [event] };
}

function clearedOf({ modes = {} }: Write): string[] {
  return Object.keys(modes).filter((name) => modes[name] === "clear");
}

export function update(world: World, write: Write): Verdict {
  const kind = getKind(world, write.object);
  if (faultsOf(visibleFields(world, kind), write)) return refused("invalid-values");
  const item = kind.items.get(write.id ?? "");
  if (item === undefined || item.deleted) return refused("record-not-found");
  return change(world, kind, { item, write });
}

function change(world: World, kind: Kind, { item, write }: { item: Item; write: Write }): Verdict {
  const { modes = {}, values: given } = write;
  const fields = visibleFields(world, kind);
  const named = fields.filter(({ name }) => name in given || modes[name] === "clear");
  const values = { ...item.values };
  for (const field of named)
    values[field.key] = meet(field, {
      old: valueOf(item, field),
      given: given[field.name] ?? null,
      mode: modes[field.name] ?? "replace",
    });
  const changed = named.filter((field) => !isDeepStrictEqual(values[field.key], valueOf(item, field)));
  if (changed.length === 0) return { world, events: [] };
  const after: Item = { ...item, values };
  const problems = problemsOf(world, kind, { item: after, before: item });
  if (problems.size > 0) return { refused: problems };
  return {
    world: withItem(world, kind.key, after),
    events: [
      {
        object: kind.name,
        id: item.id,
        kind: "updated",
        before: show(world, kind, item),
        after: show(world, kind, after),
        changed: changed.map(({ name }) => name),
      },
    ],
  };
}

export function upsert(world: World, write: Write, made: Made): Verdict {
  const kind = getKind(world, write.object);
  const fields = visibleFields(world, kind);
  if (faultsOf(fields, write)) return refused("invalid-values");
  const { match = [], values } = write;
  const byId = match.includes("id") || (match.length === 0 && write.id !== undefined);
  if (byId) {
    const item = kind.items.get(write.id ?? "");
    if (item !== undefined && !item.deleted) return change(world, kind, { item, write });
    return insert(world, kind, { item: newItem(kind, fields, { write, made }), write });
  }
  const matching = match.length > 0 ? match : firstUnique(kind, write);
  const sought = fields.filter(({ name }) => matching.includes(name));
  if (sought.length < matching.length || sought.some((field) => !canMatch(field, values[field.name] ?? null)))
    return refused("invalid-values");
  const found = alive(kind)
    .filter((item) => sought.every((field) => isMatch(field, valueOf(item, field), values[field.name] ?? null)))
    .toSorted(byAge)[0];
  if (sought.length > 0 && found !== undefined) return change(world, kind, { item: found, write });
  return insert(world, kind, { item: newItem(kind, fields, { write, made }), write });
}

function firstUnique(kind: Kind, { values }: Write): string[] {
  const named = Object.keys(values).flatMap(
    (name) => kind.fields.find((field) => field.name === name && !field.hidden) ?? [],
  );
  const first = named.find((field) => {
    const contact = contacts[field.type];
    const value = values[field.name] ?? null;
    return field.unique && !isNothing(contact !== undefined && isJsonObject(value) ? value[contact.main] : value);
  });
  return first === undefined ? [] : [first.name];
}

/** Of a composite with a main sub-field that counts, of another all that are given. */
function partsOf(field: Field, given: Json): Record<string, Json> {
  if (!isJsonObject(given) || composites[field.type] === undefined) return { "": given };
  const contact = contacts[field.type];
  const shown = shownAs(field, given);
  if (!isJsonObject(shown)) return {};
  return contact === undefined ? shown : { [contact.main]: shown[contact.main] ?? null };
}

function canMatch(field: Field, given: Json): boolean {
  return Object.values(partsOf(field, given)).some((part) => part !== null && part !== "");
}

function isMatch(field: Field, held: Json, given: Json): boolean {
  return Object.entries(partsOf(field, given)).every(([key, part]) => {
    const own = key === "" ? held : isJsonObject(held) ? (held[key] ?? null) : null;
    const isText = field.type === "TEXT" || contacts[field.type]?.main === key;
    if (part === null) return own === null;
    if (own === null) return false;
    if (!isText) return isDeepStrictEqual(own, shownAs(field, part));
    const wanted = folded(field, String(part));
    return wanted !== undefined && folded(field, String(own)) === wanted;
  });
}
