import type { Log } from "../log.ts";
import { isUnavailable } from "../sql.ts";

/** Work that goes on for as long as the process lives. */
export interface Loop {
  start(): void;
  /** Says that there may be work now; without it, work is found by polling. */
  ring(): void;
  /** Resolves when the round it is in has ended. */
  stop(): Promise<void>;
}

const firstBackoffMs = 400;
const longestBackoffMs = 5_000;
/** After a ring during a round: long enough that what comes in meanwhile is done together. */
const shortRestMs = 5;

/**
 * Does round after round. `round` gives the rest before the next, in milliseconds, which a ring cuts
 * short. A failing round is repeated with growing pauses: one line in the log when it begins to fail,
 * one when it goes on. `work` names it in those: "admitting runs".
 */
export function createLoop({ work, log, round }: { work: string; log: Log; round(): Promise<number> }): Loop {
  let stopping = false;
  let rung = false;
  let wake: (() => void) | undefined;
  let running: Promise<void> = Promise.resolve();
  let failures = 0;

  async function run(): Promise<void> {
    while (!stopping) {
      rung = false;
      const rest = await attempt();
      if (!stopping) await pause(rung && failures === 0 ? Math.min(rest, shortRestMs) : rest);
    }
  }

  async function attempt(): Promise<number> {
    try {
      const rest = await round();
      if (failures > 0) log.info(`${work} goes on`);
      failures = 0;
      return rest;
    } catch (error) {
      const why = isUnavailable(error) ? "Postgres is away" : "a round failed";
      if (failures === 0) log.warn({ err: error }, `${work} waits: ${why}; it is tried again`);
      failures += 1;
      return Math.min(firstBackoffMs * 2 ** (failures - 1), longestBackoffMs);
    }
  }

  function pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(finish, ms);
      function finish(): void {
        clearTimeout(timer);
        wake = undefined;
        resolve();
      }
      wake = finish;
    });
  }

  return {
    start() {
      running = run();
    },
    ring() {
      rung = true;
      wake?.();
    },
    async stop() {
      stopping = true;
      wake?.();
      await running;
    },
  };
}
