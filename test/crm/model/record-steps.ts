import type { Json } from "../../../src/json.ts";
import type { Dice } from "./dice.ts";
import { drawAlive, drawId, drawModes, drawValues, drawFilled } from "./draws.ts";
import { diverge, faultOfEvents, type Game } from "./game.ts";
import { judge, type Change } from "./judge.ts";
import { perform } from "./system.ts";
import { visibleFields, visibleKinds, type Kind } from "./world.ts";

/** An object, and those that were made here more often: their fields are of every type. */
export function drawKind(dice: Dice, game: Game): Kind {
  const kinds = visibleKinds(game.world);
  const own = kinds.filter(({ standard }) => !standard);
  return own.length > 0 && !dice.oneIn(3) ? dice.pick(own) : dice.pick(kinds);
}

/** One change of records, drawn from what is there. */
export function drawChange(dice: Dice, game: Game, what: Change["do"]): Change | undefined {
  const kind = drawKind(dice, game);
  const { key: object } = kind;
  const ids = [...kind.items.keys()];
  switch (what) {
    case "create": {
      const values = drawValues(dice, game.world, kind, { whole: true });
      const id = dice.oneIn(20) && ids.length > 0 ? { id: dice.pick(ids) } : {};
      return { do: what, write: { object, values, ifExists: dice.pick(["fail", "fail", "use", "update"]), ...id } };
    }
    case "update": {
      const values = drawValues(dice, game.world, kind, { whole: false });
      const modes = drawModes(dice, game.world, { kind, values });
      return { do: what, write: { object, id: drawAlive(dice, kind), values, modes } };
    }
    case "upsert": {
      const match = drawMatch(dice, game, kind);
      if (match.length === 0) return undefined;
      const values = drawMatched(dice, game, { kind, match });
      return {
        do: what,
        write: { object, match, values, modes: drawModes(dice, game.world, { kind, values, match }) },
      };
    }
    case "remove":
    case "destroy":
      return ids.length === 0 ? undefined : { do: what, object, id: drawAlive(dice, kind) };
    case "restore":
      return ids.length === 0 ? undefined : { do: what, object, id: drawId(dice, kind) };
    case "merge": {
      const merged = [...new Set([drawAlive(dice, kind), drawAlive(dice, kind), drawAlive(dice, kind)])];
      const [survivor = ""] = merged;
      return merged.length < 2
        ? undefined
        : { do: what, object, ids: merged, survivor: dice.oneIn(2) ? survivor : dice.pick(merged) };
    }
  }
}

/** Fields that tell which record is meant, one or two. */
export function drawMatch(dice: Dice, game: Game, kind: Kind): string[] {
  const fields = visibleFields(game.world, kind);
  const unique = fields.filter((field) => field.unique);
  if (game.isCrowded === true) {
    // Whom no index keeps apart only upserts by the same fields do: not what else writes the same meanwhile.
    const guarded = unique.length > 0 ? unique : fields.filter(({ type }) => type === "TEXT").slice(0, 1);
    return guarded.length === 0 ? [] : [dice.pick(guarded).name];
  }
  const pool = unique.length > 0 && !dice.oneIn(3) ? unique : fields;
  const chosen = dice.oneIn(4) ? [dice.pick(pool), dice.pick(fields)] : [dice.pick(pool)];
  return [...new Set(chosen.map(({ name }) => name))];
}

/** Values with those of the match fields among them. */
export function drawMatched(
  dice: Dice,
  game: Game,
  { kind, match }: { kind: Kind; match: readonly string[] },
): { [name: string]: Json } {
  const values = drawValues(dice, game.world, kind, { whole: true });
  for (const field of visibleFields(game.world, kind))
    if (match.includes(field.name) && !dice.oneIn(30)) values[field.name] = drawFilled(dice, game.world, field);
  return values;
}

/** Makes one change and compares what it gave, and its events. */
export async function playChange(game: Game, dice: Dice, what: Change["do"]): Promise<void> {
  const change = drawChange(dice, game, what);
  if (change === undefined) return;
  game.trace.push(JSON.stringify(change));
  const seen = await perform(await game.system.writer(), game.world, change);
  game.trace.push(`  → ${JSON.stringify(seen)}`);
  const ruling = judge(game.world, change, seen);
  if ("wrong" in ruling) return diverge(game, ruling.wrong);
  const fault = faultOfEvents(await game.system.newEvents(), ruling.events);
  if (fault !== undefined) diverge(game, fault);
  game.world = ruling.world;
}
