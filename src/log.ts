import { pino, type Logger } from "pino";

/** A structured log on standard output, one JSON object a line; `name` says which process speaks. */
export function createLog(name: string, level: string): Logger {
  return pino({ name, level, base: { name }, timestamp: pino.stdTimeFunctions.isoTime });
}

export type { Logger as Log } from "pino";
