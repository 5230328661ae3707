import { randomBytes } from "node:crypto";
import { link, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { findIdentity } from "./identity.ts";

/** A lock that this process holds until it releases it or dies. */
export interface Lock {
  release(): Promise<void>;
}

/** Somebody else, who lives, holds the lock. */
export interface Held {
  readonly heldBy: number;
}

interface Holder {
  readonly pid: number;
  readonly identity: string;
}

/**
 * Takes the lock of `directory` (a folder of its own), or says which process holds it. A lock is a
 * numbered file that comes into being whole. A dead holder's is outbid by the next number, which only
 * one can create: two that find the same dead holder cannot both win.
 */
export async function acquireLock(directory: string): Promise<Lock | Held> {
  await mkdir(directory, { recursive: true });
  for (;;) {
    const locks = await readLocks(directory);
    const living = locks.find(({ holder }) => isAlive(holder));
    if (living !== undefined) return { heldBy: living.holder.pid };
    const mine = Math.max(0, ...locks.map(({ number }) => number)) + 1;
    if (!(await createLock(directory, mine))) continue;
    // Whoever took another number at the same moment is seen here by at least one of the two.
    const rival = (await readLocks(directory)).find(({ number, holder }) => number !== mine && isAlive(holder));
    if (rival !== undefined) {
      await rm(join(directory, `${mine}.lock`), { force: true });
      return { heldBy: rival.holder.pid };
    }
    for (const { number } of locks) await rm(join(directory, `${number}.lock`), { force: true });
    return { release: () => rm(join(directory, `${mine}.lock`), { force: true }) };
  }
}

async function createLock(directory: string, number: number): Promise<boolean> {
  // A name of its own: whoever else of this process tries takes only its own draft away.
  const draft = join(directory, `${process.pid}-${randomBytes(6).toString("hex")}.draft`);
  await writeFile(draft, JSON.stringify({ pid: process.pid, identity: findIdentity(process.pid) ?? "" }));
  try {
    await link(draft, join(directory, `${number}.lock`));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

async function readLocks(directory: string): Promise<Array<{ number: number; holder: Holder }>> {
  const files = (await readdir(directory)).filter((name) => /^\d+\.lock$/.test(name));
  const locks = await Promise.all(
    files.map(async (name) => {
      const text = await readFile(join(directory, name), "utf8").catch(() => "");
      return { number: Number.parseInt(name, 10), holder: parseHolder(text) };
    }),
  );
  return locks.sort((a, b) => a.number - b.number);
}

function parseHolder(text: string): Holder {
  const match = /"pid":(\d+),"identity":"([^"]*)"/.exec(text);
  return { pid: Number(match?.[1] ?? 0), identity: match?.[2] ?? "" };
}

function isAlive(holder: Holder): boolean {
  return holder.pid > 0 && findIdentity(holder.pid) === holder.identity;
}
