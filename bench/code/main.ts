import variant from "@jitl/quickjs-wasmfile-release-sync";
import { newQuickJSWASMModuleFromVariant, type QuickJSSyncVariant } from "quickjs-emscripten-core";
import { createCode, type Code } from "../../src/code/code.ts";
import { usualLimits } from "../../src/code/limits.ts";
import { readConfig } from "../../src/config.ts";
import { activate } from "../api.ts";
import { percentile, post } from "../load.ts";
import { measureSingleRuns } from "../measure.ts";
import { withProduct, type Product } from "../product.ts";
import type { CodeFigures } from "./report.ts";
import { bareReckoning, hostile, reckoning, rows } from "./sources.ts";

const jobs = { warm: 40, single: 200, parallel: 600, bare: 600, hostile: 1_000 };
const atOnce = 4;
const hostileLimits = { timeMs: 100, memoryMiB: 32 };
const input = JSON.stringify({ rows });

/** How fast code runs behind its walls and without them, and what it does to others when it means ill. */
export async function measureCode(say: (sentence: string) => void): Promise<CodeFigures> {
  const code = createCode(readConfig({}));
  try {
    say("Pieces of code…");
    await measureJobs(code, jobs.warm);
    const single = (await measureJobs(code, jobs.single)).toSorted((a, b) => a - b);
    const begun = performance.now();
    await Promise.all(Array.from({ length: atOnce }, () => measureJobs(code, jobs.parallel / atOnce)));
    const codeJobsPerSecond = (jobs.parallel * 1_000) / (performance.now() - begun);
    const bareCodeJobsPerSecond = await measureBare();
    say(`${jobs.hostile} hostile ones…`);
    const hostileFigures = await measureHostile(code);
    say("Starting an instance to have others beside them…");
    return {
      codeJobsPerSecond,
      codeJobP50Ms: percentile(single, 0.5),
      codeJobP99Ms: percentile(single, 0.99),
      bareCodeJobsPerSecond,
      ...hostileFigures,
      ...(await withProduct({}, measureNeighbours)),
    };
  } finally {
    await code.stop();
  }
}

/** Milliseconds of each of so many jobs, one after the other. */
async function measureJobs(code: Code, count: number): Promise<number[]> {
  const took: number[] = [];
  for (let job = 0; job < count; job++) {
    const begun = performance.now();
    const result = await run(code, reckoning, usualLimits);
    if (result !== "done") throw new Error(`A piece of code ended as ${result}.`);
    took.push(performance.now() - begun);
  }
  return took;
}

async function run(code: Code, source: string, limits: typeof usualLimits): Promise<string> {
  const result = await code.run({ source, input, timeZone: "UTC", limits }, new AbortController().signal);
  return result.kind === "done" ? "done" : result.why;
}

async function measureBare(): Promise<number> {
  // Its types describe what `require` gives.
  const quickjs = await newQuickJSWASMModuleFromVariant(variant as unknown as QuickJSSyncVariant);
  const begun = performance.now();
  for (let job = 0; job < jobs.bare; job++) {
    const context = quickjs.newContext();
    const call = context.unwrapResult(context.evalCode(`JSON.stringify(${bareReckoning}(${input}))`));
    JSON.parse(context.getString(call));
    call.dispose();
    context.dispose();
  }
  return (jobs.bare * 1_000) / (performance.now() - begun);
}

type HostileFigures = Pick<CodeFigures, "hostileJobs" | "hostileWorstOverMs" | "hostileGrowthMiB">;

async function measureHostile(code: Code): Promise<HostileFigures> {
  for (const source of hostile) await run(code, source, hostileLimits);
  const before = process.memoryUsage.rss();
  let worst = 0;
  let begun = 0;
  const work = async (): Promise<void> => {
    while (begun < jobs.hostile) {
      const source = hostile[begun++ % hostile.length] ?? "";
      const from = performance.now();
      const ended = await run(code, source, hostileLimits);
      worst = Math.max(worst, performance.now() - from - hostileLimits.timeMs);
      if (ended === "crashed" || ended === "source") throw new Error(`Hostile code ended as ${ended}.`);
    }
  };
  // As many as there are processes: what is waited for is the job, not its turn.
  await Promise.all([work(), work()]);
  const grown = (process.memoryUsage.rss() - before) / 1_048_576;
  return { hostileJobs: jobs.hostile, hostileWorstOverMs: worst, hostileGrowthMiB: grown };
}

const bomb = {
  formatVersion: 1,
  key: "bench-bomb",
  name: "Code that never ends",
  triggers: [{ id: "post", kind: "webhook" }],
  steps: [{ id: "loop", kind: "code", input: { source: hostile[0] ?? "", limits: { timeMs: 2_000 } } }],
};
const neighbour = {
  formatVersion: 1,
  key: "bench-neighbour",
  name: "Quick steps of others",
  triggers: [{ id: "post", kind: "webhook" }],
  steps: [
    { id: "task", kind: "create-record", input: { object: "task", values: { title: "{{ trigger.body.email }}" } } },
    { id: "result", kind: "set", input: { task: "{{ task.id }}" } },
  ],
};
const bombs = 50;
const singleRuns = 100;

async function measureNeighbours(product: Product): Promise<Pick<CodeFigures, "besideHostileP95Ms" | "aloneP95Ms">> {
  const quick = await activate(product, neighbour);
  const endless = await activate(product, bomb);
  await measureSingleRuns(product, quick, singleRuns / 2);
  const alone = await measureSingleRuns(product, quick, singleRuns);
  await post(product, endless.path, { senders: 10, most: bombs, body: (number) => ({ number }) });
  const beside = await measureSingleRuns(product, quick, singleRuns);
  return { aloneP95Ms: alone.p95, besideHostileP95Ms: beside.p95 };
}
