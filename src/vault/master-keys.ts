import { ProblemError } from "../errors.ts";
import { inTransaction, type Sql, type SqlPool } from "../sql.ts";
import { parseMasterKey, type MasterKey } from "./master-key.ts";
import { makeKeyFile, masterKeyFile, nextMasterKeyFile, readKeyFile } from "./master-key-files.ts";
import { listMasterKeyIds } from "./sealed-tables.ts";

/** Where master keys may be: in the environment (`given`, `previous`), else in files of the data directory. */
export interface MasterKeySource {
  readonly given: string | undefined;
  /** Those before, with commas between them, as long as anything is sealed with them. */
  readonly previous?: string | undefined;
  readonly directory: string;
}

/** The master keys that a process has. Which of them seals, the database says: all processes use the same. */
export interface MasterKeys {
  /** The one that is configured: it seals once nothing is left to another. */
  readonly configured: MasterKey;
  /** The key with this id. A file that has come since is seen. Undefined: this process does not have it. */
  find(id: string): Promise<MasterKey | undefined>;
}

/** The master keys, as a process that works with secrets finds them. Throws an Error where there is none. */
export async function readMasterKeys(source: MasterKeySource): Promise<MasterKeys> {
  const keys = await findMasterKeys(source);
  if (keys !== undefined) return keys;
  throw new Error(
    `There is no master key: MASTER_KEY is not set, and there is no file ${masterKeyFile(source.directory)}. ` +
      "`npm run migrate` makes the file; a process on another machine needs MASTER_KEY.",
  );
}

/**
 * Sees to it that there is a master key, and that all that is sealed can be opened. Where there is none
 * one is made, unless something is sealed: to that another key is of no use. Throws an Error that says
 * what to do.
 */
export async function keepMasterKeys(pool: SqlPool, source: MasterKeySource): Promise<MasterKeys> {
  const found = await findMasterKeys(source);
  if (found === undefined && (await listMasterKeyIds(pool)).length > 0) throw await missing(pool, source);
  const keys = found ?? keysOf([await makeKeyFile(source.directory, masterKeyFile(source.directory))], source);
  await inTransaction(pool, async (sql) => {
    const kept = await lockMasterKeyId(sql, keys.configured.id);
    const needed = await listMasterKeyIds(sql);
    for (const id of needed) if ((await keys.find(id)) === undefined) throw await missing(sql, source, keys.configured);
    if (needed.length > 0 && (await keys.find(kept)) !== undefined) return;
    await setMasterKeyId(sql, keys.configured.id);
  });
  return keys;
}

/**
 * The key to seal with, until the transaction ends: what is sealed with another one could not be opened by
 * the other processes. Throws ProblemError 503 when this process does not have it.
 */
export async function holdMasterKey(sql: Sql, keys: MasterKeys): Promise<MasterKey> {
  const kept = await lockMasterKeyId(sql, keys.configured.id);
  const key = await keys.find(kept);
  if (key !== undefined) return key;
  throw new ProblemError(
    503,
    "another-master-key",
    `This process has another master key (${keys.configured.id}) than the installation (${kept}). Give all of them the same MASTER_KEY.`,
  );
}

/** Says with which key is sealed from now on. Call it under the lock of `holdMasterKey`. */
export async function setMasterKeyId(sql: Sql, id: string): Promise<void> {
  await sql.query("update tandem.master_key set id = $1::text where id <> $1::text", [id]);
}

async function lockMasterKeyId(sql: Sql, id: string): Promise<string> {
  await sql.query("insert into tandem.master_key (id) values ($1::text) on conflict (singleton) do nothing", [id]);
  const { rows } = await sql.query<{ id: string }>("select id from tandem.master_key for update");
  if (rows[0] === undefined) throw new Error("The master key's id was not kept.");
  return rows[0].id;
}

async function missing(sql: Sql, { given, directory }: MasterKeySource, found?: MasterKey): Promise<Error> {
  const wanted = (await listMasterKeyIds(sql)).join(", ");
  const where = given === undefined ? masterKeyFile(directory) : "MASTER_KEY";
  const now = found === undefined ? "there is none now" : `${where} holds ${found.id}`;
  return new Error(
    `The database holds secrets that were sealed with the master key ${wanted}; ${now}. ` +
      `Put that key back into ${where}: without it they cannot be read. Nothing was changed.`,
  );
}

async function findMasterKeys(source: MasterKeySource): Promise<MasterKeys | undefined> {
  const found = await readAll(source);
  return found.length === 0 ? undefined : keysOf(found, source);
}

/** The configured one first. */
async function readAll({ given, previous = "", directory }: MasterKeySource): Promise<MasterKey[]> {
  if (given !== undefined) {
    const before = previous.split(",").map((text) => text.trim());
    const others = before.filter((text) => text !== "").map((text) => parseMasterKey(text, "MASTER_KEY_PREVIOUS"));
    return [parseMasterKey(given, "MASTER_KEY"), ...others];
  }
  const files = [masterKeyFile(directory), nextMasterKeyFile(directory)];
  const found = await Promise.all(files.map(readKeyFile));
  return found.filter((key) => key !== undefined);
}

function keysOf(found: readonly MasterKey[], source: MasterKeySource): MasterKeys {
  const byId = new Map(found.map((key) => [key.id, key]));
  const [configured] = found;
  if (configured === undefined) throw new Error("There is no master key.");
  return {
    configured,
    async find(id) {
      // What is asked for and not known here is another process's: files may have changed since.
      if (!byId.has(id)) for (const key of await readAll(source)) byId.set(key.id, key);
      return byId.get(id);
    },
  };
}
