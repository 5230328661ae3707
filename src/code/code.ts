import type { Config } from "../config.ts";
import type { Log } from "../log.ts";
import { createRecent } from "../recent.ts";
import { checkAgainTimeMs, checkTimeMs, type CodeLimits } from "./limits.ts";
import { createPool } from "./pool.ts";
import type { CodeFailure, SourceFault } from "./protocol.ts";

/** A source, what it is given, and what it may use. */
export interface CodeJob {
  readonly source: string;
  /** The function's argument, as JSON. */
  readonly input: string;
  readonly timeZone: string;
  readonly limits: CodeLimits;
}

/** What code gave, with what it wrote to the console. */
export type CodeResult = ({ readonly kind: "done"; readonly output: string } | CodeFailure) & { readonly log: string };

/** Runs users' code where it can do no harm. */
export interface Code {
  /** What a step may ask for at most. */
  readonly most: CodeLimits;
  run(job: CodeJob, signal: AbortSignal): Promise<CodeResult>;
  /** What is wrong with a source. Nothing of it is run. */
  check(source: string): Promise<readonly SourceFault[]>;
  stop(): Promise<void>;
}

/** Past its time code is interrupted; where it is deep in the interpreter's own work, its child is killed. */
const graceMs = 300;
/** Node itself, the interpreter, and the input and output on their way. */
const ownRssBytes = 260 * 1_048_576;
const bytesPerMiB = 1_048_576;
/** Sources without their types, so that they are looked at once. */
const mostSources = 100;

/**
 * Children are started at need: one that only looks at sources and never runs them, so that nothing that
 * ran can have a say in what others will run, and a few that run them.
 */
export function createCode(config: Config, log?: Log): Code {
  const most = { timeMs: config.CODE_MAX_TIME_MS, memoryMiB: config.CODE_MAX_MEMORY_MIB };
  const runners = createPool({ size: config.WORKER_CODE_CONCURRENCY, log });
  const checker = createPool({ size: 1, log });
  const sources = createRecent<string, string>(mostSources);

  async function look(
    source: string,
    timeMs: number,
    signal: AbortSignal,
  ): Promise<{ faults: readonly SourceFault[]; source: string }> {
    const known = sources.get(source);
    if (known !== undefined) return { faults: [], source: known };
    const task = {
      request: { kind: "check", timeMs },
      text: source,
      wallMs: timeMs + graceMs,
      rssBytes: ownRssBytes,
      signal,
    } as const;
    const outcome = await checker.run(task);
    if (outcome.kind !== "answered" || outcome.answer.kind !== "checked")
      return {
        faults: [{ message: "it is nested too deeply, or too long, to be read" }],
        source: "",
      };
    const { faults } = outcome.answer;
    if (faults.length === 0) sources.set(source, outcome.text);
    return { faults, source: outcome.text };
  }

  return {
    most,
    async check(source) {
      return (await look(source, checkTimeMs, new AbortController().signal)).faults;
    },
    async run({ source, input, timeZone, limits }, signal) {
      const checked = await look(source, checkAgainTimeMs, signal);
      const [fault] = checked.faults;
      if (fault !== undefined) return { kind: "failed", why: "source", ...fault, stack: [], log: "" };
      const { timeMs, memoryMiB } = limits;
      const now = new Date().toISOString();
      const outcome = await runners.run({
        request: { kind: "run", source: checked.source, timeZone, now, timeMs, memoryMiB },
        text: input,
        wallMs: timeMs + graceMs,
        rssBytes: ownRssBytes + memoryMiB * bytesPerMiB,
        signal,
      });
      if (outcome.kind === "killed") return { kind: "failed", why: outcome.why, message: "", stack: [], log: "" };
      const { answer, text } = outcome;
      if (answer.kind === "failed") return answer;
      if (answer.kind === "done") return { kind: "done", output: text, log: answer.log };
      throw new Error(`A process for code answered ${answer.kind} to a run.`);
    },
    async stop() {
      await Promise.all([runners.stop(), checker.stop()]);
    },
  };
}
