import { isDeepStrictEqual } from "node:util";
import type { Event } from "../support.ts";
import type { JsonObject } from "../../../src/json.ts";
import { listRecords } from "../../../src/crm/read.ts";
import { withoutStamps } from "./judge.ts";
import { createSystem, firstWorld, getObject, type System } from "./system.ts";
import { show, visibleKinds, type Expected, type World } from "./world.ts";
import type { SqlPool } from "../../../src/sql.ts";

/** The product and the model side by side. */
export interface Game {
  readonly system: System;
  world: World;
  /** Whether many act at once. */
  readonly isCrowded?: boolean;
  /** What was done, for whoever has to find out where the two part. */
  readonly trace: string[];
}

export async function createGame(pool: SqlPool): Promise<Game> {
  const system = await createSystem(pool);
  const { objects } = await system.writer();
  return { system, world: firstWorld(objects), trace: [] };
}

/** Fails with what was expected and seen, and with how it came to that. */
export function diverge(game: Game, message: string): never {
  const shortened = game.trace.map((line) => (line.length > 700 ? `${line.slice(0, 700)}…` : line));
  throw new Error(`${message}\n\nAfter:\n${shortened.join("\n")}`);
}

export function groupBy<T, K>(items: Iterable<T>, keyOf: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return groups;
}

/** Each record's events are as expected, and there are no others. */
export function faultOfEvents(seen: readonly Event[], expected: readonly Expected[]): string | undefined {
  const written = (events: readonly JsonObject[]): Map<string, JsonObject[]> => groupBy(events, placeOf);
  const [saw, wanted] = [
    written(seen.map(toldOf)),
    written(expected.map((event) => ({ ...event, changed: [...event.changed].toSorted() }))),
  ];
  for (const id of new Set([...saw.keys(), ...wanted.keys()]))
    if (!isDeepStrictEqual(saw.get(id), wanted.get(id)))
      return `events of ${id}: expected ${JSON.stringify(wanted.get(id))}, saw ${JSON.stringify(saw.get(id))}`;
  return undefined;
}

/** Which record an event is of: two objects may have one of the same id each. */
export function placeOf({ object, id }: { readonly object?: unknown; readonly id?: unknown }): string {
  return `${String(object)} ${String(id)}`;
}

/** An event as the model tells it. */
export function toldOf({ object, record_id, kind, before, after, changed_fields }: Event): JsonObject {
  return {
    object,
    id: record_id,
    kind,
    before: before && withoutStamps(before),
    after: after && withoutStamps(after),
    changed: changed_fields.toSorted(),
  };
}

/** Every record of every object, deleted ones too, is as the model has it. */
export async function compareAll(game: Game): Promise<void> {
  const { objects } = await game.system.writer();
  const names = objects.list().map(({ name }) => name);
  const kinds = visibleKinds(game.world);
  const expectedNames = kinds.map(({ name }) => name);
  if (!isDeepStrictEqual(names.toSorted(), expectedNames.toSorted()))
    diverge(game, `Objects: expected ${expectedNames.join()}, saw ${names.join()}`);
  for (const kind of kinds) {
    const object = getObject(objects, kind);
    const { records } = await listRecords(game.system.pool, { objects, object, limit: 1_000, deleted: true });
    const seen = new Map(
      records.map((record) => [record["id"], { ...withoutStamps(record), deleted: record["deletedAt"] !== null }]),
    );
    const expected = new Map(
      [...kind.items.values()].map((item) => [item.id, { ...show(game.world, kind, item), deleted: item.deleted }]),
    );
    for (const id of new Set([...seen.keys(), ...expected.keys()]))
      if (!isDeepStrictEqual(seen.get(id), expected.get(String(id))))
        diverge(
          game,
          `${kind.name} ${String(id)}: expected ${JSON.stringify(expected.get(String(id)))}, saw ${JSON.stringify(seen.get(id))}`,
        );
  }
}
