import { randomBytes } from "node:crypto";
import type { Definition } from "../definition/schema.ts";
import { ProblemError } from "../errors.ts";
import { isUuid } from "../ids.ts";
import type { JsonObject } from "../json.ts";
import { inTransaction, type Sql, type SqlPool } from "../sql.ts";
import { workspaceColumns, type Workspace } from "../workspace.ts";
import { workflowNotFound } from "./workflows.ts";

/** What a webhook's token leads to. */
export interface FoundWebhook {
  readonly workspace: Workspace;
  readonly workflowId: string;
  readonly workflowKey: string;
  readonly active: boolean;
  readonly triggerId: string;
  /** Of the trigger as it is armed; null: no active version has a webhook of that id. */
  readonly versionId: string | null;
  readonly revision: number | null;
  /** Values of the workflow's settings, defaults included, as they are now. */
  readonly settings: JsonObject;
  /** Whether somebody waits for a request, to learn its structure. */
  readonly capturing: boolean;
}

/** The webhook of a token that has not expired, in one query. */
export async function findWebhook(sql: Sql, token: string): Promise<FoundWebhook | undefined> {
  const { rows } = await sql.query<FoundWebhook>({
    name: "find_webhook",
    text: `select ${workspaceColumns} as workspace, f.id as "workflowId", f.key as "workflowKey", f.status = 'active' as active,
        h.trigger_id as "triggerId", t.version_id as "versionId", t.revision,
        coalesce(v.setting_defaults, '{}'::jsonb) || f.settings as settings,
        c.until > now() and cardinality(c.delivery_ids) < c.wanted is true as capturing
      from tandem.webhooks h
      join tandem.workflows f on f.id = h.workflow_id
      join tandem.workspaces w on w.id = f.workspace_id
      left join tandem.triggers t on t.workflow_id = h.workflow_id and t.trigger_id = h.trigger_id and t.kind = 'webhook'
      left join tandem.workflow_versions v on v.id = t.version_id
      left join tandem.captures c on c.workflow_id = h.workflow_id and c.trigger_id = h.trigger_id
      where h.token = $1::text and (h.expires_at is null or h.expires_at > now())`,
    values: [token],
  });
  return rows[0];
}

/** A webhook of a workflow, by the ids that people know. */
export interface WebhookKey {
  readonly workspaceId: string;
  readonly workflowId: string;
  readonly triggerId: string;
}

/** Settings with which a webhook is armed; undefined: it is not. */
export async function findArmedSettings(
  sql: Sql,
  { workflowId, triggerId }: Pick<WebhookKey, "workflowId" | "triggerId">,
): Promise<JsonObject | undefined> {
  const { rows } = await sql.query<{ settings: JsonObject }>(
    "select settings from tandem.triggers where workflow_id = $1::uuid and trigger_id = $2::text and kind = 'webhook'",
    [workflowId, triggerId],
  );
  return rows[0]?.settings;
}

/** A webhook's settings as the draft writes them, else the active version; undefined: neither has one of that id. */
export async function findWrittenSettings(
  sql: Sql,
  { workspaceId, workflowId, triggerId }: WebhookKey,
): Promise<JsonObject | undefined> {
  if (!isUuid(workflowId)) return undefined;
  const { rows } = await sql.query<{ settings: JsonObject }>(
    `select t - 'id' - 'kind' as settings
     from tandem.workflow_versions v join tandem.workflows f on f.id = v.workflow_id
     cross join jsonb_array_elements(v.definition -> 'triggers') t
     where v.workflow_id = $1::uuid and f.workspace_id = $3::uuid and v.status in ('draft', 'active')
       and t ->> 'id' = $2::text and t ->> 'kind' = 'webhook'
     order by v.number desc limit 1`,
    [workflowId, triggerId, workspaceId],
  );
  return rows[0]?.settings;
}

/** Gives each webhook trigger a token that cannot be guessed; one that it has, it keeps. */
export async function armWebhooks(sql: Sql, workflowId: string, definition: Definition): Promise<void> {
  for (const { id } of definition.triggers.filter(({ kind }) => kind === "webhook"))
    await getToken(sql, { workflowId, triggerId: id });
}

/** A webhook's current token, made where there is none. */
export async function getToken(
  sql: Sql,
  { workflowId, triggerId }: Pick<WebhookKey, "workflowId" | "triggerId">,
): Promise<string> {
  const { rows } = await sql.query<{ token: string }>(
    `insert into tandem.webhooks (token, workflow_id, trigger_id) values ($1, $2, $3)
     on conflict (workflow_id, trigger_id) where expires_at is null do update set created_at = tandem.webhooks.created_at
     returning token`,
    [createToken(), workflowId, triggerId],
  );
  // Inserted or found, there is one.
  return rows[0]!.token;
}

const mostOlder = 10;

/** A webhook's new token, and until when the older ones are still taken. */
export interface Rotated {
  readonly token: string;
  readonly previousExpiresAt: Date | null;
}

/**
 * Gives a webhook a new token. The one before is taken for `overlapMs` more; 0: it ends at once, and so
 * do the older ones. Throws ProblemError: 404, 409 too many are still taken.
 */
export async function rotateWebhook(pool: SqlPool, key: WebhookKey, overlapMs: number): Promise<Rotated> {
  const { workspaceId, workflowId, triggerId } = key;
  return inTransaction(pool, async (sql) => {
    await lockWorkflow(sql, key);
    const { rows } = await sql.query<{ token: string; expired: boolean }>(
      `select token, coalesce(expires_at <= now(), false) as expired from tandem.webhooks
       where workflow_id = $1 and trigger_id = $2 for update`,
      [workflowId, triggerId],
    );
    if (rows.length === 0 && (await findWrittenSettings(sql, { workspaceId, workflowId, triggerId })) === undefined)
      throw webhookNotFound(triggerId);
    if (overlapMs > 0 && rows.filter(({ expired }) => !expired).length > mostOlder)
      throw new ProblemError(
        409,
        "too-many-addresses",
        `${mostOlder} older addresses of this webhook are still taken. Rotate with an overlap of 0 to end them.`,
      );
    await sql.query(
      `delete from tandem.webhooks where workflow_id = $1 and trigger_id = $2 and ($3::float8 = 0 or expires_at <= now())`,
      [workflowId, triggerId, overlapMs],
    );
    const previous = await sql.query<{ expiresAt: Date }>(
      `update tandem.webhooks set expires_at = now() + make_interval(secs => $3::float8 / 1000)
       where workflow_id = $1 and trigger_id = $2 and expires_at is null returning expires_at as "expiresAt"`,
      [workflowId, triggerId, overlapMs],
    );
    return { token: await getToken(sql, key), previousExpiresAt: previous.rows[0]?.expiresAt ?? null };
  });
}

/** Forgets addresses that have expired. */
export async function forgetOldTokens(sql: Sql): Promise<void> {
  await sql.query("delete from tandem.webhooks where expires_at <= now()");
}

/** Two rotations at once go one after the other. Throws ProblemError 404. */
async function lockWorkflow(sql: Sql, { workspaceId, workflowId }: WebhookKey): Promise<void> {
  const { rowCount } = isUuid(workflowId)
    ? await sql.query("select 1 from tandem.workflows where id = $1 and workspace_id = $2 for no key update", [
        workflowId,
        workspaceId,
      ])
    : { rowCount: 0 };
  if (rowCount === 0) throw workflowNotFound(workflowId);
}

/** Throws ProblemError 404 for a workflow or a webhook that there is not. */
export function webhookNotFound(triggerId: string): ProblemError {
  return new ProblemError(404, "webhook-not-found", `The workflow has no webhook "${triggerId}".`);
}

function createToken(): string {
  return randomBytes(32).toString("base64url");
}
