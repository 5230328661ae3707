import { createHmac, createSecretKey, randomBytes, type KeyObject } from "node:crypto";
import { link, mkdir, open, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ProblemError } from "../errors.ts";
import { inTransaction, type Sql, type SqlPool } from "../sql.ts";

/** What seals every secret's own key. It is in the environment or in a file, never in the database. */
export interface MasterKey {
  /** Tells keys apart, and nothing of them. */
  readonly id: string;
  readonly key: KeyObject;
}

/** Where a master key may be: in the environment (`given`), else in a file of the data directory. */
export interface MasterKeySource {
  readonly given: string | undefined;
  readonly directory: string;
}

/** The file that holds the master key where the environment has none. */
export function masterKeyFile(directory: string): string {
  return join(directory, "master-key");
}

/** A key as it is written: 32 bytes in base64. Throws an Error that names where it stands, never the key. */
export function parseMasterKey(text: string, where: string): MasterKey {
  const bytes = Buffer.from(text, "base64");
  if (bytes.length !== 32 || bytes.toString("base64").replace("=", "") !== text.replace(/=$/, ""))
    throw new Error(`${where} is not a master key: 32 bytes in base64, such as \`openssl rand -base64 32\` gives.`);
  const id = createHmac("sha256", bytes).update("tandem master key id").digest("hex").slice(0, 16);
  const key = createSecretKey(bytes);
  bytes.fill(0);
  return { id, key };
}

/** The master key, as a process that works with secrets finds it. Throws an Error where there is none. */
export async function readMasterKey(source: MasterKeySource): Promise<MasterKey> {
  const key = await findMasterKey(source);
  if (key !== undefined) return key;
  throw new Error(
    `There is no master key: MASTER_KEY is not set, and there is no file ${masterKeyFile(source.directory)}. ` +
      "`npm run migrate` makes the file; a process on another machine needs MASTER_KEY.",
  );
}

/**
 * Sees to it that there is a master key, and that it is the one that the secrets were sealed with. Where
 * there is none one is made, unless there are secrets: to them another key is of no use. Throws an Error
 * that says what to do.
 */
export async function keepMasterKey(pool: SqlPool, source: MasterKeySource): Promise<MasterKey> {
  const found = await findMasterKey(source);
  if (found === undefined && (await hasSecrets(pool))) throw await missing(pool, source);
  const key = found ?? (await makeMasterKey(source.directory));
  await inTransaction(pool, async (sql) => {
    const kept = await lockMasterKeyId(sql, key.id);
    if (kept === key.id) return;
    if (await hasSecrets(sql)) throw await missing(sql, source, key);
    await sql.query("update tandem.master_key set id = $1::text", [key.id]);
  });
  return key;
}

/**
 * Holds the installation to this key until the transaction ends: what is sealed with another one could
 * not be opened by the other processes. Throws ProblemError 503 when it has another.
 */
export async function holdMasterKey(sql: Sql, { id }: MasterKey): Promise<void> {
  const kept = await lockMasterKeyId(sql, id);
  if (kept === id) return;
  throw new ProblemError(
    503,
    "another-master-key",
    `This process has another master key (${id}) than the installation (${kept}). Give all of them the same MASTER_KEY.`,
  );
}

async function lockMasterKeyId(sql: Sql, id: string): Promise<string> {
  await sql.query("insert into tandem.master_key (id) values ($1::text) on conflict (singleton) do nothing", [id]);
  const { rows } = await sql.query<{ id: string }>("select id from tandem.master_key for update");
  if (rows[0] === undefined) throw new Error("The master key's id was not kept.");
  return rows[0].id;
}

async function hasSecrets(sql: Sql): Promise<boolean> {
  const { rows } = await sql.query<{ some: boolean }>("select exists (select from tandem.secret_values) as some");
  return rows[0]?.some ?? false;
}

async function missing(sql: Sql, { given, directory }: MasterKeySource, found?: MasterKey): Promise<Error> {
  const { rows } = await sql.query<{ id: string }>("select distinct master_key_id as id from tandem.secret_values");
  const wanted = rows.map(({ id }) => id).join(", ");
  const where = given === undefined ? masterKeyFile(directory) : "MASTER_KEY";
  const now = found === undefined ? "there is none now" : `${where} holds ${found.id}`;
  return new Error(
    `The database holds secrets that were sealed with the master key ${wanted}; ${now}. ` +
      `Put that key back into ${where}: without it they cannot be read. Nothing was changed.`,
  );
}

async function findMasterKey({ given, directory }: MasterKeySource): Promise<MasterKey | undefined> {
  if (given !== undefined) return parseMasterKey(given, "MASTER_KEY");
  const file = masterKeyFile(directory);
  try {
    return parseMasterKey((await readFile(file, "utf8")).trim(), file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * Makes the file, which is there whole or not at all and is on the disk before its key is used. Of two
 * that make it at once one is first, and both use what that one made: a link never takes another's place.
 */
async function makeMasterKey(directory: string): Promise<MasterKey> {
  const file = masterKeyFile(directory);
  await mkdir(directory, { recursive: true });
  const draft = `${file}.${process.pid}.${randomBytes(4).toString("hex")}`;
  try {
    await writeFile(draft, `${randomBytes(32).toString("base64")}\n`, { mode: 0o600, flag: "wx", flush: true });
    await link(draft, file).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
  } finally {
    await rm(draft, { force: true });
  }
  await syncDirectory(directory);
  return parseMasterKey((await readFile(file, "utf8")).trim(), file);
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
