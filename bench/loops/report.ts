import type { Judgement } from "../report.ts";

/** A loop over many items: search, branch and upsert for each. */
export interface LoopFigures {
  readonly iteratorItems: number;
  readonly iteratorItemsPerSecond: number;
  /** The same statements sent by one client without a workflow. */
  readonly bareItemsPerSecond: number;
  /** The worker's memory beyond what it had when the loop began, at most. */
  readonly iteratorGrowthMiB: number;
  /** Events of the longest history of its workflows. */
  readonly iteratorHistoryEvents: number;
  /** Items that the run counts as succeeded, and records that there are, without what was to fail. */
  readonly iteratorSucceeded: number;
  readonly iteratorRecords: number;
}

export function judgeLoops(figures: LoopFigures): Judgement[] {
  const atMost = (what: string, value: number, limit: number): Judgement => ({
    what,
    value,
    limit: `at most ${limit}`,
    holds: value <= limit,
  });
  const lost = Math.abs(figures.iteratorItems - 1 - figures.iteratorSucceeded);
  const wrong = Math.abs(figures.iteratorItems - 1 - figures.iteratorRecords);
  return [
    atMost("memory of a loop, MiB", figures.iteratorGrowthMiB, 100),
    atMost("events of a loop", figures.iteratorHistoryEvents, 2_000),
    atMost("items lost or doubled", lost + wrong, 0),
  ];
}

export function loopLines(figures: LoopFigures): string[][] {
  const perSecond = (value: number): string => `${value.toFixed(0)}/s`;
  const ratio = figures.iteratorItemsPerSecond / figures.bareItemsPerSecond;
  return [
    [
      `items of a loop: search, branch, upsert`,
      perSecond(figures.iteratorItemsPerSecond),
      `bare ${perSecond(figures.bareItemsPerSecond)} (${ratio.toFixed(2)}); ${figures.iteratorItems} items`,
    ],
    [
      "  its worker, killed half-way",
      `+${figures.iteratorGrowthMiB.toFixed(0)} MiB`,
      `history ${figures.iteratorHistoryEvents} events`,
    ],
  ];
}
