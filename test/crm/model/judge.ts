import { isDeepStrictEqual } from "node:util";
import type { JsonObject } from "../../../src/json.ts";
import { merge } from "./merging.ts";
import { destroy, remove, restore } from "./removals.ts";
import { getKind, visibleFields, type Expected, type Verdict, type World } from "./world.ts";
import { create, update, upsert, wrongValue, type Write } from "./writes.ts";

/** One change of records, by the key of their object. */
export type Change =
  | { readonly do: "create" | "update" | "upsert"; readonly write: Write }
  | { readonly do: "remove" | "destroy" | "restore"; readonly object: string; readonly id: string }
  | { readonly do: "merge"; readonly object: string; readonly ids: string[]; readonly survivor: string };

/** What the product said of a change. */
export type Seen =
  | { readonly refused: string }
  | {
      readonly outcome: string;
      readonly id: string;
      readonly record: JsonObject | null;
      readonly changedFields?: readonly string[];
    };

/** What the model says comes of a change. `seen` tells only the id and moment of a record that came to be. */
export function foresee(world: World, change: Change, seen: Seen): Verdict {
  switch (change.do) {
    case "create":
      return create(world, change.write, madeOf(seen));
    case "update":
      return update(world, change.write);
    case "upsert":
      return upsert(world, change.write, madeOf(seen));
    case "remove":
      return remove(world, change.object, change.id);
    case "destroy":
      return destroy(world, change.object, change.id);
    case "restore":
      return restore(world, change.object, change.id);
    case "merge":
      return merge(world, change.object, change);
  }
}

function madeOf(seen: Seen): { id: string; createdAt: string } {
  if ("refused" in seen) return { id: "refused", createdAt: "" };
  return { id: seen.id, createdAt: String(seen.record?.["createdAt"] ?? "") };
}

export type Ruling = { readonly world: World; readonly events: Expected[] } | { readonly wrong: string };

/** Whether what was seen is what the model says; if so, the world after it. */
export function judge(world: World, change: Change, seen: Seen): Ruling {
  const verdict = foresee(world, change, seen);
  if ("refused" in seen && isLost(world, change, seen.refused)) return { world, events: [] };
  if ("refused" in verdict) {
    const codes = [...verdict.refused].join(" or ");
    if ("refused" in seen && verdict.refused.has(seen.refused)) return { world, events: [] };
    return { wrong: `expected a refusal (${codes}), saw ${JSON.stringify(seen)}` };
  }
  if ("refused" in seen) return { wrong: `expected success, saw the refusal ${seen.refused}` };
  const wrong = faultOfSuccess(verdict, change, seen);
  return wrong === undefined ? verdict : { wrong };
}

/** What is given may be refused for what it is, whatever would become of it: a relation to no record, a wrong value. */
function isLost(world: World, change: Change, code: string): boolean {
  if (!("write" in change)) return false;
  const { object, values } = change.write;
  if (code === "invalid-values") return Object.values(values).some((value) => isDeepStrictEqual(value, wrongValue));
  if (code !== "related-record-not-found") return false;
  return visibleFields(world, getKind(world, object)).some(({ name, relation }) => {
    const id = values[name] ?? null;
    return relation !== undefined && id !== null && !getKind(world, relation.target).items.has(String(id));
  });
}

function faultOfSuccess(
  { world, events }: { world: World; events: Expected[] },
  change: Change,
  seen: Exclude<Seen, { refused: string }>,
): string | undefined {
  const key = "write" in change ? change.write.object : change.object;
  const kind = getKind(world, key);
  const own =
    events.find(({ id, kind: what }) => id === seen.id && what !== "deleted") ??
    events.find(({ id }) => id === seen.id);
  if (change.do !== "merge") {
    const outcome = outcomeOf(change, own);
    if (seen.outcome !== outcome) return `expected the outcome ${outcome}, saw ${JSON.stringify(seen)}`;
  }
  const item = kind.items.get(seen.id);
  if (item !== undefined && seen.record !== null) {
    const expected = Object.fromEntries([
      ["id", item.id],
      ...visibleFields(world, kind).map((field) => [field.name, item.values[field.key] ?? null]),
    ]);
    const shown = withoutStamps(seen.record);
    if (!isDeepStrictEqual(shown, expected))
      return `expected the record ${JSON.stringify(expected)}, saw ${JSON.stringify(shown)}`;
    if ((seen.record["deletedAt"] !== null) !== item.deleted) return `deletedAt is ${String(seen.record["deletedAt"])}`;
  }
  const changed = own === undefined || change.do === "merge" ? undefined : [...own.changed].toSorted();
  if (seen.changedFields !== undefined && !isDeepStrictEqual([...seen.changedFields].toSorted(), changed ?? []))
    return `expected that ${JSON.stringify(changed)} changed, saw ${JSON.stringify(seen.changedFields)}`;
  return undefined;
}

function outcomeOf(change: Change, event: Expected | undefined): string {
  if (event === undefined) return change.do === "remove" || change.do === "destroy" ? "absent" : "unchanged";
  return event.kind === "destroyed" ? "deleted" : event.kind;
}

/** A record without what the CRM itself stamps on it. */
export function withoutStamps(record: JsonObject): JsonObject {
  const { createdAt: _c, updatedAt: _u, deletedAt: _d, createdBy: _cb, updatedBy: _ub, ...shown } = record;
  return shown;
}
