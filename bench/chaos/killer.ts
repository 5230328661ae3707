import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { partNames, type PartName, type Product } from "../product.ts";
import type { Random } from "./random.ts";

export interface Kill {
  readonly part: PartName;
  /** A step was in flight when the part was killed. */
  readonly inFlight: boolean;
}

/** The order in which parts are killed: each at least twice where there are enough kills. */
export function planKills(kills: number, random: Random): PartName[] {
  const each = [...partNames, ...partNames].slice(0, kills);
  const rest = Array.from({ length: Math.max(kills - each.length, 0) }, () => random.pick(partNames));
  return random.shuffle([...each, ...rest]);
}

const runs = z.object({ data: z.array(z.object({ id: z.string() })) });

/**
 * Kills one part after the other with SIGKILL, each when a step is in flight, as far as that can be seen
 * from outside within two seconds, and waits for it to be back before the next.
 */
export async function killParts(
  product: Product,
  options: { plan: readonly PartName[]; pauseMs: number; random: Random; workflowId: string; onKill(kill: Kill): void },
): Promise<void> {
  for (const part of options.plan) {
    await sleep(options.pauseMs * (0.5 + options.random.next()));
    const pid = await runningPid(product, part);
    const inFlight = await awaitFlight(product, options.workflowId);
    process.kill(pid, "SIGKILL");
    options.onKill({ part, inFlight });
  }
}

async function runningPid(product: Product, part: PartName): Promise<number> {
  for (let tries = 0; tries < 600; tries++) {
    const pid = await product.pid(part);
    if (pid !== undefined && isRunning(pid)) return pid;
    await sleep(50);
  }
  throw new Error(`${part} did not come back within 30 s.`);
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function awaitFlight(product: Product, workflowId: string): Promise<boolean> {
  const end = Date.now() + 2_000;
  while (Date.now() < end) {
    if (await isInFlight(product, workflowId)) return true;
    await sleep(5);
  }
  return false;
}

/** A run that holds a slot is doing a step, or is on its way from one to the next. */
async function isInFlight(product: Product, workflowId: string): Promise<boolean> {
  for (const status of ["running", "starting"]) {
    const answer = await product
      .call("GET", `/api/runs?workflowId=${workflowId}&status=${status}&limit=1`)
      .catch(() => undefined);
    const parsed = runs.safeParse(answer?.body);
    if (parsed.success && parsed.data.data.length > 0) return true;
  }
  return false;
}
