import { ProblemError, type Issue } from "../errors.ts";
import { createId } from "../ids.ts";
import { inTransaction, sqlState, type Sql, type SqlPool } from "../sql.ts";
import { connectionFaults, type ConnectionSettings } from "./connection-faults.ts";
import { connectionUses, type ConnectionUse } from "./connection-uses.ts";
import { connectionColumns, connectionRow, type Connection } from "./connections.ts";
import { holdSecretNames } from "./secrets.ts";

/** A connection as people see it. */
export interface ConnectionSummary extends Connection {
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** The token that it has got; undefined: it has none, or needs none. */
  readonly token: { readonly renewedAt: string; readonly expiresAt: string | null } | undefined;
  readonly usedBy: readonly ConnectionUse[];
}

const summaryColumns = `${connectionColumns}, c.created_at as "createdAt", c.updated_at as "updatedAt",
  (select jsonb_build_object('renewedAt', t.renewed_at, 'expiresAt', t.expires_at)
    from tandem.connection_tokens t where t.connection_id = c.id) as token, ${connectionUses} as "usedBy"`;

type SummaryRow = Omit<ConnectionSummary, "token"> & { readonly token: ConnectionSummary["token"] | null };

function toSummary({ createdAt, updatedAt, token, usedBy, ...row }: SummaryRow): ConnectionSummary {
  return { ...connectionRow.parse(row), createdAt, updatedAt, usedBy, token: token ?? undefined };
}

/** A workspace's connections, oldest first; `after` is the id of the last of the page before. */
export async function listConnections(
  sql: Sql,
  { workspaceId, limit, after }: { workspaceId: string; limit: number; after?: string | undefined },
): Promise<ConnectionSummary[]> {
  const { rows } = await sql.query<SummaryRow>(
    `select ${summaryColumns} from tandem.connections c
     where c.workspace_id = $1::uuid and ($2::uuid is null or c.id > $2::uuid) order by c.id limit $3::integer`,
    [workspaceId, after ?? null, limit],
  );
  return rows.map(toSummary);
}

/** A connection of a workspace by its id. */
export async function findConnectionById(
  sql: Sql,
  { workspaceId, id }: { workspaceId: string; id: string },
): Promise<ConnectionSummary | undefined> {
  const { rows } = await sql.query<SummaryRow>(
    `select ${summaryColumns} from tandem.connections c where c.workspace_id = $1::uuid and c.id = $2::uuid`,
    [workspaceId, id],
  );
  return rows[0] === undefined ? undefined : toSummary(rows[0]);
}

/** Makes a connection. Throws ProblemError: 409 the key is taken, 422 what is wrong. */
export async function createConnection(
  pool: SqlPool,
  { workspaceId, key, settings }: { workspaceId: string; key: string; settings: ConnectionSettings },
): Promise<ConnectionSummary> {
  const id = createId();
  return inTransaction(pool, async (sql) => {
    refuseFaults(connectionFaults(settings, await holdSecretNames(sql, workspaceId)));
    try {
      await sql.query(
        `insert into tandem.connections (id, workspace_id, key, ${settingNames}) values ($1::uuid, $2::uuid, $3::text, ${placeholders(4)})`,
        [id, workspaceId, key, ...settingValues(settings)],
      );
    } catch (error) {
      if (sqlState(error)?.code !== "23505") throw error;
      throw new ProblemError(
        409,
        "connection-exists",
        `There is a connection ${key} already. Change that one by PATCH, or choose another key.`,
      );
    }
    return getSummary(sql, { workspaceId, id });
  });
}

/** Changes a connection by what `change` makes of it. Undefined: the workspace has none of this id. Throws ProblemError 422. */
export async function changeConnection(
  pool: SqlPool,
  { workspaceId, id }: { workspaceId: string; id: string },
  change: (before: ConnectionSettings) => ConnectionSettings,
): Promise<ConnectionSummary | undefined> {
  return inTransaction(pool, async (sql) => {
    const before = await lockConnection(sql, { workspaceId, id, strength: "no key update" });
    if (before === undefined) return undefined;
    const settings = change(before);
    refuseFaults(connectionFaults(settings, await holdSecretNames(sql, workspaceId)));
    await sql.query(
      `update tandem.connections set (${settingNames}) = row (${placeholders(2)}), revision = revision + 1, updated_at = now()
       where id = $1::uuid`,
      [id, ...settingValues(settings)],
    );
    return getSummary(sql, { workspaceId, id });
  });
}

/**
 * Deletes a connection with its token. Undefined: the workspace has none of this id. Throws ProblemError
 * 409 while the version that runs of a workflow names it.
 */
export async function deleteConnection(
  pool: SqlPool,
  { workspaceId, id }: { workspaceId: string; id: string },
): Promise<ConnectionSummary | undefined> {
  return inTransaction(pool, async (sql) => {
    const connection = await lockConnection(sql, { workspaceId, id, strength: "update" });
    if (connection === undefined) return undefined;
    const uses = connection.usedBy.filter(({ active }) => active);
    if (uses.length > 0) {
      const places = uses.map(({ workflow, step }) => `${workflow} (${step})`).join(", ");
      throw new ProblemError(
        409,
        "connection-in-use",
        `Active workflows use ${connection.key}: ${places}. Deactivate them, or let them use another connection.`,
      );
    }
    await sql.query("delete from tandem.connections where id = $1::uuid", [id]);
    return connection;
  });
}

/** Read once it is locked: whoever activated a workflow meanwhile is seen. */
async function lockConnection(
  sql: Sql,
  { strength, ...place }: { workspaceId: string; id: string; strength: "update" | "no key update" },
): Promise<ConnectionSummary | undefined> {
  await sql.query(`select id from tandem.connections where workspace_id = $1::uuid and id = $2::uuid for ${strength}`, [
    place.workspaceId,
    place.id,
  ]);
  return findConnectionById(sql, place);
}

/** Columns of what a connection says, with their types. */
const settingColumns = {
  name: "text",
  base_url: "text",
  authentication: "jsonb",
  headers: "jsonb",
  certificate_authority: "text",
  rate: "jsonb",
  allowed_hosts: "text[]",
  allow_http: "boolean",
  honours_idempotency_key: "boolean",
};
const settingNames = Object.keys(settingColumns).join(", ");

function placeholders(first: number): string {
  return Object.values(settingColumns)
    .map((type, i) => `$${first + i}::${type}`)
    .join(", ");
}

function settingValues(settings: ConnectionSettings): unknown[] {
  return [
    settings.name,
    settings.baseUrl,
    JSON.stringify(settings.authentication),
    JSON.stringify(settings.headers),
    settings.certificateAuthority ?? null,
    settings.rate === undefined ? null : JSON.stringify(settings.rate),
    settings.allowedHosts,
    settings.allowHttp,
    settings.honoursIdempotencyKey,
  ];
}

async function getSummary(sql: Sql, place: { workspaceId: string; id: string }): Promise<ConnectionSummary> {
  const connection = await findConnectionById(sql, place);
  if (connection === undefined) throw new Error("The connection was not kept.");
  return connection;
}

function refuseFaults(issues: readonly Issue[]): void {
  if (issues.length === 0) return;
  throw new ProblemError(422, "invalid-connection", "The connection is not valid. `issues` names each fault.", {
    issues,
  });
}
