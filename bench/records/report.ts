import type { Judgement } from "../report.ts";

/** What a million people and 100,000 companies take; `bare`: the statement alone, without an API. */
export interface RecordFigures {
  readonly fillSeconds: number;
  readonly uniqueSearchP95Ms: number;
  readonly uniqueSearchBareP95Ms: number;
  readonly filterSearchP95Ms: number;
  readonly filterSearchBareP95Ms: number;
  readonly textSearchP95Ms: number;
  readonly textSearchBareP95Ms: number;
  readonly firstPageMs: number;
  readonly deepPageMs: number;
  readonly deepPageBareMs: number;
  /** Page 5,000 by cursor to the first page. */
  readonly deepPageRatio: number;
  readonly batchUpsert10kSeconds: number;
  readonly batchUpsert10kBareSeconds: number;
  readonly importRowsPerSecond: number;
  readonly importBareRowsPerSecond: number;
  readonly liveChangeWorstWaitMs: number;
  readonly liveChangeFailures: number;
  readonly liveChangeCalls: number;
  readonly liveChangeSeconds: Readonly<Record<string, number>>;
}

/** What is expected among a million records. */
export function judgeRecords(figures: RecordFigures): Judgement[] {
  const atMost = (what: string, value: number, limit: number): Judgement => ({
    what,
    value,
    limit: `at most ${limit}`,
    holds: value <= limit,
  });
  return [
    atMost("unique field, ms", figures.uniqueSearchP95Ms, 10),
    atMost("filter with sort, ms", figures.filterSearchP95Ms, 50),
    atMost("text search, ms", figures.textSearchP95Ms, 100),
    atMost("page 5,000 / first", figures.deepPageRatio, 2),
    atMost("10,000 upserted, s", figures.batchUpsert10kSeconds, 3),
    atMost("live change, ms", figures.liveChangeWorstWaitMs, 2_000),
    atMost("live change, failures", figures.liveChangeFailures, 0),
  ];
}

/** Lines of the report: what, how much, and what the bare statement takes. */
export function recordLines(figures: RecordFigures): string[][] {
  const ms = (value: number): string => `${value.toFixed(1)} ms`;
  const bare = (value: number): string => `bare statement ${ms(value)}`;
  const changes = Object.entries(figures.liveChangeSeconds).map(([what, seconds]) => `${what} ${seconds.toFixed(1)} s`);
  return [
    ["1,100,000 records in one statement", `${figures.fillSeconds.toFixed(0)} s`, ""],
    ["by a unique field, p95", ms(figures.uniqueSearchP95Ms), bare(figures.uniqueSearchBareP95Ms)],
    ["a compound filter with sort, p95", ms(figures.filterSearchP95Ms), bare(figures.filterSearchBareP95Ms)],
    ["full-text search, p95", ms(figures.textSearchP95Ms), bare(figures.textSearchBareP95Ms)],
    ["first page", ms(figures.firstPageMs), ""],
    ["page 5,000 by cursor", ms(figures.deepPageMs), bare(figures.deepPageBareMs)],
    [
      "10,000 records upserted",
      `${figures.batchUpsert10kSeconds.toFixed(1)} s`,
      `bare statement ${figures.batchUpsert10kBareSeconds.toFixed(1)} s`,
    ],
    [
      "rows imported from CSV",
      `${figures.importRowsPerSecond.toFixed(0)}/s`,
      `bare statement ${figures.importBareRowsPerSecond.toFixed(0)}/s`,
    ],
    [
      "worst wait while the table changes",
      ms(figures.liveChangeWorstWaitMs),
      `${figures.liveChangeFailures} of ${figures.liveChangeCalls} calls failed; ${changes.join(", ")}`,
    ],
  ];
}
