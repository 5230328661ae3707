import { randomBytes } from "node:crypto";
import type { Definition } from "../definition/schema.ts";
import type { JsonObject } from "../json.ts";
import type { Sql } from "../sql.ts";
import { workspaceColumns, type Workspace } from "../workspace.ts";

/** What a webhook's token leads to. */
export interface FoundWebhook {
  readonly workspace: Workspace;
  readonly workflowId: string;
  readonly workflowKey: string;
  /** Null: the workflow is not active. */
  readonly versionId: string | null;
  readonly triggerId: string;
  /** Values of the workflow's settings, defaults included, as they are now. */
  readonly settings: JsonObject;
}

/** The webhook of a token, in one query. */
export async function findWebhook(sql: Sql, token: string): Promise<FoundWebhook | undefined> {
  const { rows } = await sql.query<FoundWebhook>({
    name: "find_webhook",
    text: `select ${workspaceColumns} as workspace, f.id as "workflowId", f.key as "workflowKey", v.id as "versionId",
        h.trigger_id as "triggerId", coalesce(v.setting_defaults, '{}'::jsonb) || f.settings as settings
      from tandem.webhooks h
      join tandem.workflows f on f.id = h.workflow_id
      join tandem.workspaces w on w.id = f.workspace_id
      left join tandem.workflow_versions v on v.workflow_id = f.id and v.status = 'active' and f.status = 'active'
      where h.token = $1::text`,
    values: [token],
  });
  return rows[0];
}

/** Gives each webhook trigger a token that cannot be guessed; one that it has, it keeps. */
export async function armWebhooks(sql: Sql, workflowId: string, definition: Definition): Promise<void> {
  for (const trigger of definition.triggers.filter(({ kind }) => kind === "webhook")) {
    await sql.query(
      `insert into tandem.webhooks (token, workflow_id, trigger_id) values ($1, $2, $3) on conflict (workflow_id, trigger_id) do nothing`,
      [randomBytes(32).toString("base64url"), workflowId, trigger.id],
    );
  }
}
