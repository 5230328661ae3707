import { setTimeout as sleep } from "node:timers/promises";
import { closeCancelled, releaseKey } from "../runs/close.ts";
import { loadRun, readWait as readWaitRow } from "../runs/attempts.ts";
import { findEnding } from "../runs/ending.ts";
import { sealRows } from "../runs/ledger.ts";
import { loadRows } from "../runs/known-rows.ts";
import { parkRun } from "../runs/waits/park.ts";
import type { CloseInput, CloseResult, RunEnding, VersionKey, WaitKey } from "./contract.ts";
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
  const loaded = await loadRun(pool, input, { trigger: version.outputNeeds.trigger, paths: [] });
  if (loaded === undefined) {
    // Closed before, by a try whose answer was lost.
    const closed = await findEnding(pool, input.runId);
    return closed === undefined ? { again: "fenced" } : { closed };
  }
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

/** Gives the run's slot back, since all its steps wait. False: it goes on, or that could not be said yet. */
export async function park(environment: Environment, key: VersionKey): Promise<boolean> {
  try {
    const parked = await parkRun(environment.pool, key);
    if (parked) environment.slotFreed();
    return parked;
  } catch (error) {
    environment.log.debug({ err: error, runId: key.runId }, "a run's slot could not be given back yet");
    return false;
  }
}

/** Pauses before a wait is read again. */
const readingPausesMs = [50, 500, 1_500];

/**
 * Whether the wait is settled. Postgres away counts as not yet, after a few tries: where the answer was lost
 * but not the commit that says that the run has read it, nobody rings for it any more.
 */
export async function readWait({ pool, log }: Environment, wait: WaitKey): Promise<boolean> {
  for (const pauseMs of [...readingPausesMs, undefined]) {
    try {
      return await readWaitRow(pool, wait);
    } catch (error) {
      log.debug({ err: error, ...wait }, "a wait could not be read yet");
      if (pauseMs !== undefined) await sleep(pauseMs);
    }
  }
  return false;
}
