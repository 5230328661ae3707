import { setTimeout as delay } from "node:timers/promises";
import { endProcess, type Ending } from "./end-process.ts";
import { findIdentity } from "./identity.ts";
import { describeExit, type Program } from "./program.ts";
import { describeDuration, type Say } from "./progress.ts";

/** One part of Tandem that is kept running. */
export interface Part<P extends Program = Program> {
  readonly name: string;
  /** Resolves when it is up for the first time; rejects when that cannot be. */
  readonly started: Promise<P>;
  /** Ends it, also while it starts, and keeps it down. */
  stop(): Promise<void>;
  /** Ends it; it is started again at once. */
  restart(): Promise<void>;
}

export interface PartOptions<P extends Program> extends Ending {
  readonly name: string;
  /** Starts it and waits until it is up; tells the pid of every process that it starts on the way. */
  readonly start: (onStart: (pid: number) => void) => Promise<P>;
  readonly say: Say;
}

const backoff = { firstMs: 200, lastMs: 30_000 };
/** What ran this long is taken to be well: its next death starts the backoff anew. */
const wellAfterMs = 30_000;
const cleanUpMs = 10_000;

/**
 * Starts a part and starts it again whenever it dies, with a growing pause and a sentence, while the
 * others go on.
 */
export function keepRunning<P extends Program>(options: PartOptions<P>): Part<P> {
  const stopped = new AbortController();
  let restarting = false;
  let running: { pid: number; identity: string | undefined } | undefined;
  const onStart = (pid: number) => {
    running = { pid, identity: findIdentity(pid) };
    // A start that was under way when the stop came must not leave anything behind.
    if (stopped.signal.aborted) void end();
  };
  const started = options.start(onStart);
  const kept = started.then(keep, () => {});

  async function keep(first: P): Promise<void> {
    let program: P | undefined = first;
    let failures = 0;
    while (program !== undefined) {
      const since = Date.now();
      const exit = await program.exited;
      if (stopped.signal.aborted) return;
      failures = restarting || Date.now() - since > wellAfterMs ? 0 : failures + 1;
      if (!restarting) options.say(`${options.name} ended (${describeExit(exit)}) and is started again.`);
      program = await startAgain(failures);
      if (program !== undefined && !restarting) options.say(`${options.name} is up again.`);
      restarting = false;
    }
  }

  async function startAgain(failuresBefore: number): Promise<P | undefined> {
    for (let failures = failuresBefore; ; failures++) {
      if (failures > 0) await delay(pauseMs(failures), undefined, stopped).catch(() => {});
      if (stopped.signal.aborted) return undefined;
      try {
        return await options.start(onStart);
      } catch (error) {
        if (stopped.signal.aborted) return undefined;
        const reason = error instanceof Error ? error.message : String(error);
        const next = describeDuration(Math.max(1_000, pauseMs(failures + 1)));
        options.say(`${options.name} does not start: ${reason} Trying again in ${next}.`);
      }
    }
  }

  async function end(): Promise<void> {
    if (running !== undefined) await endProcess(running, options);
  }

  return {
    name: options.name,
    started,
    async stop() {
      stopped.abort();
      await end();
      // A start that was broken off cleans up after itself; it must not keep the others from ending.
      await Promise.race([kept, delay(cleanUpMs, undefined, { ref: false })]);
    },
    async restart() {
      restarting = true;
      await end();
    },
  };
}

function pauseMs(failures: number): number {
  return Math.min(backoff.lastMs, backoff.firstMs * 2 ** (failures - 1));
}
