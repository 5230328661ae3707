import { setTimeout as sleep } from "node:timers/promises";
import { listRuns, readRun } from "../api.ts";
import { partNames, type PartName, type Product } from "../product.ts";
import { isDoingAStep } from "./in-flight.ts";
import type { Random } from "./random.ts";

export interface Kill {
  readonly part: PartName;
  /** Unix milliseconds. */
  readonly at: number;
  /** Runs that did a step a moment before. */
  readonly runIds: readonly string[];
}

/** How long a moment with a step in flight is waited for: parts may have to come back first. */
const flightLimitMs = 15_000;
const comingBackLimitMs = 60_000;

/** The order in which parts are killed: each at least twice where there are enough kills. */
export function planKills(kills: number, random: Random): PartName[] {
  const each = [...partNames, ...partNames].slice(0, kills);
  const rest = Array.from({ length: Math.max(kills - each.length, 0) }, () => random.pick(partNames));
  return random.shuffle([...each, ...rest]);
}

/**
 * Kills one part after the other with SIGKILL, at a random time and then as soon as a step is in flight,
 * or after a while without one: what was killed before may still be coming back.
 */
export async function killParts(
  product: Product,
  options: {
    plan: readonly PartName[];
    pauseMs: number;
    random: Random;
    workflowId: string;
    /** Called when a kill is due: there should be something to do now. */
    onAim(): void;
    onKill(kill: Kill): void;
  },
): Promise<void> {
  for (const part of options.plan) {
    await sleep(options.pauseMs * (0.5 + options.random.next()));
    options.onAim();
    options.onKill(await killPart(product, part, options.workflowId));
  }
}

async function killPart(product: Product, part: PartName, workflowId: string): Promise<Kill> {
  const end = Date.now() + comingBackLimitMs;
  while (Date.now() < end) {
    const pid = await product.pid(part);
    const runIds = await awaitFlight(product, workflowId);
    const at = Date.now();
    if (pid !== undefined && kill(pid)) return { part, at, runIds };
    await sleep(50);
  }
  throw new Error(`${part} did not come back within ${comingBackLimitMs / 1_000} s.`);
}

/** False: it is gone already, and another is about to take its place. */
function kill(pid: number): boolean {
  try {
    return process.kill(pid, "SIGKILL");
  } catch {
    return false;
  }
}

async function awaitFlight(product: Product, workflowId: string): Promise<string[]> {
  const end = Date.now() + flightLimitMs;
  while (Date.now() < end) {
    const found = await findMoving(product, workflowId).catch(() => []);
    if (found.length > 0) return found;
    await sleep(5);
  }
  return [];
}

async function findMoving(product: Product, workflowId: string): Promise<string[]> {
  const ids = await listRuns(product, { workflowId, status: "running", limit: 4 });
  const runs = await Promise.all(ids.map((id) => readRun(product, id)));
  return ids.filter((_, position) => isDoingAStep(runs[position], Date.now()));
}
