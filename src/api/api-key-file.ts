import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { SqlPool } from "../sql.ts";
import { createApiKey, findApiKey } from "../vault/api-keys.ts";
import type { Vault } from "../vault/vault.ts";

/**
 * Sees to it that `<directory>/api-key` holds a key that works. `made` is the key that was just made
 * with the installation. Where there is none, and the file is missing or its key is not one of this
 * database, a further key is made: else somebody whose first start was killed at the wrong moment, or
 * who lost the file, would be shut out. A key that nobody holds does no harm.
 */
export async function keepApiKey(
  { pool, vault }: { pool: SqlPool; vault: Vault },
  { directory, workspaceId, made }: { directory: string; workspaceId: string; made: string | undefined },
): Promise<{ file: string; created: boolean }> {
  const file = join(directory, "api-key");
  const isUsable = async (key: string): Promise<boolean> => (await findApiKey(pool, vault, key))?.isExpired === false;
  const kept = made === undefined ? await readKey(file) : undefined;
  if (kept !== undefined && (await isUsable(kept))) return { file, created: false };
  const key = made ?? (await createApiKey(pool, vault, { workspaceId, name: "npm start" })).key;
  await writeWhole(file, `${key}\n`, directory);
  return { file, created: true };
}

async function readKey(file: string): Promise<string | undefined> {
  try {
    return (await readFile(file, "utf8")).trim();
  } catch {
    return undefined;
  }
}

/** By rename, so that the file is there with all of it or not at all, and never readable by others. */
async function writeWhole(file: string, text: string, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  const draft = `${file}.${process.pid}`;
  await rm(draft, { force: true });
  await writeFile(draft, text, { mode: 0o600, flush: true });
  await rename(draft, file);
}
