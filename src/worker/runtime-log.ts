import { makeTelemetryFilterString, Runtime, type Logger } from "@temporalio/worker";
import type { Log } from "../log.ts";

/** Sends what Temporal's SDK says through the process's own log. Once a process, before any connection. */
export function installRuntimeLog(log: Log): void {
  const say = (level: "trace" | "debug" | "info" | "warn" | "error") => (message: string, meta?: object) =>
    log[level](meta ?? {}, message);
  const logger: Logger = {
    log: (_level, message, meta) => say("debug")(message, meta),
    trace: say("trace"),
    debug: say("debug"),
    // The SDK tells of every change of a worker's state.
    info: say("debug"),
    warn: say("warn"),
    error: say("error"),
  };
  Runtime.install({
    logger,
    telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: "WARN", other: "ERROR" }), forward: {} } },
  });
}
