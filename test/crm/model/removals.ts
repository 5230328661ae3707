import type { Json } from "../../../src/json.ts";
import {
  getKind,
  problemsOf,
  refused,
  show,
  valueOf,
  visibleFields,
  visibleKinds,
  withItem,
  withoutItem,
  type Expected,
  type Field,
  type Item,
  type Kind,
  type Verdict,
  type World,
} from "./world.ts";

/** Marks a record as deleted. */
export function remove(world: World, key: string, id: string): Verdict {
  const kind = getKind(world, key);
  const item = kind.items.get(id);
  if (item === undefined || item.deleted) return { world, events: [] };
  const after = { ...item, deleted: true };
  const event = eventOf(world, kind, { kind: "deleted", item, after });
  return { world: withItem(world, key, after), events: [event] };
}

export function restore(world: World, key: string, id: string): Verdict {
  const kind = getKind(world, key);
  const item = kind.items.get(id);
  if (item === undefined) return refused("record-not-found");
  if (!item.deleted) return { world, events: [] };
  const after = { ...item, deleted: false };
  const problems = problemsOf(world, kind, { item: after, before: item });
  if (problems.size > 0) return { refused: problems };
  const event = eventOf(world, kind, { kind: "restored", item, after });
  return { world: withItem(world, key, after), events: [event] };
}

function eventOf(
  world: World,
  { name, ...kind }: Kind,
  { kind: what, item, after }: { kind: Expected["kind"]; item: Item; after: Item | null },
): Expected {
  const shown = (each: Item) => show(world, { name, ...kind }, each);
  return {
    object: name,
    id: item.id,
    kind: what,
    before: shown(item),
    after: after === null ? null : shown(after),
    changed: [],
  };
}

interface Doomed {
  readonly kind: Kind;
  readonly item: Item;
}

/** Destroys a record, and those that go with it; what else points to any of them is cleared. */
export function destroy(world: World, key: string, id: string): Verdict {
  const item = getKind(world, key).items.get(id);
  if (item === undefined) return { world, events: [] };
  const doomed = withFollowers(world, { kind: getKind(world, key), item });
  const isDoomed = (target: string, value: Json): boolean =>
    doomed.some((each) => each.kind.key === target && each.item.id === value);
  let after = world;
  for (const each of doomed) after = withoutItem(after, each.kind.key, each.item.id);
  const events = doomed.map((each) => eventOf(world, each.kind, { kind: "destroyed", item: each.item, after: null }));
  for (const kind of after.values())
    for (const pointing of kind.items.values()) {
      const cleared = kind.fields.filter(
        (field) => field.relation !== undefined && isDoomed(field.relation.target, valueOf(pointing, field)),
      );
      if (cleared.length === 0) continue;
      const values = { ...pointing.values, ...Object.fromEntries(cleared.map((field) => [field.key, null])) };
      const left: Item = { ...pointing, values };
      const problems = problemsOf(after, kind, { item: left, before: pointing });
      if (problems.size > 0) return { refused: problems };
      after = withItem(after, kind.key, left);
      const changed = seen(world, kind, cleared);
      if (kind.hidden || changed.length === 0) continue;
      const event = eventOf(world, kind, { kind: "updated", item: pointing, after: left });
      events.push({ ...event, changed });
    }
  return { world: after, events };
}

function seen(world: World, kind: Kind, fields: readonly Field[]): string[] {
  const visible = visibleFields(world, kind);
  return fields.flatMap((field) => (visible.includes(field) ? [field.name] : []));
}

/** The record, all that goes with it, all that goes with those, and so on. */
function withFollowers(world: World, first: Doomed): Doomed[] {
  const doomed = [first];
  for (const { kind: target, item: gone } of doomed)
    for (const kind of visibleKinds(world)) {
      const following = visibleFields(world, kind).filter(
        ({ relation }) => relation?.cascades === true && relation.target === target.key,
      );
      for (const item of kind.items.values()) {
        const follows = following.some((field) => valueOf(item, field) === gone.id);
        if (follows && !doomed.some((each) => each.item.id === item.id)) doomed.push({ kind, item });
      }
    }
  return doomed;
}
