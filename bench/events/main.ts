import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import {
  activate,
  countRuns,
  hasRuns,
  lastEnd,
  openStatuses,
  readRun,
  runIdOf,
  startOfRecord,
  type Active,
} from "../api.ts";
import { bystander, fiveSteps, onNote } from "../definitions.ts";
import { percentile } from "../load.ts";
import { measureInTurns } from "../measure.ts";
import { until, withProduct, type Product } from "../product.ts";
import type { EventFigures } from "./report.ts";

const burst = 5_000;
/** Records of one write. */
const batch = 500;
const quickRuns = 500;
const singles = 60;
/** Between another workflow's posts while a burst drains. */
const meanwhileMs = 1_000;

const madeNote = z.object({ data: z.object({ createNote: z.object({ id: z.string() }) }) });

/** One instance: single events, then a burst between two rounds of the quick lane. */
export async function measureEvents(say: (sentence: string) => void): Promise<EventFigures> {
  say("Starting an instance for record events…");
  return withProduct({}, async (product) => {
    const quick = await activate(product, fiveSteps);
    const other = await activate(product, bystander);
    const notes = await activate(product, onNote);
    await measureQuick(product, quick, "warm");
    say("Single events…");
    const single = await measureSingles(product, notes);
    say("A burst of events…");
    const before = await measureQuick(product, quick, "before");
    const drained = await measureBurst(product, { notes, other });
    const after = await measureQuick(product, quick, "after");
    return { ...single, ...drained, besideBurstRunsPerSecond: (before + after) / 2 };
  });
}

async function measureQuick(product: Product, workflow: Active, mark: string): Promise<number> {
  const { quick } = await measureInTurns(product, 1, { quick: { workflow, mark, runs: quickRuns } });
  return quick.perSecond;
}

async function measureSingles(
  product: Product,
  notes: Active,
): Promise<Pick<EventFigures, "eventToRunP50Ms" | "eventToRunP95Ms">> {
  const took: number[] = [];
  for (let number = 0; number < singles; number++) {
    const { body } = await product.call("POST", "/rest/notes", { title: `single-${number}@bench.example` });
    const { id } = madeNote.parse(body).data.createNote;
    let ms: number | undefined;
    await until(`the run of note ${id}`, async () => (ms = await startOfRecord(product, id)) !== undefined, 30_000);
    took.push(ms ?? Number.NaN);
    await until("its end", async () => !(await hasOpen(product, notes)), 30_000);
  }
  took.sort((a, b) => a - b);
  return { eventToRunP50Ms: percentile(took, 0.5), eventToRunP95Ms: percentile(took, 0.95) };
}

function hasOpen(product: Product, workflow: Active): Promise<boolean> {
  return hasRuns(product, workflow.id, openStatuses);
}

type Drained = Omit<EventFigures, "eventToRunP50Ms" | "eventToRunP95Ms" | "besideBurstRunsPerSecond">;

async function measureBurst(product: Product, { notes, other }: { notes: Active; other: Active }): Promise<Drained> {
  const begun = Date.now();
  let isOver = false;
  const posting = postMeanwhile(product, other, () => isOver);
  for (let from = 0; from < burst; from += batch) {
    const rows = Array.from({ length: batch }, (_, n) => ({ title: `burst-${from + n}@bench.example` }));
    const { status } = await product.call("POST", "/rest/batch/notes", rows);
    if (status !== 201) throw new Error(`A batch of notes was answered with ${status}.`);
  }
  const all = burst + singles;
  const isDrained = async (): Promise<boolean> =>
    !(await hasOpen(product, notes)) && (await countRuns(product, notes.id, all)) === all;
  await until("the burst to be over", isDrained, 600_000);
  isOver = true;
  const seconds = ((await lastEnd(product, notes.id, burst)) - begun) / 1_000;
  if (await hasRuns(product, notes.id, ["failed", "stopped-as-loop"])) throw new Error("Runs of the burst failed.");
  const meanwhile = await Promise.all((await posting).map((id) => delaysOf(product, id)));
  const [starts, steps] = [meanwhile.map(({ start }) => start), meanwhile.map(({ step }) => step)];
  for (const list of [starts, steps]) list.sort((a, b) => a - b);
  return {
    eventBurstRunsPerSecond: burst / seconds,
    meanwhileStartP95Ms: percentile(starts, 0.95),
    meanwhileStepP95Ms: percentile(steps, 0.95),
    meanwhileStepWorstMs: steps.at(-1) ?? Number.NaN,
    meanwhileRuns: steps.length,
  };
}

/** Posts now and then until all is over; gives the runs. */
async function postMeanwhile(product: Product, { path }: Active, isOver: () => boolean): Promise<string[]> {
  const ids: string[] = [];
  for (let number = 0; !isOver(); number++) {
    await sleep(meanwhileMs);
    ids.push(runIdOf((await product.post(path, JSON.stringify({ number }))).body));
  }
  return ids;
}

async function delaysOf(product: Product, id: string): Promise<{ start: number; step: number }> {
  await until(`run ${id}`, async () => (await readRun(product, id)).endedAt !== null, 60_000);
  const { createdAt, startedAt, steps } = await readRun(product, id);
  const since = (moment: string | null | undefined): number => Date.parse(moment ?? "") - Date.parse(createdAt);
  return { start: since(startedAt), step: since(steps[0]?.startedAt) };
}
