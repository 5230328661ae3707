import { isDeepStrictEqual } from "node:util";
import type { JsonObject } from "../../../src/json.ts";
import type { Event } from "../support.ts";
import { drawBatch, unitsOf, writeBatch, type Unit } from "./batch-steps.ts";
import type { Dice } from "./dice.ts";
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

/** Something that one of several at once does. Gives what was done, change by change, and what came of each. */
type Deed = () => Promise<Unit[]>;

/** Draws what so many do at once: single changes and batches. */
export function drawDeeds(dice: Dice, game: Game, count: number): Deed[] {
  return Array.from({ length: count }, () => (dice.oneIn(4) ? drawBatchDeed(dice, game) : drawDeed(dice, game)));
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
    if ("refused" in written) return diverge(game, `A whole batch was refused: ${written.refused}`);
    return unitsOf(getKind(game.world, drawn.writes[0]?.object ?? ""), drawn, written.value);
  };
}

/** All at once: what each did, and the events that came of it. */
export async function playCrowd(game: Game, deeds: readonly Deed[]): Promise<{ units: Unit[]; events: Event[] }> {
  const done = await Promise.all(deeds.map((deed) => deed()));
  const units = done.flat();
  game.trace.push("at once:", ...units.map((unit) => `  ${JSON.stringify(unit)}`));
  return { units, events: await game.system.newEvents() };
}

/**
 * The world after the changes in some order that explains what each of them saw and all events. Changes
 * without effect may come wherever they are explained; the others are tried in the order of their events first.
 */
export function explain(game: Game, units: readonly Unit[], events: readonly Event[]): World {
  const rest = units.toSorted((a, b) => positionOf(a, events) - positionOf(b, events));
  const search: Search = { tries: 0, wrong: [] };
  const chains = groupBy(events.map(toldOf), placeOf);
  const found = findOrder(search, { world: game.world, rest, chains });
  if (found !== undefined) return found;
  return diverge(game, `No order explains what was seen. Where most was explained:\n${search.wrong.join("\n")}`);
}

/** Where a change's own event stands among all; changes without one last. */
function positionOf({ seen }: Unit, events: readonly Event[]): number {
  if ("refused" in seen) return Infinity;
  const updatedAt = seen.record?.["updatedAt"];
  const own = events.find(
    ({ record_id, after, before }) =>
      record_id === seen.id && (after === null ? before?.["updatedAt"] : after["updatedAt"]) === updatedAt,
  );
  return own?.id ?? Infinity;
}

const mostTries = 20_000;

interface Search {
  tries: number;
  /** What could not be explained, where fewest were left. */
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
      const left = withoutEvents(chains, ruling.events);
      if (left === undefined) wrong.push(`${JSON.stringify(unit.change)}: other events`);
      else next.push({ world: ruling.world, rest: all.filter((each) => each !== unit), chains: left });
    }
    return true;
  });
  if (rest.length === 0 && [...chains.values()].every((chain) => chain.length === 0)) return world;
  if (search.wrong.length === 0 || wrong.length < search.wrong.length) search.wrong = wrong;
  for (const state of next) {
    if ((search.tries += 1) > mostTries) return undefined;
    const found = findOrder(search, { ...state, rest: state.rest.filter((unit) => rest.includes(unit)) });
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
