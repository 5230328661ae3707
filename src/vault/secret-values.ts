import { timingSafeEqual } from "node:crypto";
import { ProblemError } from "../errors.ts";
import { createId } from "../ids.ts";
import { inTransaction, sqlState, type Sql, type SqlPool } from "../sql.ts";
import { open, seal, type Sealed, type SealedPlace } from "./envelope.ts";
import { holdMasterKey, type MasterKeys } from "./master-keys.ts";
import { sealedColumns, secretPlace } from "./sealed-tables.ts";
import { findSecret, type SecretSummary } from "./secrets.ts";

/** What works with the values of secrets. */
export interface VaultParts {
  readonly pool: SqlPool;
  readonly masterKeys: MasterKeys;
}

/** Of a value as short as this a look at its end would give too much away. */
const shortestShown = 12;

/** Keeps a new secret. Throws ProblemError 409 when the name is taken. */
export async function createSecret(
  { pool, masterKeys }: VaultParts,
  { workspaceId, name, value }: { workspaceId: string; name: string; value: string },
): Promise<SecretSummary> {
  const place: SealedPlace = { workspaceId, secretId: createId(), name, version: 1 };
  return inTransaction(pool, async (sql) => {
    const masterKey = await holdMasterKey(sql, masterKeys);
    try {
      await sql.query(
        "insert into tandem.secrets (id, workspace_id, name, last_four) values ($1::uuid, $2::uuid, $3::text, $4::text)",
        [place.secretId, workspaceId, name, lastFour(value)],
      );
    } catch (error) {
      if (sqlState(error)?.code !== "23505") throw error;
      throw new ProblemError(
        409,
        "secret-exists",
        `There is a secret ${name} already. Give it a new value by PUT, or choose another name.`,
      );
    }
    await insertValue(sql, place, seal(masterKey, place, Buffer.from(value)));
    return getSummary(sql, place);
  });
}

/**
 * Gives a secret a new value; the one that counted until now is taken for `overlapMs` more, and one before
 * it no longer. Given the value that it has already, it can only shorten the time of the one before, so
 * that a request may be sent again. Undefined: the workspace has no such secret.
 */
export async function rotateSecret(
  { pool, masterKeys }: VaultParts,
  { workspaceId, id, value, overlapMs }: { workspaceId: string; id: string; value: string; overlapMs: number },
): Promise<SecretSummary | undefined> {
  return inTransaction(pool, async (sql) => {
    const masterKey = await holdMasterKey(sql, masterKeys);
    // The ids as Postgres writes them: what is sealed is bound to these.
    const { rows } = await sql.query<SealedPlace>(
      `select workspace_id as "workspaceId", id as "secretId", name, version from tandem.secrets
       where workspace_id = $1::uuid and id = $2::uuid for no key update`,
      [workspaceId, id],
    );
    const [place] = rows;
    if (place === undefined) return undefined;
    if (await hasValue(sql, { masterKeys, place, value })) {
      await endSooner(sql, { id, overlapMs });
      return getSummary(sql, place);
    }
    await retire(sql, { id, overlapMs });
    const next = { ...place, version: place.version + 1 };
    await insertValue(sql, next, seal(masterKey, next, Buffer.from(value)));
    await sql.query(
      "update tandem.secrets set version = $2::integer, last_four = $3::text, rotated_at = now() where id = $1::uuid",
      [id, next.version, lastFour(value)],
    );
    return getSummary(sql, place);
  });
}

/** A value as it is kept, with whose it is. */
export interface StoredValue extends Sealed {
  readonly place: SealedPlace;
}

/** Values of secrets by name that are taken now; of each name the one that counts first. */
export async function loadValues(
  sql: Sql,
  { workspaceId, names }: { workspaceId: string; names: readonly string[] },
): Promise<StoredValue[]> {
  const { rows } = await sql.query<StoredValue>({
    name: "load_secret_values",
    text: `select ${secretPlace} as place, ${sealedColumns}
      from tandem.secrets s join tandem.secret_values v on v.secret_id = s.id
      where s.workspace_id = $1::uuid and s.name = any($2::text[]) and (v.valid_until is null or v.valid_until > now())
      order by s.name, v.version desc`,
    values: [workspaceId, names],
  });
  return rows;
}

/** The value. Throws an Error where this process does not have its master key, and as `open` does. */
export async function openStored(masterKeys: MasterKeys, { place, ...sealed }: StoredValue): Promise<Buffer> {
  const key = await masterKeys.find(sealed.masterKeyId);
  if (key === undefined)
    throw new Error(
      `It was sealed with another master key (${sealed.masterKeyId}; this is ${masterKeys.configured.id}).`,
    );
  return open(key, place, sealed);
}

/** Forgets values whose time is over. */
export async function forgetOldValues(sql: Sql): Promise<void> {
  await sql.query("delete from tandem.secret_values where valid_until <= now()");
}

/** Two values at most: the one that counts steps back, or goes. */
async function retire(sql: Sql, { id, overlapMs }: { id: string; overlapMs: number }): Promise<void> {
  await sql.query("delete from tandem.secret_values where secret_id = $1::uuid and valid_until is not null", [id]);
  if (overlapMs === 0) {
    await sql.query("delete from tandem.secret_values where secret_id = $1::uuid", [id]);
    return;
  }
  await sql.query(
    "update tandem.secret_values set valid_until = now() + $2::bigint * interval '1 millisecond' where secret_id = $1::uuid",
    [id, overlapMs],
  );
}

/** The value before the one that counts is taken no longer than this from now on. */
async function endSooner(sql: Sql, { id, overlapMs }: { id: string; overlapMs: number }): Promise<void> {
  await sql.query(
    `update tandem.secret_values set valid_until = least(valid_until, now() + $2::bigint * interval '1 millisecond')
     where secret_id = $1::uuid and valid_until is not null`,
    [id, overlapMs],
  );
}

async function hasValue(
  sql: Sql,
  { masterKeys, place, value }: { masterKeys: MasterKeys; place: SealedPlace; value: string },
): Promise<boolean> {
  const [stored] = await loadValues(sql, { workspaceId: place.workspaceId, names: [place.name] });
  if (stored === undefined) return false;
  try {
    const known = await openStored(masterKeys, stored);
    const given = Buffer.from(value);
    return known.length === given.length && timingSafeEqual(known, given);
  } catch {
    // What cannot be read is written over.
    return false;
  }
}

async function insertValue(sql: Sql, { secretId, version }: SealedPlace, sealed: Sealed): Promise<void> {
  await sql.query(
    `insert into tandem.secret_values (secret_id, version, master_key_id, data_key, sealed, sealed_under)
     values ($1::uuid, $2::integer, $3::text, $4::bytea, $5::bytea, $6::text)`,
    [secretId, version, sealed.masterKeyId, sealed.dataKey, sealed.sealed, sealed.sealedUnder],
  );
}

async function getSummary(sql: Sql, { workspaceId, secretId }: SealedPlace): Promise<SecretSummary> {
  const secret = await findSecret(sql, { workspaceId, id: secretId });
  if (secret === undefined) throw new Error("The secret was not kept.");
  return secret;
}

function lastFour(value: string): string | null {
  const characters = Array.from(value);
  return characters.length < shortestShown ? null : characters.slice(-4).join("");
}
