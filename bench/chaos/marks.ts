import { z } from "zod";
import type { Product } from "../product.ts";
import { listAll, tally } from "./recount.ts";
import type { Trial } from "./trial.ts";

/** What the trials left, against what they had to leave. */
export interface Marked {
  readonly expected: number;
  readonly lost: readonly string[];
  /** Left twice, or without having been asked for, or against what a trial promises. */
  readonly wrong: readonly string[];
}

const noteShape = z.object({ title: z.string().nullable() });

/** Titles of all notes, with how many there are of each. */
export async function readTitles(product: Product): Promise<ReadonlyMap<string, number>> {
  return tally((await listAll(product, "notes", noteShape)).map(({ title }) => title ?? ""));
}

/** Which of the trials' notes are not there yet. */
export function missingMarks(trials: readonly Trial[], titles: ReadonlyMap<string, number>): string[] {
  return trials.flatMap((trial) => trial.marks()).filter((title) => !titles.has(title));
}

export async function recountMarks(product: Product, trials: readonly Trial[]): Promise<Marked> {
  const titles = await readTitles(product);
  const expected = new Set(trials.flatMap((trial) => trial.marks()));
  const judgedByTrial = /^(queue-latest|skip|replace) /;
  const unasked = [...titles.keys()].filter((title) => !expected.has(title) && !judgedByTrial.test(title));
  const doubled = [...titles].filter(([, count]) => count > 1).map(([title]) => title);
  const faults = await Promise.all(trials.map(async (trial) => trial.faults?.(titles) ?? []));
  return {
    expected: expected.size,
    lost: missingMarks(trials, titles).map((title) => `the note "${title}"`),
    wrong: [
      ...unasked.map((title) => `the note "${title}" was not asked for`),
      ...doubled.map((title) => `the note "${title}" is there ${titles.get(title)} times`),
      ...faults.flat(),
    ],
  };
}
