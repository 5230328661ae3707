import { createHash, randomBytes } from "node:crypto";
import { ProblemError } from "../errors.ts";
import { createId } from "../ids.ts";
import { inTransaction, statementName, type Sql, type SqlPool } from "../sql.ts";
import { workspaceColumns, type Workspace } from "../workspace.ts";

const prefix = "tandem_";
const pattern = /^tandem_[A-Za-z0-9_-]{43}$/;

/** A key as it is made: the only time that it is seen. */
export interface NewApiKey extends ApiKeySummary {
  /** `tandem_` and 32 random bytes in base64url. */
  readonly key: string;
}

/** A key as it can be seen later. */
export interface ApiKeySummary {
  readonly id: string;
  readonly name: string;
  readonly lastFour: string;
  readonly createdAt: Date;
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
  const { rows } = await sql.query<ApiKeySummary>(
    `insert into tandem.api_keys (id, workspace_id, name, hash, last_four) values ($1::uuid, $2::uuid, $3::text, $4::bytea, $5::text)
     returning ${summaryColumns}`,
    [createId(), workspaceId, name, hashKey(key), key.slice(-4)],
  );
  if (rows[0] === undefined) throw new Error("The key was not made.");
  return { ...rows[0], key };
}

const summaryColumns = `id, name, last_four as "lastFour", created_at as "createdAt"`;

/** A workspace's keys, oldest first; `after` is the id of the last of the page before. */
export async function listApiKeys(
  sql: Sql,
  { workspaceId, limit, after }: { workspaceId: string; limit: number; after?: string | undefined },
): Promise<ApiKeySummary[]> {
  const { rows } = await sql.query<ApiKeySummary>(
    `select ${summaryColumns} from tandem.api_keys
     where workspace_id = $1::uuid and ($2::uuid is null or id > $2::uuid) order by id limit $3::integer`,
    [workspaceId, after ?? null, limit],
  );
  return rows;
}

/**
 * Revokes a key of a workspace, at once. Undefined: it has none of this id. Throws ProblemError 409 for
 * its last one, which would shut everybody out.
 */
export async function revokeApiKey(
  pool: SqlPool,
  { workspaceId, id }: { workspaceId: string; id: string },
): Promise<ApiKeySummary | undefined> {
  return inTransaction(pool, async (sql) => {
    // All of them, in one order: of two that revoke the last two keys, the second sees what the first left.
    const { rows: keys } = await sql.query<{ id: string }>(
      "select id from tandem.api_keys where workspace_id = $1::uuid order by id for update",
      [workspaceId],
    );
    if (!keys.some((key) => key.id === id)) return undefined;
    if (keys.length === 1)
      throw new ProblemError(409, "last-api-key", "This is the workspace's last key. Make another one first.");
    const { rows } = await sql.query<ApiKeySummary>(
      `delete from tandem.api_keys where id = $1::uuid returning ${summaryColumns}`,
      [id],
    );
    return rows[0];
  });
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
