import type { Judgement } from "../report.ts";

/** What calling an outside API takes. */
export interface OutsideFigures {
  /** Steps `http-request` in runs of five of them, against a server of this machine. */
  readonly httpStepsPerSecond: number;
  /** The client alone, with all that it judges and limits; twenty calls at once. */
  readonly guardedHttpCallsPerSecond: number;
  /** The same calls by undici with nothing around it. */
  readonly bareHttpCallsPerSecond: number;
}

export function judgeOutside({ guardedHttpCallsPerSecond, bareHttpCallsPerSecond }: OutsideFigures): Judgement[] {
  const value = guardedHttpCallsPerSecond / bareHttpCallsPerSecond;
  return [{ what: "guarded / bare calls", value, limit: "at least 0.5", holds: value >= 0.5 }];
}

export function outsideLines(figures: OutsideFigures): string[][] {
  return [
    ["steps that call an API", `${figures.httpStepsPerSecond.toFixed(0)}/s`, "runs of five, ordinary lane"],
    [
      "calls by the guarded client",
      `${figures.guardedHttpCallsPerSecond.toFixed(0)}/s`,
      `bare undici ${figures.bareHttpCallsPerSecond.toFixed(0)}/s`,
    ],
  ];
}
