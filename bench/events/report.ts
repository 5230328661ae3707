import type { Judgement } from "../report.ts";

/** What it takes from a change of a record to a run. */
export interface EventFigures {
  /** From the event to the start of its run, nothing else going on. */
  readonly eventToRunP50Ms: number;
  readonly eventToRunP95Ms: number;
  /** Runs of five steps that a burst of events started, from its first write to the end of the last one. */
  readonly eventBurstRunsPerSecond: number;
  /** The quick lane on the same instance, measured before and after. */
  readonly besideBurstRunsPerSecond: number;
  /** Another workflow's webhooks in the middle: from the post to the run's start, and to its first step's. */
  readonly meanwhileStartP95Ms: number;
  readonly meanwhileStepP95Ms: number;
  readonly meanwhileStepWorstMs: number;
  readonly meanwhileRuns: number;
}

export function judgeEvents(figures: EventFigures): Judgement[] {
  const atMost = (what: string, value: number, limit: number): Judgement => ({
    what,
    value,
    limit: `at most ${limit}`,
    holds: value <= limit,
  });
  const ratio = figures.eventBurstRunsPerSecond / figures.besideBurstRunsPerSecond;
  return [
    atMost("event to run, p50 ms", figures.eventToRunP50Ms, 50),
    { what: "burst / quick lane", value: ratio, limit: "at least 0.8", holds: ratio >= 0.8 },
    atMost("start in a burst, ms", figures.meanwhileStartP95Ms, 500),
    atMost("step in a burst, ms", figures.meanwhileStepP95Ms, 500),
  ];
}

export function eventLines(figures: EventFigures): string[][] {
  const ms = (value: number): string => `${value.toFixed(0)} ms`;
  return [
    ["a record's event to its run's start", ms(figures.eventToRunP50Ms), `p95 ${ms(figures.eventToRunP95Ms)}`],
    [
      "a burst of 5,000 events, five steps",
      `${figures.eventBurstRunsPerSecond.toFixed(1)}/s`,
      `quick lane beside it ${figures.besideBurstRunsPerSecond.toFixed(1)}/s`,
    ],
    [
      "  another's webhook to its first step",
      ms(figures.meanwhileStepP95Ms),
      `p95 of ${figures.meanwhileRuns}, worst ${ms(figures.meanwhileStepWorstMs)}; to its start ${ms(figures.meanwhileStartP95Ms)}`,
    ],
  ];
}
