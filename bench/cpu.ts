import { readdir, readFile } from "node:fs/promises";
import { partNames, type PartName, type Product } from "./product.ts";

/** Milliseconds of processor time by part; undefined where the platform does not tell. */
export type Cpu = Readonly<Record<PartName, number>> | undefined;

const ticksPerSecond = 100;

/** What each part has used so far; Postgres with all its backends, the ended ones included. */
export async function readCpu(product: Product): Promise<Cpu> {
  if (process.platform !== "linux") return undefined;
  const used: Record<PartName, number> = { gateway: 0, worker: 0, Temporal: 0, Postgres: 0 };
  const parents = await readParents();
  for (const part of partNames) {
    const pid = await product.pid(part);
    if (pid === undefined) continue;
    for (const member of family(pid, parents)) used[part] += await usedBy(member);
  }
  return used;
}

/** What was used between two readings. */
export function cpuBetween(before: Cpu, after: Cpu): Cpu {
  return before === undefined || after === undefined ? undefined : each((part) => after[part] - before[part]);
}

/** What was used in all of these, divided among `runs`; undefined where any of them is not known. */
export function shareOf(used: readonly Cpu[], runs: number): Cpu {
  const known = used.filter((one) => one !== undefined);
  if (known.length < used.length) return undefined;
  return each((part) => known.reduce((sum, one) => sum + one[part], 0) / runs);
}

function each(value: (part: PartName) => number): Record<PartName, number> {
  return {
    gateway: value("gateway"),
    worker: value("worker"),
    Temporal: value("Temporal"),
    Postgres: value("Postgres"),
  };
}

/** Milliseconds for which this machine's processors were busy since it started; undefined off Linux. */
export async function readBusy(): Promise<number | undefined> {
  const text = await readFile("/proc/stat", "utf8").catch(() => undefined);
  const [user = 0, nice = 0, system = 0] = text?.split("\n")[0]?.split(/ +/).slice(1).map(Number) ?? [];
  return text === undefined ? undefined : ((user + nice + system) * 1_000) / ticksPerSecond;
}

interface Stat {
  readonly parent: number;
  readonly ms: number;
}

async function readStat(pid: number): Promise<Stat | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  // After the command in brackets: state, parent, …; 12 and 13 are user and system time, 14 and 15 those of ended children.
  const fields = text
    .slice(text.lastIndexOf(")") + 2)
    .split(" ")
    .map(Number);
  const ticks = [11, 12, 13, 14].reduce((sum, index) => sum + (fields[index] ?? 0), 0);
  return { parent: fields[1] ?? 0, ms: (ticks * 1_000) / ticksPerSecond };
}

async function usedBy(pid: number): Promise<number> {
  return (await readStat(pid))?.ms ?? 0;
}

async function readParents(): Promise<Map<number, number>> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const stats = await Promise.all(pids.map(async (pid) => [pid, (await readStat(pid))?.parent ?? 0] as const));
  return new Map(stats);
}

function family(root: number, parents: ReadonlyMap<number, number>): number[] {
  const members = [root];
  for (const member of members) for (const [pid, parent] of parents) if (parent === member) members.push(pid);
  return members;
}
