import { expect, test } from "vitest";
import { changeField } from "../../../src/crm/metadata/change-field.ts";
import { createField } from "../../../src/crm/metadata/create-field.ts";
import { fieldDefinition } from "../../../src/crm/metadata/definitions.ts";
import { createIndex } from "../../../src/crm/metadata/indexes.ts";
import { createObject } from "../../../src/crm/metadata/objects.ts";
import { createTestDatabase } from "../../support/database.ts";
import { drawDeeds, explain, faultOfChains, playCrowd } from "./crowd.ts";
import { createDice } from "./dice.ts";
import { compareAll, type Game } from "./game.ts";
import { playChange } from "./record-steps.ts";
import { attempt, createSystem, firstWorld } from "./system.ts";
import { seedsOf } from "./seeds.ts";

const { pool } = await createTestDatabase();

/** A workspace where much must be unique and records point to one another. */
async function createCrowded(seed: number): Promise<Game> {
  const system = await createSystem(pool);
  const metadata = { pool, workspace: system.workspace };
  const field = (input: object) => fieldDefinition.parse(input);
  await createObject(metadata, {
    name: "deal",
    plural: "deals",
    fields: [
      { name: "code", type: "TEXT", unique: true, compares: "without-case" },
      { name: "phase", type: "SELECT", options: ["RED", "GREEN"].map((value) => ({ value, label: value })) },
      { name: "contact", type: "EMAILS", unique: true },
      { name: "tags", type: "ARRAY" },
    ],
  });
  await createField(metadata, "deal", field({ name: "buyer", type: "RELATION", object: "company" }));
  await createField(metadata, "deal", field({ name: "parent", type: "RELATION", object: "deal", unique: true }));
  await createObject(metadata, { name: "part", plural: "parts", linkable: false });
  await createField(
    metadata,
    "part",
    field({ name: "of", type: "RELATION", object: "deal", onDelete: "cascade", required: true }),
  );
  await createIndex(metadata, "deal", { fields: ["phase", "name"], unique: true });
  const { objects } = await system.writer();
  const game: Game = { system, world: firstWorld(objects), isCrowded: true, trace: [] };
  const dice = createDice(seed);
  for (let i = 0; i < 20; i++) await playChange(game, dice, "create");
  game.trace.length = 0;
  return game;
}

const seeds = seedsOf(1, 2, 3, 4);

test.each(seeds)("whatever many do at once comes out as in some order, one after the other (seed %i)", async (seed) => {
  const game = await createCrowded(seed);
  const dice = createDice(seed + 1);
  for (let round = 0; round < 30; round++) {
    const { units, refused } = await playCrowd(game, drawDeeds(dice, game, 8 + dice.below(9)));
    expect(refused).toEqual([]);
    const events = await game.system.newEvents();
    expect(faultOfChains(events)).toBeUndefined();
    game.world = explain(game, units, events);
    await compareAll(game);
    game.trace.length = 0;
  }
});

test.each(seeds)(
  "while fields change others go on, and each event goes on from the one before (seed %i)",
  async (seed) => {
    const game = await createCrowded(seed);
    const metadata = { pool, workspace: game.system.workspace };
    const dice = createDice(seed + 2);
    for (let round = 0; round < 6; round++) {
      const named = { objectName: "deal", fieldName: dice.pick(["code", "phase", "tags", "contact"]) };
      const even = round % 2 === 0;
      const deeds = drawDeeds(dice, game, 12);
      await Promise.all([
        attempt(() =>
          createField(metadata, "deal", { name: `more${round}`, type: "TEXT", defaultValue: "x", indexed: even }),
        ),
        attempt(() =>
          changeField(metadata, named, dice.pick([{ unique: even }, { required: !even }, { active: !even }])),
        ),
        attempt(() => changeField(metadata, { ...named, fieldName: "name" }, { searchable: even, indexed: even })),
        playCrowd(game, deeds),
        playCrowd(game, drawDeeds(dice, game, 4)),
      ]);
    }
    const fault = faultOfChains(await game.system.newEvents());
    expect(fault).toBeUndefined();
  },
);
