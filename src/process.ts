import type { Log } from "./log.ts";

/** How long closing may take before the process ends anyway. */
const closingLimitMs = 15_000;

/** What a process has opened and must close before it ends. */
export interface Shutdown {
  /** Adds what closes one part; parts are closed in reverse order. */
  defer(part: string, close: () => Promise<void> | void): void;
  /** Closes everything and ends the process with `code`. Later calls wait for the first. */
  end(code: number): Promise<never>;
}

/**
 * Closes a main program's parts in reverse order on SIGTERM and SIGINT and ends the process: with 0,
 * or with 1 where a part could not be closed. A second signal ends it at once.
 */
export function createShutdown(log: Log): Shutdown {
  const parts: Array<{ part: string; close: () => Promise<void> | void }> = [];
  let ending: Promise<never> | undefined;

  async function closeAll(code: number): Promise<never> {
    const limit = setTimeout(() => {
      log.error(`Not closed after ${closingLimitMs / 1_000} s: ending anyway`);
      process.exit(1);
    }, closingLimitMs);
    let result = code;
    for (const { part, close } of parts.toReversed()) {
      try {
        await close();
      } catch (error) {
        log.error({ err: error }, `Closing ${part} failed`);
        result ||= 1;
      }
    }
    clearTimeout(limit);
    process.exit(result);
  }

  const shutdown: Shutdown = {
    defer(part, close) {
      parts.push({ part, close });
    },
    end(code) {
      ending ??= closeAll(code);
      return ending;
    },
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      if (ending !== undefined) process.exit(1);
      void shutdown.end(0);
    });
  }
  return shutdown;
}

/**
 * Ends this process gracefully (as SIGTERM does) when the supervisor that started it is gone: their
 * channel breaks however the supervisor died. Does nothing in a process that was started by itself.
 */
export function exitWithParent(): void {
  if (process.channel === undefined) return;
  process.channel?.unref();
  process.once("disconnect", () => process.kill(process.pid, "SIGTERM"));
}

/** Tells the supervisor, if there is one, that this process is up and serves. */
export function reportReady(): void {
  if (process.connected) process.send?.("ready");
}
