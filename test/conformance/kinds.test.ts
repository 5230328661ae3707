import { isDeepStrictEqual } from "node:util";
import { describe, expect, test } from "vitest";
import { controlKinds } from "../../src/definition/schema.ts";
import type { Json, JsonObject } from "../../src/json.ts";
import { definitionOf, type FinishedRun } from "../support/engine.ts";
import { until } from "../support/until.ts";
import { common, createCases, type Case } from "./support/cases.ts";
import { nameless } from "./support/nameless.ts";
import type { Ordeal, Trial } from "./support/ordeals.ts";
import { createTurns } from "./support/turns.ts";
import { createWorld, type Installed } from "./support/world.ts";

const world = await createWorld();
const cases = createCases(world);
const untouched: Ordeal = { by: "death", at: Infinity, heard: false };
const repetition: Ordeal = { by: "repetition", at: 0, heard: false };
/** In each lane a worker dies, its line breaks, and it stands still; the second of each pair is done in the other. */
const ordeals: Record<"quick" | "ordinary", ReadonlyArray<Omit<Ordeal, "at">>> = {
  quick: [
    { by: "broken-line", heard: false },
    { by: "death", heard: true },
    { by: "standstill", heard: false },
  ],
  ordinary: [
    { by: "broken-line", heard: true },
    { by: "death", heard: false },
    { by: "standstill", heard: false },
  ],
};
/** As many runs at once as there is work for. */
const inTurn = createTurns(24);
let runs = 0;

/** A run that is over, and what it left. */
interface Ended {
  readonly run: FinishedRun;
  readonly trial: Trial;
  readonly name: string;
  readonly body: JsonObject;
  readonly effects: number;
}

/** What starts runs of a case, in either lane. */
function createRunner(title: string, { steps, prepare, effects, own = [] }: Case) {
  const spared = common.filter((activity) => !own.includes(activity));
  const key = title.replace(/[^a-z]+/g, "-");
  const installed = new Map<boolean, Promise<Installed>>();
  const install = (quickLane: boolean): Promise<Installed> => {
    const document = definitionOf(`${key}-${quickLane ? "quick" : "ordinary"}`, steps);
    const workflow = installed.get(quickLane) ?? world.install(document, { quickLane });
    installed.set(quickLane, workflow);
    return workflow;
  };
  return (quickLane: boolean, ordeal = untouched, again?: { name: string; body: JsonObject }): Promise<Ended> =>
    inTurn(async () => {
      const name = again?.name ?? `x${String(++runs).padStart(6, "0")}.`;
      const body = again?.body ?? { name, ...(await prepare?.(name)) };
      const { id, trial } = await world.start(await install(quickLane), body, { ...ordeal, spared });
      const run = await world.finished(id);
      return { run, trial, name, body, effects: await effects(name, id) };
    });
}

/**
 * Runs that meet each ordeal at each statement: with the first one until a run goes through untouched, which
 * says how many statements there are.
 */
async function everywhere(
  run: (ordeal: Ordeal) => Promise<Ended>,
  [first, ...others]: ReadonlyArray<Omit<Ordeal, "at">>,
  statements: number,
): Promise<Ended[]> {
  const meet = (ordeal: Omit<Ordeal, "at"> | undefined, most: number): Array<Promise<Ended>> =>
    Array.from({ length: ordeal === undefined ? 0 : most }, (_, i) => run({ ...untouched, ...ordeal, at: i + 1 }));
  const ended = await Promise.all(meet(first, statements + 1));
  while (ended.at(-1)?.trial.met === true) ended.push(await run({ ...untouched, ...first, at: ended.length + 1 }));
  const rest = others.flatMap((ordeal) => meet(ordeal, ended.length - 1));
  return [...ended, ...(await Promise.all(rest))];
}

const rowsOf = ({ run }: Ended): Json[] =>
  run.steps
    .map(({ path, kind, status, outcome }) => ({ path, kind, status, outcome }))
    .toSorted((a, b) => (a.path < b.path ? -1 : 1));

/** What is wrong with a run's end; nothing where it is as it has to be. */
function faultsOf(ended: Ended, one: Case, base: Ended): Json[] {
  const { run, trial, effects } = ended;
  const { times, ends = "completed", unsure = false, beside = false } = one;
  const isUnknown = unsure && run.error?.["code"] === "outcome-unknown";
  const wrong = {
    status: !isUnknown && run.status !== ends,
    effects: isUnknown ? effects > times : effects !== times,
    rows: !isUnknown && !isDeepStrictEqual(rowsOf(ended), rowsOf(base)),
    changes: !beside && trial.changes.length > 0,
    answers: trial.answers.some(({ first, again }) => !isDeepStrictEqual(first, again)),
  };
  if (!Object.values(wrong).includes(true)) return [];
  const { by, at, heard, changes, answers } = trial;
  return [{ by, at, heard, wrong, effects, error: run.error, rows: rowsOf(ended), changes, answers }];
}

test("every kind has a case", () => {
  const known = [...Object.keys(world.kinds), ...controlKinds].toSorted();
  expect(
    [...new Set(Object.values(cases).map(({ kind }) => kind))].toSorted(),
    "A step kind has a case in test/conformance/support/cases.ts, in which its effect can be counted.",
  ).toEqual(known);
});

describe.concurrent.each(Object.entries(cases))("%s", { timeout: 300_000 }, (title, one) => {
  const run = createRunner(title, one);
  const kind = world.kinds[one.kind];

  test.sequential("does the same in both lanes, and nothing when it is asked again", async () => {
    const [quick, ordinary] = await Promise.all([run(true), run(false)]);
    const repeated = await Promise.all([run(true, repetition), run(false, repetition)]);
    expect([quick, ordinary, ...repeated].flatMap((ended) => faultsOf(ended, one, ordinary))).toEqual([]);
    expect(nameless(quick.run, quick.name)).toEqual(nameless(ordinary.run, ordinary.name));
    expect(ordinary.run.steps.every(({ lane }) => lane === "ordinary")).toBe(true);
  });

  const isPlain = kind !== undefined && one.paged !== true;
  test.sequential("gives what its kind says that it gives", { skip: !isPlain }, async () => {
    const { steps } = (await run(false)).run;
    expect(kind?.output.safeParse(steps.find(({ path }) => path === "it")?.output)).toMatchObject({ success: true });
  });

  test.sequential("is done once, whatever befalls its worker at whatever statement", async () => {
    const undergo = async (lane: "quick" | "ordinary"): Promise<Ended[]> => {
      const inLane = (ordeal?: Ordeal): Promise<Ended> => run(lane === "quick", ordeal);
      const base = await inLane();
      if (lane === "quick" && base.run.steps.every((step) => step.lane !== lane)) return [base];
      const ended = await everywhere(inLane, ordeals[lane], base.trial.statements);
      expect(ended.flatMap((other) => faultsOf(other, one, base))).toEqual([]);
      return ended;
    };
    for (const ended of await Promise.all((["quick", "ordinary"] as const).map(undergo)))
      one.afterwards?.(ended.map((each) => each.run));
  });

  const isOnce = one.long !== true && (kind?.effect === "record" || kind?.effect === "outside");
  test.sequential("is done once under a value, whatever befalls the worker", { skip: !isOnce }, async () => {
    const steps = one.steps.map((step) => ({ ...step, once: "{{ trigger.body.name }}" }));
    const runOnce = createRunner(`${title}-once`, { ...one, steps });
    const base = await runOnce(false);
    const standstill = { by: "standstill", heard: false } as const;
    const ended = await everywhere((ordeal) => runOnce(false, ordeal), [standstill], base.trial.statements);
    expect(ended.flatMap((other) => faultsOf(other, one, base))).toEqual([]);
    for (const { name, body, run: first } of [ended[0]!, ended.at(-1)!]) {
      const again = await runOnce(false, untouched, { name, body });
      expect(again.run.steps).toMatchObject([{ status: "already-done", output: first.steps[0]?.output }]);
      expect(await one.effects(name, first.id)).toBe(one.times);
    }
  });
});

test("no run leaves a workflow behind", async () => {
  const { link, installation } = world.engine;
  const running = async (): Promise<string[]> => {
    const found: string[] = [];
    for await (const { type, taskQueue, workflowId } of link.client.workflow.list({
      query: 'ExecutionStatus = "Running"',
    }))
      if (taskQueue === `${installation}-runs` && type !== "launcher") found.push(`${type} ${workflowId}`);
    return found;
  };
  await until("all workflows of runs to be over", async () => (await running()).length === 0);
  expect(await running()).toEqual([]);
});
