import { activate, countMails } from "./api.ts";
import { fiveSteps, floor, withEmail } from "./definitions.ts";
import { percentile, type Load } from "./load.ts";
import { expectRecords, measureAccept, measureAcceptWhileDraining, measureRuns, measureSingleRuns } from "./measure.ts";
import { withProduct, type Product } from "./product.ts";
import { judge, printReport, type Figures } from "./report.ts";

const acceptSeconds = 6;
const runs = { floor: 1_000, quick: 800, ordinary: 200, email: 250, single: 60 };

async function main(): Promise<void> {
  say("Starting an instance…");
  const quick = await withProduct({}, measureQuick);
  say("Starting an instance without the quick lane…");
  const ordinaryRunsPerSecond = await withProduct({ QUICK_LANE: "false" }, measureOrdinary);
  const figures: Figures = { ...quick, ordinaryRunsPerSecond };
  printReport(figures, { json: process.argv.includes("--json") });
  if (judge(figures).some(({ holds }) => !holds)) process.exitCode = 1;
}

async function measureQuick(product: Product): Promise<Omit<Figures, "ordinaryRunsPerSecond">> {
  const [empty, five, mailing] = [
    await activate(product, floor),
    await activate(product, fiveSteps),
    await activate(product, withEmail),
  ];
  say("Warming up…");
  await measureRuns(product, empty, { runs: 200, mark: "warm" });
  say("Single runs…");
  const single = await measureSingleRuns(product, five, runs.single);
  say("Floor…");
  const floorRuns = await measureRuns(product, empty, { runs: runs.floor, mark: "floor" });
  say("Quick lane…");
  const quickRuns = await measureRuns(product, five, {
    runs: runs.quick,
    mark: "quick",
    check: () => expectRecords(product, everyKind(runs.single + runs.quick)),
  });
  say("With an e-mail…");
  const mailRuns = await measureRuns(product, mailing, {
    runs: runs.email,
    mark: "mail",
    async check() {
      await expectRecords(product, everyKind(runs.single + runs.quick + runs.email));
      const mails = await countMails(product);
      if (mails !== runs.email) throw new Error(`There are ${mails} mails, but ${runs.email} were to be sent.`);
    },
  });
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
    floorRunsPerSecond: floorRuns.perSecond,
    quickRunsPerSecond: quickRuns.perSecond,
    withEmailRunsPerSecond: mailRuns.perSecond,
    singleRunP50Ms: single.p50,
    singleRunP95Ms: single.p95,
    cpuMsPerRun: quickRuns.cpuMsPerRun ?? null,
  };
}

async function measureOrdinary(product: Product): Promise<number> {
  const five = await activate(product, fiveSteps);
  const empty = await activate(product, floor);
  await measureRuns(product, empty, { runs: 100, mark: "warm" });
  const { perSecond } = await measureRuns(product, five, {
    runs: runs.ordinary,
    mark: "ordinary",
    check: () => expectRecords(product, everyKind(runs.ordinary)),
  });
  return perSecond;
}

/** Each run of the five steps makes one of each. */
function everyKind(count: number): Record<string, number> {
  return { people: count, companies: count, tasks: count, taskTargets: count };
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
