import { createRecords, updateRecords, upsertRecords, type Batch, type RowOutcome } from "../../../src/crm/batch.ts";
import { isJsonObject, type JsonObject } from "../../../src/json.ts";
import { createId } from "../../../src/ids.ts";
import type { Dice } from "./dice.ts";
import { drawAlive, drawModes, drawValues } from "./draws.ts";
import { diverge, faultOfEvents, groupBy, type Game } from "./game.ts";
import { foresee, judge, type Change, type Seen } from "./judge.ts";
import { drawKind, drawMatch, drawMatched } from "./record-steps.ts";
import { attempt, getObject } from "./system.ts";
import type { Event } from "../support.ts";
import { composites } from "./values.ts";
import { getKind, type Expected, type Kind, type World } from "./world.ts";
import type { Write } from "./writes.ts";

export type Way = "create" | "update" | "upsert";

export interface Drawn {
  readonly way: Way;
  readonly writes: readonly Write[];
  readonly atomic: boolean;
}

export function drawBatch(dice: Dice, game: Game, way: Way): Drawn {
  const kind = drawKind(dice, game);
  const { key: object } = kind;
  const match = way === "upsert" && !dice.oneIn(4) ? drawMatch(dice, game, kind) : [];
  const rows = Array.from({ length: 1 + dice.below(4) }, (): Write => {
    if (way === "update")
      return { object, id: drawAlive(dice, kind), values: drawValues(dice, game.world, kind, { whole: false }) };
    const id = dice.oneIn(4) ? { id: dice.oneIn(2) ? createId() : drawAlive(dice, kind) } : {};
    if (way === "create") return { object, values: drawValues(dice, game.world, kind, { whole: true }), ...id };
    return { object, match, values: drawMatched(dice, game, { kind, match }), ...id };
  });
  const named = Object.assign({}, ...rows.map(({ values }) => values)) as JsonObject;
  // Without match fields any unique one may be what a row is matched by.
  const cleared =
    way === "upsert" ? [...match, ...kind.fields.filter((field) => field.unique).map(({ name }) => name)] : [];
  const modes =
    way === "create" || dice.oneIn(2) ? {} : drawModes(dice, game.world, { kind, values: named, match: cleared });
  return { way, writes: rows.map((row) => ({ ...row, modes })), atomic: dice.oneIn(3) };
}

/** Writes several rows as one and compares what became of each, and their events. */
export async function playBatch(game: Game, dice: Dice, way: Way): Promise<void> {
  const drawn = drawBatch(dice, game, way);
  game.trace.push(`batch ${JSON.stringify(drawn)}`);
  const written = await attempt(() => writeBatch(game, drawn));
  game.trace.push(`  → ${JSON.stringify(written)}`);
  const events = await game.system.newEvents();
  if ("refused" in written) return refuseAll(game, drawn, { code: written.refused, events });
  const units = unitsOf(kindOf(game, drawn), drawn, written.value);
  const after = findOrder(game.world, units, { events, expected: [] });
  if ("wrong" in after) return diverge(game, `No order of the rows explains what was seen; ${after.wrong}`);
  game.world = after.world;
}

function kindOf(game: Game, { writes }: Pick<Drawn, "writes">): Kind {
  return getKind(game.world, writes[0]?.object ?? "");
}

export async function writeBatch(game: Game, { way, writes, atomic }: Drawn): Promise<RowOutcome[]> {
  const writer = await game.system.writer();
  const [first] = writes;
  const object = getObject(writer.objects, kindOf(game, { writes }));
  const rows = writes.map(({ id, values }) => ({ ...values, ...(id === undefined ? {} : { id }) }));
  const batch: Batch = { object, rows, modes: first?.modes, atomic };
  if (way === "create") return createRecords(writer, batch);
  return way === "update"
    ? updateRecords(writer, batch)
    : upsertRecords(writer, { ...batch, match: first?.match ?? [] });
}

/** A row, or rows about the same record that were written as one. */
export interface Unit {
  readonly change: Change;
  readonly seen: Seen;
}

/** Rows that were written as one share their outcome. */
export function unitsOf(kind: Kind, { way, writes }: Drawn, outcomes: readonly RowOutcome[]): Unit[] {
  const groups = groupBy(writes.keys(), (n) => outcomes[n]);
  return [...groups].flatMap(([outcome, places]) => {
    const members = places.flatMap((n) => writes[n] ?? []);
    const [first, ...others] = members;
    if (outcome === undefined || first === undefined) return [];
    return {
      change: { do: way, write: others.reduce((all, write) => putTogether(kind, all, write), first) },
      seen: seenOf(outcome),
    };
  });
}

/** Two rows as one: the later stands above the earlier, of a composite in what it names. */
function putTogether({ fields }: Kind, earlier: Write, later: Write): Write {
  const values: JsonObject = { ...earlier.values };
  for (const [name, value] of Object.entries(later.values)) {
    const empty = composites[fields.find((field) => field.name === name)?.type ?? ""];
    const before = values[name] === null ? empty : values[name];
    const isPart = empty !== undefined && isJsonObject(before) && isJsonObject(value);
    values[name] = isPart ? { ...before, ...value } : value;
  }
  return { ...earlier, values };
}

function seenOf({ outcome, id, record, changedFields, refusal }: RowOutcome): Seen {
  if (refusal !== undefined) return { refused: refusal.code };
  return { outcome, id: id ?? "", record, changedFields };
}

/** The world after the units in one order that explains each of them, and all events; else why none does. */
function findOrder(
  world: World,
  units: readonly Unit[],
  { events, expected }: { events: readonly Event[]; expected: readonly Expected[] },
): { world: World } | { wrong: string } {
  if (units.length === 0) {
    const wrong = faultOfEvents(events, expected);
    return wrong === undefined ? { world } : { wrong };
  }
  let first: string | undefined;
  for (const unit of units) {
    const ruling = judge(world, unit.change, unit.seen);
    const found =
      "wrong" in ruling
        ? ruling
        : findOrder(
            ruling.world,
            units.filter((each) => each !== unit),
            { events, expected: [...expected, ...ruling.events] },
          );
    if (!("wrong" in found)) return found;
    first ??= found.wrong;
  }
  return { wrong: first ?? "there are no rows" };
}

/** Nothing was written, since some row would have been refused. */
function refuseAll(
  game: Game,
  { way, writes, atomic }: Drawn,
  { code, events }: { code: string; events: readonly Event[] },
): void {
  if (!atomic) return diverge(game, `The whole batch was refused: ${code}`);
  if (events.length > 0) return diverge(game, "A batch that was refused left events");
  const together = writes.reduce<Write[]>(
    (all, write) => [
      ...all,
      all.length === 0 ? write : putTogether(kindOf(game, { writes }), all.at(-1) ?? write, write),
    ],
    [],
  );
  const isRefused = (world: World, rest: readonly Write[]): boolean =>
    rest.some((write) => {
      const change: Change = { do: way, write };
      if (!("wrong" in judge(world, change, { refused: code }))) return true;
      const verdict = foresee(world, change, { outcome: "", id: write.id ?? createId(), record: null });
      if ("refused" in verdict) return false;
      return isRefused(
        verdict.world,
        rest.filter((each) => each !== write),
      );
    });
  if (!isRefused(game.world, writes) && !isRefused(game.world, together))
    diverge(game, `No row explains that the batch was refused: ${code}`);
}
