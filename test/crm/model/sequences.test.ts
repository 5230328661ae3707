import fc from "fast-check";
import { expect, test } from "vitest";
import { createTestDatabase } from "../../support/database.ts";
import { playBatch } from "./batch-steps.ts";
import { createDice, type Dice } from "./dice.ts";
import { compareAll, createGame, type Game } from "./game.ts";
import {
  drawFieldChange,
  drawFieldRemoval,
  drawIndexChange,
  drawNewField,
  drawNewObject,
  drawObjectChange,
  playMetadata,
} from "./metadata-steps.ts";
import { playChange } from "./record-steps.ts";
import { playSearch, playTextSearch } from "./search-steps.ts";
import { seedsOf } from "./seeds.ts";

const { pool } = await createTestDatabase();

/** Every kind of step, with how often it comes. */
const plays: Readonly<Record<string, { weight: number; play: (game: Game, dice: Dice) => Promise<void> }>> = {
  create: { weight: 14, play: (game, dice) => playChange(game, dice, "create") },
  update: { weight: 12, play: (game, dice) => playChange(game, dice, "update") },
  upsert: { weight: 8, play: (game, dice) => playChange(game, dice, "upsert") },
  remove: { weight: 3, play: (game, dice) => playChange(game, dice, "remove") },
  restore: { weight: 3, play: (game, dice) => playChange(game, dice, "restore") },
  destroy: { weight: 3, play: (game, dice) => playChange(game, dice, "destroy") },
  merge: { weight: 4, play: (game, dice) => playChange(game, dice, "merge") },
  createBatch: { weight: 4, play: (game, dice) => playBatch(game, dice, "create") },
  updateBatch: { weight: 4, play: (game, dice) => playBatch(game, dice, "update") },
  upsertBatch: { weight: 6, play: (game, dice) => playBatch(game, dice, "upsert") },
  search: { weight: 18, play: playSearch },
  textSearch: { weight: 4, play: playTextSearch },
  newObject: { weight: 2, play: (game, dice) => playMetadata(game, dice, drawNewObject) },
  newField: { weight: 5, play: (game, dice) => playMetadata(game, dice, drawNewField) },
  changeField: { weight: 6, play: (game, dice) => playMetadata(game, dice, drawFieldChange) },
  removeField: { weight: 1, play: (game, dice) => playMetadata(game, dice, drawFieldRemoval) },
  changeObject: { weight: 1, play: (game, dice) => playMetadata(game, dice, drawObjectChange) },
  changeIndex: { weight: 2, play: (game, dice) => playMetadata(game, dice, drawIndexChange) },
};

/** A step: what is done, and the number that decides the rest. */
const step = fc.record({
  do: fc.oneof(...Object.entries(plays).map(([name, { weight }]) => ({ weight, arbitrary: fc.constant(name) }))),
  seed: fc.noShrink(fc.integer()),
});

/** So that there is something to do things with. */
const opening = [
  { do: "newObject", seed: 11 },
  { do: "newObject", seed: 22 },
  { do: "newField", seed: 33 },
  { do: "newField", seed: 44 },
];

async function play(sequence: readonly { do: string; seed: number }[]): Promise<void> {
  const game = await createGame(pool);
  for (const { do: name, seed } of sequence) {
    await plays[name]?.play(game, createDice(seed));
  }
  await compareAll(game);
}

test.each(seedsOf(1, 2, 3, 4, 5, 6))(
  "whatever is done one after the other comes out as in a plain model (seed %i)",
  async (seed) => {
    const sequences = fc.array(step, { minLength: 1, maxLength: 120, size: "max" });
    const run = fc.assert(
      fc.asyncProperty(sequences, fc.integer(), async (sequence, first) => {
        await play([...opening.map((each) => ({ ...each, seed: each.seed + first })), ...sequence]);
      }),
      { seed, numRuns: 7, interruptAfterTimeLimit: 40_000 },
    );
    await expect(run).resolves.toBeUndefined();
  },
);
