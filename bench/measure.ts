import { countRecords, hasRuns, openStatuses, readRun, runIdOf, setRunLimit, type Active } from "./api.ts";
import { cpuPerRun, readCpu, type Cpu } from "./cpu.ts";
import { percentile, post, type Load } from "./load.ts";
import { until, type Product } from "./product.ts";

const senders = 50;
const usualLimit = 100;

/** How fast webhooks are accepted while nothing may start. */
export async function measureAccept(product: Product, workflow: Active, seconds: number): Promise<Load> {
  await setRunLimit(product, 0);
  const load = await post(product, workflow.path, { senders, seconds, body: (number) => ({ number }) });
  if (load.refused > 0) throw new Error(`${load.refused} posts were refused.`);
  return load;
}

/** How fast webhooks are accepted while what is queued drains. */
export async function measureAcceptWhileDraining(product: Product, workflow: Active, seconds: number): Promise<Load> {
  await setRunLimit(product, usualLimit);
  return post(product, workflow.path, { senders, seconds, body: (number) => ({ number }) });
}

export interface Throughput {
  readonly runs: number;
  readonly perSecond: number;
  readonly cpuMsPerRun: Cpu;
}

/**
 * Enters `runs` by their webhook while admission is held, then lets them go: from then until the last
 * one is over. `check` counts what they left before a figure is given.
 */
export async function measureRuns(
  product: Product,
  workflow: Active,
  options: { runs: number; mark: string; check?(): Promise<void> },
): Promise<Throughput> {
  const { runs, mark, check } = options;
  await setRunLimit(product, 0);
  const load = await post(product, workflow.path, { senders, most: runs, body: (number) => lead(mark, number) });
  if (load.accepted < runs) throw new Error(`Of ${runs} posts ${load.accepted} were accepted.`);
  const before = await readCpu(product);
  const begun = performance.now();
  await setRunLimit(product, usualLimit);
  await until(`${runs} runs to be over`, async () => !(await hasRuns(product, workflow.id, openStatuses)), 180_000);
  const seconds = (performance.now() - begun) / 1_000;
  const cpuMsPerRun = cpuPerRun(before, await readCpu(product), runs);
  if (await hasRuns(product, workflow.id, ["failed", "cancelled"])) throw new Error(`Runs of ${mark} failed.`);
  await check?.();
  return { runs, perSecond: runs / seconds, cpuMsPerRun };
}

function lead(mark: string, number: number): object {
  return { email: `${mark}-${number}@bench.example`, company: `${mark} company ${number}` };
}

/** Throws when the records are not as many as the runs must have made. */
export async function expectRecords(product: Product, counts: Readonly<Record<string, number>>): Promise<void> {
  for (const [plural, expected] of Object.entries(counts)) {
    const found = await countRecords(product, plural);
    if (found !== expected) throw new Error(`There are ${found} ${plural}, but ${expected} were to be made.`);
  }
}

/** Milliseconds from the accepted webhook to the run's end, one run after the other. */
export async function measureSingleRuns(
  product: Product,
  workflow: Active,
  runs: number,
): Promise<{ p50: number; p95: number }> {
  const took: number[] = [];
  for (let number = 0; number < runs; number++) {
    const { body } = await product.post(workflow.path, JSON.stringify(lead("single", number)));
    const id = runIdOf(body);
    let run = await readRun(product, id);
    await until(`run ${id}`, async () => (run = await readRun(product, id)).endedAt !== null, 30_000);
    took.push(Date.parse(run.endedAt ?? "") - Date.parse(run.createdAt));
  }
  took.sort((a, b) => a - b);
  return { p50: percentile(took, 0.5), p95: percentile(took, 0.95) };
}
