import { isJsonObject, textOf, type Json, type JsonObject } from "../json.ts";
import type { LoadedRun } from "../runs/attempts.ts";
import type { RunEnd, RunKey, StepRow } from "../runs/ledger.ts";
import { loadRows, readKnown, type KnownRow } from "../runs/known-rows.ts";
import type { RunEnding } from "./contract.ts";
import type { Environment } from "./environment.ts";
import { meaningOf } from "./failures.ts";
import { createEvaluation, outputNode, type PreparedVersion } from "./prepared.ts";

interface EndOf {
  readonly version: PreparedVersion;
  readonly run: LoadedRun;
  readonly key: RunKey;
  readonly ending: RunEnding;
  row(path: string): KnownRow | undefined;
  /** The failed step's row, if it is not sealed yet. */
  readonly failed?: StepRow | undefined;
}

/**
 * What the ledger keeps of a run's end: the output, evaluated now, or what failed and why. An output
 * that cannot be evaluated makes the run fail, with that reason.
 */
export async function describeEnd(environment: Environment, end: EndOf): Promise<{ end: RunEnd; ending: RunEnding }> {
  const { ending, version } = end;
  if (ending.kind === "failed") {
    const failure = end.failed?.error ?? (await loadFailure(environment, end.key.runId, ending.path));
    return { end: { status: "failed", output: null, error: runError(version, ending, failure) }, ending };
  }
  if (ending.kind === "stopped" && ending.as === "failed") {
    const message = await loadMessage(environment, end.key.runId, ending.path);
    const error = { code: "stopped", message, step: stepIdOf(ending.path), path: ending.path };
    return { end: { status: "failed", output: null, error }, ending };
  }
  const { output } = version.version.compiled;
  if (output === undefined) return { end: { status: "completed", output: null, error: null }, ending };
  try {
    const value: Json =
      output.evaluate(await createEvaluation(environment, { version, node: outputNode }, { ...end, path: "output" })) ??
      null;
    return { end: { status: "completed", output: value, error: null }, ending };
  } catch (error) {
    const meaning = meaningOf(error);
    if (meaning.kind !== "answer") throw error;
    // A run that ended before its last step need not have what its output reads.
    if (ending.kind === "stopped" || ending.early === true)
      return { end: { status: "completed", output: null, error: null }, ending };
    const { code, message } = meaning.failure;
    return {
      end: { status: "failed", output: null, error: { code, message } },
      ending: { kind: "failed", path: "output", code, attempts: 1 },
    };
  }
}

async function loadFailure({ pool }: Environment, runId: string, path: string): Promise<Json> {
  const rows = await loadRows(pool, runId, [{ path, subs: [], error: true }]);
  return rows.get(path)?.error ?? null;
}

/** What the step says that stopped the run as failed. */
async function loadMessage({ pool }: Environment, runId: string, path: string): Promise<string> {
  const rows = await loadRows(pool, runId, [{ path, subs: [["message"]], error: false }]);
  const row = rows.get(path);
  const message = row && textOf(readKnown(row, ["message"]) ?? null);
  return message ?? `Step "${stepIdOf(path)}" stopped the run as failed.`;
}

/** `update` of `each[42].update`. */
function stepIdOf(path: string): string {
  return path.slice(path.lastIndexOf("].") + 1).replace(/^\./, "");
}

/** A run's failure as people read it: which step, after how many tries, why. */
function runError(version: PreparedVersion, ending: Extract<RunEnding, { kind: "failed" }>, failure: Json): JsonObject {
  const step = version.index.byId.get(stepIdOf(ending.path));
  const reason = (isJsonObject(failure) ? textOf(failure["message"]) : undefined) ?? ending.code;
  const tries = ending.attempts === 1 ? "1 attempt" : `${ending.attempts} attempts`;
  return {
    code: ending.code,
    message: `Step "${step?.name ?? ending.path}" failed after ${tries}: ${reason}`,
    step: step?.id ?? ending.path,
    path: ending.path,
    attempts: ending.attempts,
  };
}
