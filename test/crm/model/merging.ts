import { isDeepStrictEqual } from "node:util";
import { isJsonObject, type Json, type JsonObject } from "../../../src/json.ts";
import { asList, composites, contacts, distinct, isList, isNothing, itemOf } from "./values.ts";
import {
  getKind,
  problemsOf,
  refused,
  sameAs,
  show,
  valueOf,
  visibleFields,
  visibleKinds,
  withItem,
  type Expected,
  type Field,
  type Item,
  type Kind,
  type Verdict,
  type World,
} from "./world.ts";

/** Makes one record of several: `ids` in their order, of which the survivor stays. */
export function merge(world: World, key: string, { ids, survivor }: { ids: string[]; survivor: string }): Verdict {
  const kind = getKind(world, key);
  const items = [survivor, ...ids.filter((id) => id !== survivor)].flatMap((id) => kind.items.get(id) ?? []);
  const [kept, ...others] = items;
  if (kept === undefined || items.length < ids.length || items.some(({ deleted }) => deleted))
    return refused("record-not-found");
  let after = world;
  const events: Expected[] = [];
  for (const item of others) {
    const deleted: Item = { ...item, deleted: true };
    after = withItem(after, key, deleted);
    events.push(change(world, kind, { kind: "deleted", item, after: deleted, changed: [] }));
  }
  const moved = movePointing(after, { kind, survivor, ids });
  after = moved.world;
  events.push(...moved.events);
  const values = mergedValues(visibleFields(world, kind), { kept, others, ids });
  const changed = visibleFields(world, kind).filter(
    (field) => field.key in values && !isDeepStrictEqual(values[field.key], valueOf(kept, field)),
  );
  if (changed.length === 0) return { world: after, events };
  const merged: Item = { ...kept, values: { ...kept.values, ...values } };
  const problems = problemsOf(after, getKind(after, key), { item: merged, before: kept });
  if (problems.size > 0) return { refused: problems };
  const names = changed.map(({ name }) => name);
  events.push(change(world, kind, { kind: "updated", item: kept, after: merged, changed: names }));
  return { world: withItem(after, key, merged), events };
}

function change(
  world: World,
  kind: Kind,
  { kind: what, item, after, changed }: { kind: Expected["kind"]; item: Item; after: Item; changed: string[] },
): Expected {
  const [before, shown] = [item, after].map((each) => show(world, kind, each));
  return { object: kind.name, id: item.id, kind: what, before: before ?? null, after: shown ?? null, changed };
}

interface Merged {
  readonly kept: Item;
  readonly others: readonly Item[];
  readonly ids: readonly string[];
}

function mergedValues(fields: readonly Field[], { kept, others, ids }: Merged): JsonObject {
  const decided = fields.filter(({ type }) => type !== "POSITION");
  const items = [kept, ...others];
  // A relation among the merged would point to itself.
  const usable = (field: Field, item: Item): Json => {
    const value = valueOf(item, field);
    return field.relation !== undefined && ids.includes(String(value)) ? null : value;
  };
  return Object.fromEntries(
    decided.map((field) => {
      const group = field.relation?.group ?? null;
      // Of a relation to several objects all comes from one record.
      const together = group === null ? [field] : decided.filter(({ relation }) => relation?.group === group);
      const source = items.find((item) => together.some((each) => usable(each, item) !== null));
      if (group !== null) return [field.key, source === undefined ? null : usable(field, source)];
      return [
        field.key,
        mergedValue(
          field,
          items.map((item) => usable(field, item)),
        ),
      ];
    }),
  );
}

function mergedValue(field: Field, values: readonly Json[]): Json {
  const filled = values.filter((value) => says(field, value));
  const first = filled[0] ?? values[0] ?? null;
  if (isList(field)) return distinct(field, filled.flatMap(asList));
  const contact = contacts[field.type];
  const named = filled.filter(isJsonObject);
  if (contact === undefined || named.length === 0) return first;
  const { main, list } = contact;
  const leading = named.find((value) => !isNothing(value[main])) ?? named[0] ?? {};
  const beside = named.flatMap((value) => [
    ...(value === leading || isNothing(value[main]) ? [] : [itemOf(field, value)]),
    ...asList(value[list]),
  ]);
  return { ...leading, [list]: distinct(field, [itemOf(field, leading), ...beside]).slice(1) };
}

/** Whether a value says something; of a contact its main part or its list. */
function says(field: Field, value: Json): boolean {
  if (composites[field.type] === undefined || !isJsonObject(value)) return !isNothing(value);
  const contact = contacts[field.type];
  const keys = contact === undefined ? Object.keys(value) : [contact.main, contact.list];
  return keys.some((key) => !isNothing(value[key]));
}

/**
 * Whatever points to a merged record points to the survivor. Where that would make two the same, of a
 * link one goes, and of another record the relation is cleared; they are taken in the order of their ids.
 */
function movePointing(
  world: World,
  { kind, survivor, ids }: { kind: Kind; survivor: string; ids: readonly string[] },
): { world: World; events: Expected[] } {
  let after = world;
  const events: Expected[] = [];
  for (const other of visibleKinds(world)) {
    const pointing = visibleFields(world, other).filter(({ relation }) => relation?.target === kind.key);
    const items = [...other.items.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1));
    for (const item of items) {
      const gone = pointing.filter(
        (field) => ids.includes(String(valueOf(item, field))) && valueOf(item, field) !== survivor,
      );
      if (gone.length === 0 || (other.key === kind.key && ids.includes(item.id))) continue;
      const moved = movedItem(getKind(after, other.key), item, { gone, survivor });
      after = withItem(after, other.key, moved);
      const names = moved.deleted && !item.deleted ? [] : gone.map(({ name }) => name);
      const what = moved.deleted && !item.deleted ? "deleted" : "updated";
      events.push(change(world, other, { kind: what, item, after: moved, changed: names }));
    }
  }
  return { world: after, events };
}

function movedItem(kind: Kind, item: Item, { gone, survivor }: { gone: readonly Field[]; survivor: string }): Item {
  const pointed = (to: Json) => Object.fromEntries(gone.map((field) => [field.key, to]));
  const moved: Item = { ...item, values: { ...item.values, ...pointed(survivor) } };
  if (item.deleted || sameAs(kind, moved).length === 0) return moved;
  if (gone.some(({ relation }) => relation?.cascades === true)) return { ...item, deleted: true };
  return { ...item, values: { ...item.values, ...pointed(null) } };
}
