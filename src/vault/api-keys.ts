import { createHash, randomBytes } from "node:crypto";
import { createId } from "../ids.ts";
import { statementName, type Sql } from "../sql.ts";
import { workspaceColumns, type Workspace } from "../workspace.ts";

const prefix = "tandem_";
const pattern = /^tandem_[A-Za-z0-9_-]{43}$/;

/** A key as it is made: the only time that it is seen. */
export interface NewApiKey {
  readonly id: string;
  /** `tandem_` and 32 random bytes in base64url. */
  readonly key: string;
  readonly lastFour: string;
}

/** Whom a key speaks for. */
export interface ApiKey {
  readonly id: string;
  readonly name: string;
  readonly workspace: Workspace;
}

/** Makes a key of a workspace. Only its hash is kept, so it cannot be shown again. */
export async function createApiKey(
  sql: Sql,
  { workspaceId, name }: { workspaceId: string; name: string },
): Promise<NewApiKey> {
  const key = `${prefix}${randomBytes(32).toString("base64url")}`;
  const made = { id: createId(), key, lastFour: key.slice(-4) };
  await sql.query(
    `insert into tandem.api_keys (id, workspace_id, name, hash, last_four) values ($1::uuid, $2::uuid, $3::text, $4::bytea, $5::text)`,
    [made.id, workspaceId, name, hashKey(key), made.lastFour],
  );
  return made;
}

const findText = `select k.id, k.name, ${workspaceColumns} as workspace
  from tandem.api_keys k join tandem.workspaces w on w.id = k.workspace_id where k.hash = $1::bytea`;

/**
 * Whom a key speaks for; undefined for a key that does not exist. What is compared is the hash of 256
 * random bits, found by index: how long that takes says nothing about any key. A malformed key is
 * hashed and looked up like any other, so that it takes as long.
 */
export async function findApiKey(sql: Sql, key: string): Promise<ApiKey | undefined> {
  const { rows } = await sql.query<ApiKey>({
    name: statementName(findText),
    text: findText,
    values: [hashKey(key)],
  });
  return pattern.test(key) ? rows[0] : undefined;
}

// A plain hash is enough: there is nothing to guess in 32 random bytes.
function hashKey(key: string): Buffer {
  return createHash("sha256").update(key).digest();
}
