import type { Cpu } from "./cpu.ts";

/** Everything one run of the bench measured. */
export interface Figures {
  readonly acceptPerSecond: number;
  readonly acceptP50Ms: number;
  readonly acceptP99Ms: number;
  readonly acceptWithoutTemporalPerSecond: number;
  readonly acceptWhileDrainingPerSecond: number;
  readonly acceptWhileDrainingP99Ms: number;
  readonly floorRunsPerSecond: number;
  readonly quickRunsPerSecond: number;
  readonly ordinaryRunsPerSecond: number;
  /** The floor of the instance whose workflows have no quick lane. */
  readonly ordinaryFloorRunsPerSecond: number;
  readonly withEmailRunsPerSecond: number;
  readonly singleRunP50Ms: number;
  readonly singleRunP95Ms: number;
  /** Processor time of a quick run by part; null where the platform does not tell. */
  readonly cpuMsPerRun: NonNullable<Cpu> | null;
  readonly floorCpuMsPerRun: NonNullable<Cpu> | null;
  readonly ordinaryCpuMsPerRun: NonNullable<Cpu> | null;
  /** Share of the machine, in percent, that other programs used while floor and quick lane were measured. */
  readonly othersPercent: number | null;
}

/** Above this the ratios say more about the other programs than about this one. */
const othersLimit = 10;

/** Whether a figure is what is expected of it. */
export interface Judgement {
  readonly what: string;
  readonly value: number;
  readonly limit: string;
  readonly holds: boolean;
}

/** What is expected, as ratios of what was measured in turns on one instance: machines differ, ratios less. */
export function judge(figures: Figures): Judgement[] {
  const {
    quickRunsPerSecond: quick,
    floorRunsPerSecond: floor,
    ordinaryFloorRunsPerSecond: ordinaryFloor,
    ordinaryRunsPerSecond: ordinary,
    acceptPerSecond: accept,
  } = figures;
  return [
    { what: "quick lane / floor", value: quick / floor, atLeast: 0.55 },
    { what: "ordinary lane / floor", value: ordinary / ordinaryFloor, atLeast: 0.15 },
    { what: "accept / quick lane", value: accept / quick, atLeast: 8 },
  ].map(({ what, value, atLeast }) => ({ what, value, limit: `at least ${atLeast}`, holds: value >= atLeast }));
}

/** Lines of the report: what, how much, and more about it. */
export function runLines(figures: Figures): string[][] {
  return [
    [
      "accepted webhooks, admission held",
      `${whole(figures.acceptPerSecond)}/s`,
      `p50 ${whole(figures.acceptP50Ms)} ms, p99 ${whole(figures.acceptP99Ms)} ms`,
    ],
    ["  with Temporal standing still", `${whole(figures.acceptWithoutTemporalPerSecond)}/s`, ""],
    [
      "  while runs drain",
      `${whole(figures.acceptWhileDrainingPerSecond)}/s`,
      `p99 ${whole(figures.acceptWhileDrainingP99Ms)} ms`,
    ],
    ["runs without steps (the floor)", `${whole(figures.floorRunsPerSecond)}/s`, ""],
    ["five steps, quick lane", `${whole(figures.quickRunsPerSecond)}/s`, ""],
    [
      "five steps, ordinary lane",
      `${whole(figures.ordinaryRunsPerSecond)}/s`,
      `floor beside it ${whole(figures.ordinaryFloorRunsPerSecond)}/s`,
    ],
    ["five steps and an e-mail", `${whole(figures.withEmailRunsPerSecond)}/s`, ""],
    ["one run, start to end", `${whole(figures.singleRunP50Ms)} ms`, `p95 ${whole(figures.singleRunP95Ms)} ms`],
    ["processor time, floor", ...cpuText(figures.floorCpuMsPerRun)],
    ["processor time, quick lane", ...cpuText(figures.cpuMsPerRun)],
    ["processor time, ordinary lane", ...cpuText(figures.ordinaryCpuMsPerRun)],
  ];
}

/** A word on figures that other programs have spoilt. */
export function wordOnOthers({ othersPercent: others }: Figures): string {
  if (others === null || others <= othersLimit) return "";
  return `Other programs used ${others.toFixed(0)} % of this machine meanwhile: measure again when it is quiet.`;
}

export function printReport(lines: readonly string[][], judgements: readonly Judgement[]): void {
  for (const [what = "", value = "", rest = ""] of lines) print(`${what.padEnd(36)} ${value.padStart(10)}  ${rest}`);
  print("");
  for (const { what, value, limit, holds } of judgements) {
    print(`${holds ? "holds " : "MISSED"} ${what.padEnd(22)} ${value.toFixed(2)} (${limit})`);
  }
}

function cpuText(cpu: Cpu | null): [string, string] {
  if (cpu === null || cpu === undefined) return ["not known", ""];
  const total = Object.values(cpu).reduce((sum, ms) => sum + ms, 0);
  const parts = Object.entries(cpu).map(([part, ms]) => `${part} ${ms.toFixed(1)}`);
  return [`${total.toFixed(1)} ms`, parts.join(", ")];
}

function whole(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toFixed(1);
}

export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
