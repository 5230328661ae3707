import { closeCancelled, releaseKey } from "../runs/close.ts";
import { loadRun, readWait as readWaitRow } from "../runs/attempts.ts";
import { sealRows } from "../runs/ledger.ts";
import { loadRows } from "../runs/scope.ts";
import type { CloseInput, CloseResult, RunEnding } from "./contract.ts";
import { describeEnd } from "./ending.ts";
import type { Environment } from "./environment.ts";
import { meaningOf } from "./failures.ts";
import { prepareVersion } from "./prepared.ts";

/** Closes the run in the ledger. Never throws: the workflow asks again after a timer of its own. */
export async function closeRun(environment: Environment, input: CloseInput): Promise<CloseResult> {
  try {
    const closed =
      input.ending.kind === "cancelled"
        ? await closeAsCancelled(environment, input)
        : await closeAsEnded(environment, input, input.ending);
    if ("closed" in closed) environment.slotFreed();
    return closed;
  } catch (error) {
    if (meaningOf(error).kind === "fenced") return { again: "fenced" };
    environment.log.warn({ err: error, runId: input.runId }, "a run could not be closed yet");
    return { again: "unavailable" };
  }
}

async function closeAsCancelled({ pool }: Environment, input: CloseInput): Promise<CloseResult> {
  if (!(await closeCancelled(pool, input))) return { again: "fenced" };
  await releaseKey(pool, input.runId);
  return { closed: { kind: "cancelled" } };
}

async function closeAsEnded(environment: Environment, input: CloseInput, ending: RunEnding): Promise<CloseResult> {
  const { pool } = environment;
  const version = prepareVersion(await environment.loadVersion(input.versionId));
  const loaded = await loadRun(pool, input, version.outputNeeds.trigger);
  if (loaded === undefined) return { again: "fenced" };
  const rows = await loadRows(pool, input.runId, version.outputNeeds.rows);
  const described = await describeEnd(environment, {
    version,
    run: loaded.run,
    key: input,
    ending,
    row: (path) => rows.get(path),
  });
  await sealRows(pool, input, [], described.end);
  if (loaded.run.keyed) await releaseKey(pool, input.runId);
  return { closed: described.ending };
}

/** Whether the wait is settled. Postgres away counts as not yet. */
export async function readWait({ pool, log }: Environment, wait: { runId: string; waitId: string }): Promise<boolean> {
  try {
    return await readWaitRow(pool, wait.runId, wait.waitId);
  } catch (error) {
    log.debug({ err: error, ...wait }, "a wait could not be read yet");
    return false;
  }
}
