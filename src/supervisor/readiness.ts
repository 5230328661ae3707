import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import type { Config } from "../config.ts";
import type { Program } from "./program.ts";

const readySchema = z.object({ temporal: z.object({ up: z.boolean() }), workers: z.object({ up: z.boolean() }) });

/** Waits until the gateway can accept. */
export async function waitForGateway(program: Program, config: Config): Promise<void> {
  await poll(program, async () => (await fetchReady(config))?.status === 200);
}

/** Waits until the worker says that it is up, or the gateway sees it polling. */
export async function waitForWorker(program: Program, config: Config): Promise<void> {
  const seen = poll(program, async () => {
    const body = readySchema.safeParse((await fetchReady(config))?.body);
    return body.success && body.data.temporal.up && body.data.workers.up;
  });
  await Promise.race([program.ready, seen]);
}

/** The gateway's own address, as this machine reaches it. */
export function localUrl(config: Config): string {
  const host = config.HOST === "0.0.0.0" ? "127.0.0.1" : config.HOST === "::" ? "[::1]" : config.HOST;
  return `http://${host.includes(":") && !host.startsWith("[") ? `[${host}]` : host}:${config.PORT}`;
}

async function poll(program: Program, ask: () => Promise<boolean>): Promise<void> {
  let over = false;
  void Promise.race([program.exited, program.ready]).then(() => (over = true));
  while (!(await ask())) {
    await delay(100);
    if (over) return;
  }
}

async function fetchReady(config: Config): Promise<{ status: number; body: unknown } | undefined> {
  try {
    const response = await fetch(`${localUrl(config)}/ready`, { signal: AbortSignal.timeout(5_000) });
    return { status: response.status, body: await response.json() };
  } catch {
    return undefined;
  }
}
