import { findFirstWorkspace } from "../catalog/workspaces.ts";
import { dataDirectory, masterKeySource, readConfig } from "../config.ts";
import { createId } from "../ids.ts";
import { createPool, type SqlPool } from "../sql.ts";
import { insertCalls, insertOutcomes } from "../vault/audit.ts";
import { makeKeyFile, nextMasterKeyFile, readKeyFile, replaceKeyFile } from "../vault/master-key-files.ts";
import { readMasterKeys, type MasterKeySource } from "../vault/master-keys.ts";
import { listMasterKeyIds } from "../vault/sealed-tables.ts";
import { rotateMasterKey } from "../vault/rotation.ts";
import { findKeptDatabase } from "./kept-database.ts";

/**
 * `npm run rotate-master-key`: seals everything with another master key while all goes on. With MASTER_KEY it
 * goes from MASTER_KEY_PREVIOUS to that; without, a new key takes the place of the file's. May be killed
 * anywhere and started again.
 */
async function main(): Promise<void> {
  const config = readConfig();
  const url = config.DATABASE_URL ?? (await findKeptDatabase(dataDirectory(config)));
  const pool = createPool({ url, max: 2, name: "tandem-rotate-master-key" });
  try {
    await rotate(pool, masterKeySource(config));
  } finally {
    await pool.end();
  }
}

async function rotate(pool: SqlPool, source: MasterKeySource): Promise<void> {
  const isInFile = source.given === undefined;
  const before = (await readMasterKeys(source)).configured;
  // There before anything is sealed with it: whoever meets it reads the files again.
  const to = isInFile ? await keepNext(source.directory) : before;
  const masterKeys = await readMasterKeys(source);
  const isNeeded = (await listMasterKeyIds(pool)).some((id) => id !== to.id);
  if (!isInFile && !isNeeded)
    return say(
      `Everything is sealed with the master key of MASTER_KEY (${to.id}) already. To go over to another, put that one ` +
        "into MASTER_KEY and this one into MASTER_KEY_PREVIOUS, of every process, and call this again.",
    );
  const id = await note(pool, to.id);
  const { rewrapped, unreadable } = await rotateMasterKey({ pool, masterKeys }, to);
  await end(pool, { id, isWhole: unreadable.length === 0 });
  say(`${rewrapped} values are sealed with the master key ${to.id} now.`);
  if (unreadable.length > 0) {
    const names = unreadable.map(({ name, workspaceId }) => `${name} (workspace ${workspaceId || "none"})`).join(", ");
    throw new Error(
      `These do not open, and were left as they are: ${names}. Give them new values, and call this again.`,
    );
  }
  if (!isInFile) return say("MASTER_KEY_PREVIOUS can go.");
  const kept = await replaceKeyFile(source.directory, before);
  say(`The key before is in ${kept}: backups of the database from before need it. Delete it when there are none.`);
}

/** One that was begun and not finished is gone on with. */
async function keepNext(directory: string) {
  const file = nextMasterKeyFile(directory);
  return (await readKeyFile(file)) ?? makeKeyFile(directory, file);
}

/** In the first workspace's audit, since the key is the installation's. Undefined: there is no workspace. */
async function note(pool: SqlPool, keyId: string): Promise<string | undefined> {
  const workspaceId = await findFirstWorkspace(pool);
  if (workspaceId === undefined) return undefined;
  const id = createId();
  const actor = { kind: "command", id: null, name: "rotate-master-key" };
  const call = { action: "rotate-master-key", target: `/master-key/${keyId}`, requestId: id, ip: null };
  await insertCalls(pool, [{ id, workspaceId, actor, ...call }]);
  return id;
}

async function end(pool: SqlPool, { id, isWhole }: { id: string | undefined; isWhole: boolean }): Promise<void> {
  if (id === undefined) return;
  const [outcome, status] = isWhole ? (["done", 200] as const) : (["failed", 500] as const);
  await insertOutcomes(pool, [{ id, outcome, status, code: null, before: null, after: null, changed: null }]);
}

function say(sentence: string): void {
  process.stdout.write(`${sentence}\n`);
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
