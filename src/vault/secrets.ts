import { ProblemError } from "../errors.ts";
import { inTransaction, type Sql, type SqlPool } from "../sql.ts";

/** Where a secret is named. */
export interface SecretUse {
  readonly workflowId: string;
  /** The workflow's key. */
  readonly workflow: string;
  /** The trigger that names it; null: its steps may send it outside. */
  readonly trigger: string | null;
  /** Whether the workflow is active. */
  readonly active: boolean;
}

/** A secret as it can be seen. Its value cannot. */
export interface SecretSummary {
  readonly id: string;
  readonly name: string;
  /** How its value ends; null where that would show too much of it. */
  readonly lastFour: string | null;
  readonly createdAt: Date;
  /** When it got the value that counts; null: it still has its first. */
  readonly rotatedAt: Date | null;
  /** Until when the value before is taken as well; null: it is not. */
  readonly previousValidUntil: Date | null;
  readonly usedBy: readonly SecretUse[];
  /** Keys of the connections that name it. */
  readonly usedByConnections: readonly string[];
}

const summaryColumns = `s.id, s.name, s.last_four as "lastFour", s.created_at as "createdAt", s.rotated_at as "rotatedAt",
  (select v.valid_until from tandem.secret_values v where v.secret_id = s.id and v.valid_until > now()) as "previousValidUntil",
  (select coalesce(jsonb_agg(jsonb_build_object('workflowId', f.id, 'workflow', f.key, 'trigger', u.trigger_id,
      'active', f.status = 'active') order by f.key, u.trigger_id), '[]')
    from (select t.workflow_id, t.trigger_id from tandem.triggers t where t.workspace_id = s.workspace_id
        and jsonb_path_exists(t.settings, '$.**.secret ? (@ == $name)', jsonb_build_object('name', s.name))
      union all
      select g.workflow_id, null from tandem.secret_grants g where g.workspace_id = s.workspace_id and g.name = s.name
    ) u join tandem.workflows f on f.id = u.workflow_id) as "usedBy",
  array(select c.key from tandem.connections c where c.workspace_id = s.workspace_id
    and s.name in (c.authentication ->> 'secret', c.authentication ->> 'clientSecret', c.authentication ->> 'refreshToken')
    order by c.key) as "usedByConnections"`;

/** A workspace's secrets, oldest first; `after` is the id of the last of the page before. */
export async function listSecrets(
  sql: Sql,
  { workspaceId, limit, after }: { workspaceId: string; limit: number; after?: string | undefined },
): Promise<SecretSummary[]> {
  const { rows } = await sql.query<SecretSummary>(
    `select ${summaryColumns} from tandem.secrets s
     where s.workspace_id = $1::uuid and ($2::uuid is null or s.id > $2::uuid) order by s.id limit $3::integer`,
    [workspaceId, after ?? null, limit],
  );
  return rows;
}

/** A secret of a workspace. */
export async function findSecret(
  sql: Sql,
  { workspaceId, id }: { workspaceId: string; id: string },
): Promise<SecretSummary | undefined> {
  const { rows } = await sql.query<SecretSummary>(
    `select ${summaryColumns} from tandem.secrets s where s.workspace_id = $1::uuid and s.id = $2::uuid`,
    [workspaceId, id],
  );
  return rows[0];
}

/**
 * Names of a workspace's secrets, none of which is deleted before the transaction ends: what is activated
 * by them finds them there. New values are not held up.
 */
export async function holdSecretNames(sql: Sql, workspaceId: string): Promise<ReadonlySet<string>> {
  const { rows } = await sql.query<{ name: string }>(
    "select name from tandem.secrets where workspace_id = $1::uuid order by id for key share",
    [workspaceId],
  );
  return new Set(rows.map(({ name }) => name));
}

/**
 * Deletes a secret of a workspace with all its values. Undefined: it has none of this id. Throws
 * ProblemError 409 while an active workflow or a connection uses it.
 */
export async function deleteSecret(
  pool: SqlPool,
  { workspaceId, id }: { workspaceId: string; id: string },
): Promise<SecretSummary | undefined> {
  return inTransaction(pool, async (sql) => {
    await sql.query("select id from tandem.secrets where workspace_id = $1::uuid and id = $2::uuid for update", [
      workspaceId,
      id,
    ]);
    // Asked once it is locked: whoever activated a workflow meanwhile is seen.
    const secret = await findSecret(sql, { workspaceId, id });
    if (secret === undefined) return undefined;
    if (secret.usedByConnections.length > 0) {
      throw new ProblemError(
        409,
        "secret-in-use",
        `Connections use ${secret.name}: ${secret.usedByConnections.join(", ")}. Let them use another secret, or delete them.`,
      );
    }
    const uses = secret.usedBy.filter(({ active }) => active);
    if (uses.length > 0) {
      const places = uses.map(({ workflow, trigger }) => `${workflow} (${trigger ?? "its steps"})`).join(", ");
      throw new ProblemError(
        409,
        "secret-in-use",
        `Active workflows use ${secret.name}: ${places}. Deactivate them, or let them use another secret.`,
      );
    }
    await sql.query("delete from tandem.secrets where id = $1::uuid", [id]);
    return secret;
  });
}
