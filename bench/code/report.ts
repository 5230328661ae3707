import type { Judgement } from "../report.ts";

/** What users' code takes, and what it does to others at its worst. */
export interface CodeFigures {
  /** Small jobs with helpers, by the two processes that a worker has. */
  readonly codeJobsPerSecond: number;
  /** One after the other. */
  readonly codeJobP50Ms: number;
  readonly codeJobP99Ms: number;
  /** The same function in a context of its own in one interpreter in this process, with no wall around it. */
  readonly bareCodeJobsPerSecond: number;
  readonly hostileJobs: number;
  /** How long past its time the slowest of them ended. */
  readonly hostileWorstOverMs: number;
  /** How much the process that has them run grew. */
  readonly hostileGrowthMiB: number;
  /** A run of two quick steps: with nothing else, and while fifty hostile runs are at work. */
  readonly besideHostileP95Ms: number;
  readonly aloneP95Ms: number;
}

export function judgeCode(figures: CodeFigures): Judgement[] {
  const atMost = (what: string, value: number, limit: number): Judgement => ({
    what,
    value,
    limit: `at most ${limit}`,
    holds: value <= limit,
  });
  return [
    atMost("a piece of code, p50 ms", figures.codeJobP50Ms, 20),
    atMost("hostile, ms past limit", figures.hostileWorstOverMs, 500),
    atMost("hostile, MiB grown", figures.hostileGrowthMiB, 50),
    atMost("others beside hostile", figures.besideHostileP95Ms / figures.aloneP95Ms, 2),
  ];
}

export function codeLines(figures: CodeFigures): string[][] {
  const ms = (value: number): string => `${value.toFixed(1)} ms`;
  return [
    [
      "pieces of code, each walled in",
      `${figures.codeJobsPerSecond.toFixed(0)}/s`,
      `p50 ${ms(figures.codeJobP50Ms)}, p99 ${ms(figures.codeJobP99Ms)}; bare ${figures.bareCodeJobsPerSecond.toFixed(0)}/s`,
    ],
    [
      `${figures.hostileJobs} hostile ones`,
      `${figures.hostileWorstOverMs.toFixed(0)} ms`,
      `the slowest past its time; grown by ${figures.hostileGrowthMiB.toFixed(1)} MiB`,
    ],
    [
      "  a quick run beside fifty of them",
      ms(figures.besideHostileP95Ms),
      `p95; with nothing else ${ms(figures.aloneP95Ms)}`,
    ],
  ];
}
