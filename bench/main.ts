import { availableParallelism } from "node:os";
import { activate, countMails } from "./api.ts";
import { measureCode } from "./code/main.ts";
import { codeLines, judgeCode } from "./code/report.ts";
import { readBusy, readCpu } from "./cpu.ts";
import { fiveSteps, floor, withEmail } from "./definitions.ts";
import { measureEvents } from "./events/main.ts";
import { eventLines, judgeEvents } from "./events/report.ts";
import { percentile, type Load } from "./load.ts";
import { measureLoops } from "./loops/main.ts";
import { judgeLoops, loopLines } from "./loops/report.ts";
import {
  expectRecords,
  measureAccept,
  measureAcceptWhileDraining,
  measureInTurns,
  measureSingleRuns,
} from "./measure.ts";
import { measureOutside } from "./outside/main.ts";
import { judgeOutside, outsideLines } from "./outside/report.ts";
import { withProduct, type Product } from "./product.ts";
import { measureRecords } from "./records/main.ts";
import { judgeRecords, recordLines } from "./records/report.ts";
import { measureWorkspaces } from "./workspaces/main.ts";
import { judgeWorkspaces, workspaceLines } from "./workspaces/report.ts";
import { judge, print, printReport, runLines, wordOnOthers, type Figures, type Judgement } from "./report.ts";

const acceptSeconds = 6;
const rounds = 3;
/** In each round; and single runs in all. */
const runs = { warm: 200, floor: 400, quick: 300, ordinary: 80, email: 250, single: 60 };

/** Parts that can be measured by themselves: `npm run bench -- records`. */
const parts = {
  runs: measureRuns,
  code: reportCode,
  events: reportEvents,
  http: reportOutside,
  loops: reportLoops,
  records: reportRecords,
  workspaces: reportWorkspaces,
};

interface Report {
  readonly figures: object;
  readonly lines: readonly string[][];
  readonly judgements: readonly Judgement[];
  readonly word: string;
}

async function main(): Promise<void> {
  const named = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));
  const unknown = named.find((name) => !Object.hasOwn(parts, name));
  if (unknown !== undefined)
    throw new Error(`There is no part "${unknown}"; there are ${Object.keys(parts).join(" and ")}.`);
  const reports: Report[] = [];
  for (const [name, measure] of Object.entries(parts)) {
    if (named.length === 0 || named.includes(name)) reports.push(await measure());
  }
  const judgements = reports.flatMap((report) => report.judgements);
  printReport(
    reports.flatMap(({ lines }) => lines),
    judgements,
  );
  for (const { word } of reports) if (word !== "") print(word);
  const figures = Object.assign({}, ...reports.map((report) => report.figures)) as object;
  if (process.argv.includes("--json")) print(JSON.stringify({ ...figures, judgements }));
  if (judgements.some(({ holds }) => !holds)) process.exitCode = 1;
}

async function measureRuns(): Promise<Report> {
  say("Starting an instance…");
  const quick = await withProduct({}, measureQuick);
  say("Starting an instance without the quick lane…");
  const ordinary = await withProduct({ QUICK_LANE: "false" }, measureOrdinary);
  const figures: Figures = { ...quick, ...ordinary };
  return { figures, lines: runLines(figures), judgements: judge(figures), word: wordOnOthers(figures) };
}

async function reportEvents(): Promise<Report> {
  const figures = await measureEvents(say);
  return { figures, lines: eventLines(figures), judgements: judgeEvents(figures), word: "" };
}

async function reportCode(): Promise<Report> {
  const figures = await measureCode(say);
  return { figures, lines: codeLines(figures), judgements: judgeCode(figures), word: "" };
}

async function reportLoops(): Promise<Report> {
  const figures = await measureLoops(say);
  return { figures, lines: loopLines(figures), judgements: judgeLoops(figures), word: "" };
}

async function reportOutside(): Promise<Report> {
  const figures = await measureOutside(say);
  return { figures, lines: outsideLines(figures), judgements: judgeOutside(figures), word: "" };
}

async function reportRecords(): Promise<Report> {
  const figures = await measureRecords(say);
  return { figures, lines: recordLines(figures), judgements: judgeRecords(figures), word: "" };
}

async function reportWorkspaces(): Promise<Report> {
  const figures = await measureWorkspaces(say);
  return { figures, lines: workspaceLines(figures), judgements: judgeWorkspaces(figures), word: "" };
}

type OrdinaryFigures = Pick<Figures, "ordinaryRunsPerSecond" | "ordinaryFloorRunsPerSecond" | "ordinaryCpuMsPerRun">;

async function measureQuick(product: Product): Promise<Omit<Figures, keyof OrdinaryFigures>> {
  const empty = await activate(product, floor);
  const five = await activate(product, fiveSteps);
  const mailing = await activate(product, withEmail);
  say("Warming up…");
  await measureInTurns(product, 1, { warm: { workflow: empty, mark: "warm", runs: runs.warm } });
  say("Single runs…");
  const single = await measureSingleRuns(product, five, runs.single);
  say("Floor and quick lane…");
  const others = await watchOthers(product);
  const lanes = await measureInTurns(product, rounds, {
    floor: { workflow: empty, mark: "floor", runs: runs.floor },
    quick: {
      workflow: five,
      mark: "quick",
      runs: runs.quick,
      check: (soFar) => expectRecords(product, everyKind(runs.single + soFar)),
    },
  });
  const othersPercent = await others();
  say("With an e-mail…");
  const { email } = await measureInTurns(product, 1, {
    email: { workflow: mailing, mark: "email", runs: runs.email, check: (soFar) => expectMails(product, soFar) },
  });
  await expectRecords(product, everyKind(runs.single + rounds * runs.quick + runs.email));
  say("Accepting…");
  const held = await measureAccept(product, empty, acceptSeconds);
  const standing = await withoutTemporal(product, () => measureAccept(product, empty, acceptSeconds));
  const draining = await measureAcceptWhileDraining(product, empty, acceptSeconds);
  return {
    acceptPerSecond: rate(held),
    acceptP50Ms: percentile(held.latencies, 0.5),
    acceptP99Ms: percentile(held.latencies, 0.99),
    acceptWithoutTemporalPerSecond: rate(standing),
    acceptWhileDrainingPerSecond: rate(draining),
    acceptWhileDrainingP99Ms: percentile(draining.latencies, 0.99),
    floorRunsPerSecond: lanes.floor.perSecond,
    floorCpuMsPerRun: lanes.floor.cpuMsPerRun ?? null,
    quickRunsPerSecond: lanes.quick.perSecond,
    cpuMsPerRun: lanes.quick.cpuMsPerRun ?? null,
    withEmailRunsPerSecond: email.perSecond,
    singleRunP50Ms: single.p50,
    singleRunP95Ms: single.p95,
    othersPercent,
  };
}

async function measureOrdinary(product: Product): Promise<OrdinaryFigures> {
  const empty = await activate(product, floor);
  const five = await activate(product, fiveSteps);
  await measureInTurns(product, 1, { warm: { workflow: empty, mark: "warm", runs: runs.warm } });
  const lanes = await measureInTurns(product, rounds, {
    floor: { workflow: empty, mark: "floor", runs: runs.floor },
    ordinary: {
      workflow: five,
      mark: "ordinary",
      runs: runs.ordinary,
      check: (soFar) => expectRecords(product, everyKind(soFar)),
    },
  });
  return {
    ordinaryRunsPerSecond: lanes.ordinary.perSecond,
    ordinaryFloorRunsPerSecond: lanes.floor.perSecond,
    ordinaryCpuMsPerRun: lanes.ordinary.cpuMsPerRun ?? null,
  };
}

async function expectMails(product: Product, expected: number): Promise<void> {
  const found = await countMails(product);
  if (found !== expected) throw new Error(`There are ${found} mails, but ${expected} were to be sent.`);
}

/** Each run of the five steps makes one of each. */
function everyKind(count: number): Record<string, number> {
  return { people: count, companies: count, tasks: count, taskTargets: count };
}

/** Gives what tells the share of the machine that neither the instance nor this program used since. */
async function watchOthers(product: Product): Promise<() => Promise<number | null>> {
  const usedSoFar = async (): Promise<number | undefined> => {
    const [busy, own] = [await readBusy(), await readCpu(product)];
    if (busy === undefined || own === undefined) return undefined;
    const { user, system } = process.cpuUsage();
    return busy - Object.values(own).reduce((sum, ms) => sum + ms, 0) - (user + system) / 1_000;
  };
  const [begun, before] = [performance.now(), await usedSoFar()];
  return async () => {
    const after = await usedSoFar();
    if (before === undefined || after === undefined) return null;
    return (100 * Math.max(after - before, 0)) / ((performance.now() - begun) * availableParallelism());
  };
}

/** Temporal stands still meanwhile, as a server that does not answer. */
async function withoutTemporal<T>(product: Product, work: () => Promise<T>): Promise<T> {
  const pid = await product.pid("Temporal");
  if (pid === undefined) throw new Error("The instance does not say which process is Temporal.");
  process.kill(pid, "SIGSTOP");
  try {
    return await work();
  } finally {
    process.kill(pid, "SIGCONT");
  }
}

function rate(load: Load): number {
  return load.accepted / load.seconds;
}

function say(sentence: string): void {
  process.stderr.write(`${sentence}\n`);
}

await main().catch((error: unknown) => {
  say(error instanceof Error ? error.message : String(error));
  process.exit(1);
});
