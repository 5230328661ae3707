import { countRecords, hasRuns, lastEnd, openStatuses, readRun, runIdOf, setRunLimit, type Active } from "./api.ts";
import { cpuBetween, readCpu, shareOf, type Cpu } from "./cpu.ts";
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
  readonly perSecond: number;
  readonly cpuMsPerRun: Cpu;
}

/** One thing to measure: so many runs of a workflow in each round. */
export interface Task {
  readonly workflow: Active;
  readonly mark: string;
  readonly runs: number;
  /** Counts what all the runs so far left; throws before a figure is given when it is not that. */
  check?(runsSoFar: number): Promise<void>;
}

interface Round {
  readonly seconds: number;
  readonly cpu: Cpu;
}

/**
 * Measures tasks in turns, round after round: what else the machine does meanwhile, and its growing
 * tables, then meet all of them alike, which is what a ratio between them needs.
 */
export async function measureInTurns<Name extends string>(
  product: Product,
  rounds: number,
  tasks: Readonly<Record<Name, Task>>,
): Promise<Record<Name, Throughput>> {
  const names = Object.keys(tasks) as Name[];
  const made = new Map<Name, Round[]>(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const name of names) {
      const task = tasks[name];
      made.get(name)?.push(await measureRound(product, task, round));
      await task.check?.((round + 1) * task.runs);
    }
  }
  const results = names.map((name) => [name, sumUp(made.get(name) ?? [], tasks[name].runs)] as const);
  return Object.fromEntries(results) as Record<Name, Throughput>;
}

/** Enters the runs by their webhook while admission is held, then lets them go, until the last one is over. */
async function measureRound(product: Product, { workflow, mark, runs }: Task, round: number): Promise<Round> {
  await setRunLimit(product, 0);
  const body = (number: number): object => lead(`${mark}-${round}`, number);
  const load = await post(product, workflow.path, { senders, most: runs, body });
  if (load.accepted < runs) throw new Error(`Of ${runs} posts ${load.accepted} were accepted.`);
  const before = await readCpu(product);
  const begun = Date.now();
  await setRunLimit(product, usualLimit);
  const isOver = async (): Promise<boolean> => !(await hasRuns(product, workflow.id, openStatuses));
  await until(`${runs} runs to be over`, isOver, 180_000);
  const cpu = cpuBetween(before, await readCpu(product));
  if (await hasRuns(product, workflow.id, ["failed", "cancelled"])) throw new Error(`Runs of ${mark} failed.`);
  return { seconds: ((await lastEnd(product, workflow.id, runs)) - begun) / 1_000, cpu };
}

function sumUp(rounds: readonly Round[], runsEach: number): Throughput {
  return {
    // Whatever else the machine does slows single rounds: the middle one is the least of its making.
    perSecond: runsEach / middle(rounds.map(({ seconds }) => seconds)),
    cpuMsPerRun: shareOf(
      rounds.map(({ cpu }) => cpu),
      rounds.length * runsEach,
    ),
  };
}

function middle(values: readonly number[]): number {
  return percentile(
    values.toSorted((a, b) => a - b),
    0.5,
  );
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
