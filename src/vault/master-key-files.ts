import { randomBytes } from "node:crypto";
import { link, mkdir, open, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseMasterKey, type MasterKey } from "./master-key.ts";

/** The file that holds the master key where the environment has none. */
export function masterKeyFile(directory: string): string {
  return join(directory, "master-key");
}

/** The one that is to take its place, while values are sealed anew. */
export function nextMasterKeyFile(directory: string): string {
  return `${masterKeyFile(directory)}.next`;
}

/** The key in a file. Undefined: there is no such file. */
export async function readKeyFile(file: string): Promise<MasterKey | undefined> {
  try {
    return parseMasterKey((await readFile(file, "utf8")).trim(), file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * Makes a file with a new key, which is there whole or not at all and is on the disk before its key is
 * used. Of two that make it at once one is first, and both use what that one made: a link never takes
 * another's place.
 */
export async function makeKeyFile(directory: string, file: string): Promise<MasterKey> {
  await mkdir(directory, { recursive: true });
  const draft = `${file}.${process.pid}.${randomBytes(4).toString("hex")}`;
  try {
    await writeFile(draft, `${randomBytes(32).toString("base64")}\n`, { mode: 0o600, flag: "wx", flush: true });
    await linkOnce(draft, file);
  } finally {
    await rm(draft, { force: true });
  }
  await syncDirectory(directory);
  const made = await readKeyFile(file);
  if (made === undefined) throw new Error(`${file} went while it was made.`);
  return made;
}

/** Puts the next key in the place of the one before, which stays under a name with its id. Gives that name. */
export async function replaceKeyFile(directory: string, before: MasterKey): Promise<string> {
  const kept = `${masterKeyFile(directory)}.${before.id}`;
  await linkOnce(masterKeyFile(directory), kept);
  await rename(nextMasterKeyFile(directory), masterKeyFile(directory));
  await syncDirectory(directory);
  return kept;
}

async function linkOnce(from: string, to: string): Promise<void> {
  await link(from, to).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
  });
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
