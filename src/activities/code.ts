import { z } from "zod";
import type { Code, CodeResult } from "../code/code.ts";
import {
  leastMemoryMiB,
  leastTimeMs,
  mostDataBytes,
  mostSourceBytes,
  usualLimits,
  usualMost,
  type CodeLimits,
} from "../code/limits.ts";
import type { SourcePlace } from "../code/protocol.ts";
import { readResult } from "../code/read-result.ts";
import { at, StepError } from "../errors.ts";
import { textOf, type Json, type JsonObject } from "../json.ts";
import { checkGives, fitGiven } from "./gives.ts";
import type { ReadKind } from "./step-kind.ts";

const json = z.json() as z.ZodType<Json>;

function createInput(most: CodeLimits) {
  const within = (least: number, highest: number, variable: string) =>
    z.number().int().min(least).max(highest, `at most ${highest} here, as ${variable} says`);
  return z.strictObject({
    data: json.default({}),
    source: z.string().min(1).max(mostSourceBytes),
    gives: z.record(z.string(), json).optional(),
    limits: z
      .strictObject({
        timeMs: within(leastTimeMs, most.timeMs, "CODE_MAX_TIME_MS").default(Math.min(usualLimits.timeMs, most.timeMs)),
        memoryMiB: within(leastMemoryMiB, most.memoryMiB, "CODE_MAX_MEMORY_MIB").default(
          Math.min(usualLimits.memoryMiB, most.memoryMiB),
        ),
      })
      .prefault({}),
  });
}

type Input = z.output<ReturnType<typeof createInput>>;

/**
 * A function of the user's over data. It has no effect, so that nothing is harmed when it is done again;
 * it never runs in this process (`src/code`), and never in the quick lane, whose other steps would wait
 * for it. Without `code` sources are not looked at and nothing can be run.
 */
export function createCodeStep(code: Code | undefined): ReadKind<Input> {
  const most = code?.most ?? usualMost;
  return {
    kind: "code",
    effect: "read",
    title: "Code",
    description:
      "Calls a function of yours, in JavaScript or TypeScript, with data, and gives what it returns. It reaches nothing else: no network, no files, no secrets.",
    version: 1,
    queue: "code",
    quick: () => false,
    timeoutMs: most.timeMs + 60_000,
    retry: { maximumAttempts: 1, initialIntervalMs: 1_000, backoffCoefficient: 2, maximumIntervalMs: 60_000 },
    input: createInput(most),
    output: json,
    fixed: ["source", "gives", "limits"],
    places: { source: "verbatim", gives: "verbatim" },
    declared: { by: "gives", at: [] },
    sample: {
      input: {
        data: { prices: [12.5, 7.5] },
        source: "export default function (input: { prices: number[] }) {\n  return { total: sum(input.prices) };\n}\n",
      },
      output: { total: 20 },
    },
    check: (written, { at: place }) => checkGives(written["gives"], at(place, "gives")),
    examine: async (written, place) =>
      ((await code?.check(textOf(written["source"]) ?? "")) ?? []).map((fault) => ({
        path: at(place, "source"),
        message: fault.place === undefined ? fault.message : `${writePlace(fault.place)}: ${fault.message}`,
      })),
    async run({ workspace, signal }, { data, source, gives, limits }) {
      if (code === undefined) throw new Error("This process runs no code.");
      const input = writeData(data);
      const result = await code.run({ source, input, timeZone: workspace.timeZone, limits }, signal);
      if (result.kind === "failed") throw failureOf(result, limits);
      const output = fit(readOutput(result), gives, result.log);
      return { output, outcome: null, ...(result.log === "" ? {} : { log: result.log }) };
    },
  };
}

function writePlace({ line, column }: SourcePlace): string {
  return `line ${line}, column ${column}`;
}

function writeData(data: Json): string {
  const text = JSON.stringify(data);
  const bytes = Buffer.byteLength(text);
  if (bytes <= mostDataBytes) return text;
  throw new StepError(
    "code-data",
    `The step's data has ${bytes} bytes as JSON; ${mostDataBytes} are allowed. Give it what it needs only, or go through it in an iterator.`,
  );
}

/** Why it failed, for people: where, what, and what to do. */
function failureOf(result: Extract<CodeResult, { kind: "failed" }>, limits: Input["limits"]): StepError {
  const { why, message, place, stack, log } = result;
  const details = { ...place, ...(stack.length > 0 ? { stack } : {}), ...(log === "" ? {} : { log }) };
  const where = place === undefined ? "" : ` at ${writePlace(place)}`;
  const retryable = true;
  switch (why) {
    case "threw":
      return new StepError("code-failed", `The code failed${where}: ${message}`, { retryable, details });
    case "source":
      return new StepError("code-failed", `The source cannot be read${where}: ${message}.`, { details });
    case "stuck":
      return new StepError(
        "code-failed",
        "The code waits for a promise that nothing will settle: there are no timers and no network. Return a value, or a promise of something that is there.",
        { details },
      );
    case "result":
      return new StepError("code-result", message, { details });
    case "timeout":
      return new StepError(
        "code-timeout",
        `The code did not finish within ${limits.timeMs} ms. Let it do less, or raise the step's limits.timeMs.`,
        { retryable, details },
      );
    case "memory":
      return new StepError(
        "code-memory",
        `The code needed more than ${limits.memoryMiB} MiB. Let it keep less at a time, or raise the step's limits.memoryMiB.`,
        { retryable, details },
      );
    case "crashed":
      return new StepError(
        "code-crashed",
        "The process that ran the code died of it each time. Let the code do less at a time.",
        { retryable, details },
      );
  }
}

function readOutput({ output, log }: Extract<CodeResult, { kind: "done" }>): Json {
  const read = readResult(output);
  if ("fault" in read) throw new StepError("code-result", read.fault, { details: log === "" ? {} : { log } });
  return read.value;
}

/** The result as `gives` declares it. Throws StepError `code-result` where it is not what is declared. */
function fit(output: Json, gives: JsonObject | undefined, log: string): Json {
  if (gives === undefined) return output;
  const { body, issues } = fitGiven(output, gives);
  if (issues.length === 0) return body;
  const faults = issues.slice(0, 5).map(({ path, message }) => `${path.replace(/^body/, "result")} ${message}`);
  throw new StepError("code-result", `The result is not what "gives" declares: ${faults.join("; ")}.`, {
    details: log === "" ? {} : { log },
  });
}
