import type { Log } from "../log.ts";
import type { SqlPool } from "../sql.ts";
import { admit, workspacesWithWork, type Admitted } from "./admission.ts";
import { tellCallers } from "./calls/tell.ts";
import { markStarted, takeOverStarts, unreadWaits } from "./leases.ts";
import { createLoop, type Loop } from "./loop.ts";
import { createStartWindow, doubtfulMs } from "./start-window.ts";
import { settleBeside } from "./waits/due.ts";

/** What a dispatcher needs of Temporal. */
export interface Starter {
  /** Starts the run's workflow under the run's id. One that was started before is success. */
  start(run: Admitted): Promise<void>;
  /** Rings a workflow's doorbell. One that is gone is no failure: the reconciler sees to it. */
  ring(workflowId: string): Promise<void>;
}

/** A loop that admits runs. */
export interface Dispatcher extends Loop {
  /** A worker of this process has taken up the run. */
  begun(runId: string): void;
}

/** Most runs started by one round: enough to keep two cores busy, few enough to stay fair. */
const roundSize = 50;
const pollMs = 500;
const restMs = 5;
const housekeepingMs = 2_000;

/**
 * Admits ready runs within each workspace's limit and starts their workflows. It commits, then starts;
 * what it could not start is started again after the lease by whoever looks first (DURABILITY.md §6).
 */
export function createDispatcher(parts: {
  pool: SqlPool;
  starter: Starter;
  owner: string;
  log: Log;
  /** Called when cancels are to be carried to workflows. */
  onCancels(): void;
}): Dispatcher {
  const { pool, starter, owner, log, onCancels } = parts;
  const starting = new Set<Promise<void>>();
  let housekeepingAt = 0;
  let rounds = 0;
  /** There was more to start than there was room for. */
  let held = false;
  const window = createStartWindow({ roomMade: () => held && loop.ring() });

  /** Gives how long to rest. After a find a moment's rest lets what comes in meanwhile be admitted together. */
  async function round(): Promise<number> {
    let busy = false;
    held = false;
    await window.lookAfter(pool);
    await tellCallers(pool);
    for (const waiter of await settleBeside(pool)) track(ringOne(waiter));
    const workspaces = inTurn(await workspacesWithWork(pool), (rounds += 1));
    for (const [position, workspaceId] of workspaces.entries()) {
      const share = Math.ceil(window.free() / (workspaces.length - position));
      const most = Math.min(roundSize, share);
      const { admitted, waiters, more, cancelling } = await admit(pool, { workspaceId, owner, most });
      held ||= most < roundSize && admitted.length >= most;
      for (const { runId, resumed } of admitted) if (!resumed) window.add(runId);
      busy ||= more || admitted.length > 0;
      if (cancelling) onCancels();
      track(startAll(admitted.filter((run) => !run.resumed)));
      for (const waiter of waiters) track(ringOne(waiter));
    }
    if (Date.now() >= housekeepingAt) {
      housekeepingAt = Date.now() + housekeepingMs;
      track(startAll(await takeOverStarts(pool, owner)));
      for (const waiter of await unreadWaits(pool)) track(ringOne(waiter));
    }
    if (busy) return restMs;
    return held ? doubtfulMs : pollMs;
  }

  async function startAll(runs: readonly Admitted[]): Promise<void> {
    if (runs.length === 0) return;
    const started = await Promise.all(runs.map(startOne));
    await markStarted(
      pool,
      started.filter((runId) => runId !== undefined),
    );
  }

  async function startOne(run: Admitted): Promise<string | undefined> {
    try {
      await starter.start(run);
      return run.runId;
    } catch (error) {
      window.remove(run.runId);
      log.warn(
        { err: error, runId: run.runId },
        "a run could not be started yet; it is tried again when its lease is over",
      );
      return undefined;
    }
  }

  async function ringOne(waiter: string): Promise<void> {
    await starter
      .ring(waiter)
      .catch((error: unknown) => log.debug({ err: error, waiter }, "a doorbell was not heard; it is rung again"));
  }

  function track(work: Promise<void>): void {
    const tracked = work
      .catch((error: unknown) => log.warn({ err: error }, "the dispatcher could not finish a round"))
      .finally(() => starting.delete(tracked));
    starting.add(tracked);
  }

  const loop = createLoop({ work: "admitting runs", log, round });
  return {
    ...loop,
    begun: (runId) => window.remove(runId),
    async stop() {
      await loop.stop();
      await Promise.allSettled(starting);
    },
  };
}

/** The same, beginning with another one each time: the first of them finds the most room. */
function inTurn(workspaces: readonly string[], turn: number): string[] {
  const from = workspaces.length === 0 ? 0 : turn % workspaces.length;
  return [...workspaces.slice(from), ...workspaces.slice(0, from)];
}
