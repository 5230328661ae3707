import { isDeepStrictEqual } from "node:util";
import type { JsonObject } from "../../../src/json.ts";
import type { Event } from "../support.ts";
import { drawBatch, unitsOf, writeBatch, type Unit } from "./batch-steps.ts";
import { createDice, type Dice } from "./dice.ts";
import { diverge, groupBy, placeOf, toldOf, type Game } from "./game.ts";
import { judge, withoutStamps, type Change } from "./judge.ts";
import { drawChange } from "./record-steps.ts";
import { attempt, perform } from "./system.ts";
import { getKind, type Expected, type World } from "./world.ts";

const changes: readonly Change["do"][] = [
  "create",
  "create",
  "update",
  "update",
  "update",
  "upsert",
  "upsert",
  "remove",
  "destroy",
  "restore",
  "merge",
];

/** Something that one of several at once does: what was done, change by change, and what came of each. */
type Deed = () => Promise<Unit[] | { readonly refused: string }>;

/** Draws what so many do at once: single changes and batches. */
export function drawDeeds(dice: Dice, game: Game, count: number): Deed[] {
  return Array.from({ length: count }, () => (dice.oneIn(5) ? drawBatchDeed(dice, game) : drawDeed(dice, game)));
}

function drawDeed(dice: Dice, game: Game): Deed {
  const change = drawChange(dice, game, dice.pick(changes));
  if (change === undefined) return () => Promise.resolve([]);
  return async () => [{ change, seen: await perform(await game.system.writer(), game.world, change) }];
}

function drawBatchDeed(dice: Dice, game: Game): Deed {
  const drawn = { ...drawBatch(dice, game, dice.pick(["create", "update", "upsert", "upsert"])), atomic: false };
  return async () => {
    const written = await attempt(() => writeBatch(game, drawn));
    if ("refused" in written) return written;
    return unitsOf(getKind(game.world, drawn.writes[0]?.object ?? ""), drawn, written.value);
  };
}

/** All at once: what each did, and why batches were refused as a whole. */
export async function playCrowd(game: Game, deeds: readonly Deed[]): Promise<{ units: Unit[]; refused: string[] }> {
  const done = await Promise.all(deeds.map((deed) => deed()));
  const units = done.flatMap((each) => ("refused" in each ? [] : each));
  game.trace.push("at once:", ...units.map((unit) => `  ${JSON.stringify(unit)}`));
  return { units, refused: done.flatMap((each) => ("refused" in each ? [each.refused] : [])) };
}

/**
 * The world after the changes in some order that explains what each of them saw and all events. Changes
 * without effect may come wherever they are explained; the others are tried in the order of their events
 * first, and then in others, ever farther from it.
 */
export function explain(game: Game, units: readonly Unit[], events: readonly Event[]): World {
  const chains = groupBy(events.map(toldOf), placeOf);
  const dice = createDice(units.length);
  let wrong: readonly string[] = [];
  for (let attempt = 0; attempt < mostAttempts; attempt++) {
    const places = new Map(units.map((unit) => [unit, positionOf(unit, events) + dice.below(1 + 4 * attempt)]));
    const rest = units.toSorted((a, b) => (places.get(a) ?? 0) - (places.get(b) ?? 0));
    const search: Search = { units: rest, seen: new Set(), fewest: Infinity, wrong: [] };
    const found = findOrder(search, { world: game.world, rest, chains });
    if (found !== undefined) return found;
    if (attempt === 0) wrong = search.wrong;
    // It was tried to the end.
    if (search.seen.size <= mostStates) break;
  }
  game.trace.push("events:", ...events.map((event) => `  ${JSON.stringify(toldOf(event))}`));
  return diverge(game, `No order explains what was seen. Where most was explained:\n${wrong.join("\n")}`);
}

/** Where the first event of a change stands among all; changes without one last. */
function positionOf({ change, seen }: Unit, events: readonly Event[]): number {
  if ("refused" in seen) return Number.MAX_SAFE_INTEGER / 2;
  const others = change.do === "merge" ? change.ids.filter((id) => id !== change.survivor) : [];
  const updatedAt = seen.record?.["updatedAt"];
  const own = events.find(({ record_id, kind, after, before }) => {
    if (kind === "deleted" && others.includes(record_id)) return true;
    return record_id === seen.id && (after === null ? before?.["updatedAt"] : after["updatedAt"]) === updatedAt;
  });
  return own?.id ?? Number.MAX_SAFE_INTEGER / 2;
}

const mostAttempts = 12;
const mostStates = 2_000;

interface Search {
  readonly units: readonly Unit[];
  /** Which units and how many events of each record were left where it led nowhere: the world is the same there. */
  readonly seen: Set<string>;
  /** How few were left at best, and why they could not be explained there. */
  fewest: number;
  wrong: string[];
}

interface State {
  readonly world: World;
  readonly rest: readonly Unit[];
  /** Events of each record that no change has explained yet. */
  readonly chains: ReadonlyMap<string, readonly JsonObject[]>;
}

function findOrder(search: Search, { world, rest: all, chains }: State): World | undefined {
  const wrong: string[] = [];
  const next: State[] = [];
  const rest = all.filter((unit) => {
    const ruling = judge(world, unit.change, unit.seen);
    if ("wrong" in ruling) wrong.push(`${JSON.stringify(unit.change)}: ${ruling.wrong}`);
    else if (ruling.events.length === 0) return false;
    else {
      const after = withoutEvents(chains, ruling.events);
      if (after === undefined) wrong.push(`${JSON.stringify(unit.change)}: other events`);
      else next.push({ world: ruling.world, rest: all.filter((each) => each !== unit), chains: after });
    }
    return true;
  });
  const left = [...chains.values()].flat();
  if (rest.length === 0 && left.length === 0) return world;
  if (rest.length === 0) wrong.push(...left.map((event) => `Nobody did: ${JSON.stringify(event)}`));
  if (rest.length < search.fewest) Object.assign(search, { fewest: rest.length, wrong });
  for (const state of next) {
    const others = state.rest.filter((unit) => rest.includes(unit));
    const places = others.map((unit) => search.units.indexOf(unit));
    const lengths = [...state.chains.values()].map((chain) => chain.length);
    const key = `${places.join()} ${lengths.join()}`;
    if (search.seen.has(key) || search.seen.size > mostStates) continue;
    search.seen.add(key);
    const found = findOrder(search, { ...state, rest: others });
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The chains after the next events of their records; undefined: those are others. */
function withoutEvents(chains: State["chains"], events: readonly Expected[]): State["chains"] | undefined {
  const left = new Map(chains);
  for (const event of events) {
    const [next, ...others] = left.get(placeOf(event)) ?? [];
    if (!isDeepStrictEqual(next, { ...event, changed: event.changed.toSorted() })) return undefined;
    left.set(placeOf(event), others);
  }
  return left;
}

/**
 * What is wrong with the events of each record: each goes on from the one before, and tells of a change,
 * with the fields that changed. Fields that came or went between two events are left aside.
 */
export function faultOfChains(events: readonly Event[]): string | undefined {
  for (const chain of groupBy(events, ({ object, record_id }) => `${object} ${record_id}`).values())
    for (const [position, event] of chain.entries()) {
      const earlier = chain[position - 1];
      const fault = (earlier && faultBetween(earlier, event)) ?? faultWithin(event);
      if (fault !== undefined) return `${fault}: ${JSON.stringify([earlier, event])}`;
    }
  return undefined;
}

function faultBetween({ after }: Event, { before, kind }: Event): string | undefined {
  // Whoever makes a record may give it the id of one that was destroyed.
  if (after === null) return kind === "created" ? undefined : "goes on after it was destroyed";
  if (before === null) return `is ${kind} again`;
  return differing(after, before).length === 0 ? undefined : "does not go on from the event before";
}

function faultWithin({ kind, before, after, changed_fields }: Event): string | undefined {
  if (kind !== "updated" || before === null || after === null) return undefined;
  const changed = differing(withoutStamps(before), withoutStamps(after));
  if (changed.length === 0) return "tells of no change";
  return isDeepStrictEqual(changed.toSorted(), changed_fields.toSorted())
    ? undefined
    : "names other fields than changed";
}

function differing(a: JsonObject, b: JsonObject): string[] {
  return Object.keys(a).filter((key) => key in b && !isDeepStrictEqual(a[key], b[key]));
}
