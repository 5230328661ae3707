import { setTimeout as delay } from "node:timers/promises";
import type { Config } from "../config.ts";
import type { Program } from "./program.ts";

/** Waits until the gateway can accept, or has ended. */
export async function waitForGateway(program: Program, config: Config): Promise<void> {
  let over = false;
  void program.exited.then(() => (over = true));
  while (!over && !(await isReady(config))) await delay(100);
}

/** The gateway's own address, as this machine reaches it. */
export function localUrl(config: Config): string {
  const host = config.HOST === "0.0.0.0" ? "127.0.0.1" : config.HOST === "::" ? "[::1]" : config.HOST;
  return `http://${host.includes(":") && !host.startsWith("[") ? `[${host}]` : host}:${config.PORT}`;
}

async function isReady(config: Config): Promise<boolean> {
  try {
    const response = await fetch(`${localUrl(config)}/ready`, { signal: AbortSignal.timeout(5_000) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}
