import { ProblemError } from "../errors.ts";
import { createId } from "../ids.ts";
import { inTransaction, statementName, type Sql, type SqlPool } from "../sql.ts";
import { workspaceColumns, type Workspace } from "../workspace.ts";
import { hashKey, makeKey } from "./api-key-format.ts";
import type { Vault } from "./vault.ts";

/** What a key may do: look; design workflows and write records; all. Each may what those before it may. */
export const roles = ["viewer", "editor", "admin"] as const;

export type Role = (typeof roles)[number];

/** Whether a role may what another may. */
export function includesRole(role: Role, other: Role): boolean {
  return roles.indexOf(role) >= roles.indexOf(other);
}

/** A key as it is made: the only time that it is seen. */
export interface NewApiKey extends ApiKeySummary {
  /** `tandem_ab12cd34_…` (api-key-format.ts). */
  readonly key: string;
}

/** A key as it can be seen later. */
export interface ApiKeySummary {
  readonly id: string;
  readonly name: string;
  /** How it begins; null for keys of before there were names in them. */
  readonly prefix: string | null;
  readonly lastFour: string;
  readonly role: Role;
  /** What it may of that alone, such as `records:read`; null: all of it. */
  readonly scopes: readonly string[] | null;
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
  /** To the minute. */
  readonly lastUsedAt: Date | null;
}

/** Whom a key speaks for. */
export interface ApiKey extends Pick<ApiKeySummary, "id" | "name" | "role" | "scopes" | "expiresAt"> {
  readonly isExpired: boolean;
  readonly workspace: Workspace;
}

/** A key that is wanted; what is not said: an admin's, without limit. */
export interface WantedApiKey {
  readonly workspaceId: string;
  readonly name: string;
  readonly role?: Role | undefined;
  readonly scopes?: readonly string[] | null | undefined;
  readonly expiresAt?: Date | null | undefined;
}

const summaryColumns = `id, name, prefix, last_four as "lastFour", role, scopes, created_at as "createdAt",
  expires_at as "expiresAt", last_used_at as "lastUsedAt"`;

/** Makes a key of a workspace. Only its hash is kept, so it cannot be shown again. */
export async function createApiKey(sql: Sql, vault: Vault, wanted: WantedApiKey): Promise<NewApiKey> {
  const { key, prefix } = makeKey();
  const { rows } = await sql.query<ApiKeySummary>(
    `insert into tandem.api_keys (id, workspace_id, name, hash, prefix, last_four, role, scopes, expires_at)
     values ($1::uuid, $2::uuid, $3::text, $4::bytea, $5::text, $6::text, $7::text, $8::text[], $9::timestamptz)
     returning ${summaryColumns}`,
    [
      createId(),
      wanted.workspaceId,
      wanted.name,
      hashKey(key, await vault.installationKey("api-keys")),
      prefix,
      key.slice(-4),
      wanted.role ?? "admin",
      wanted.scopes ?? null,
      wanted.expiresAt ?? null,
    ],
  );
  if (rows[0] === undefined) throw new Error("The key was not made.");
  return { ...rows[0], key };
}

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

/** A key of a workspace by its id. */
export async function findApiKeyById(
  sql: Sql,
  { workspaceId, id }: { workspaceId: string; id: string },
): Promise<ApiKeySummary | undefined> {
  const { rows } = await sql.query<ApiKeySummary>(
    `select ${summaryColumns} from tandem.api_keys where workspace_id = $1::uuid and id = $2::uuid`,
    [workspaceId, id],
  );
  return rows[0];
}

/**
 * Revokes a key of a workspace, at once. Undefined: it has none of this id. Throws ProblemError 409 for
 * the last one that may make others, which would shut everybody out.
 */
export async function revokeApiKey(
  pool: SqlPool,
  { workspaceId, id }: { workspaceId: string; id: string },
): Promise<ApiKeySummary | undefined> {
  return inTransaction(pool, async (sql) => {
    // All of them, in one order: of two that revoke the last two keys, the second sees what the first left.
    const { rows: keys } = await sql.query<{ id: string; makesOthers: boolean }>(
      `select id, role = 'admin' and scopes is null and expires_at is null as "makesOthers"
       from tandem.api_keys where workspace_id = $1::uuid order by id for update`,
      [workspaceId],
    );
    const revoked = keys.find((key) => key.id === id);
    if (revoked === undefined) return undefined;
    if (revoked.makesOthers && keys.filter(({ makesOthers }) => makesOthers).length === 1)
      throw new ProblemError(
        409,
        "last-api-key",
        "This is the workspace's last key of an admin without scopes and end. Make another one first.",
      );
    const { rows } = await sql.query<ApiKeySummary>(
      `delete from tandem.api_keys where id = $1::uuid returning ${summaryColumns}`,
      [id],
    );
    return rows[0];
  });
}

const findText = `select k.id, k.name, k.role, k.scopes, k.expires_at as "expiresAt",
    coalesce(k.expires_at <= now(), false) as "isExpired", ${workspaceColumns} as workspace
  from tandem.api_keys k join tandem.workspaces w on w.id = k.workspace_id where k.hash = $1::bytea`;

/**
 * Whom a key speaks for; undefined for a key that does not exist. What is compared is the hash of 256
 * random bits, found by index: how long that takes says nothing about any key.
 */
export async function findApiKey(sql: Sql, vault: Vault, key: string): Promise<ApiKey | undefined> {
  const { rows } = await sql.query<ApiKey>({
    name: statementName(findText),
    text: findText,
    values: [hashKey(key, await vault.installationKey("api-keys"))],
  });
  return rows[0];
}

/** Says that a key was used, to the minute. */
export async function touchApiKey(sql: Sql, id: string): Promise<void> {
  await sql.query({
    name: "touch_api_key",
    text: `update tandem.api_keys set last_used_at = now()
      where id = $1::uuid and (last_used_at is null or last_used_at < now() - interval '1 minute')`,
    values: [id],
  });
}
