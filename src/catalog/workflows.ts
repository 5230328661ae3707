import { ProblemError } from "../errors.ts";
import { isUuid } from "../ids.ts";
import type { JsonObject } from "../json.ts";
import type { Sql } from "../sql.ts";
import { createDefinitionSchema, type Setting } from "../definition/schema.ts";
import { triggerKinds } from "../triggers/registry.ts";

const definitionSchema = createDefinitionSchema(triggerKinds);

/** A definition as it was written. It was valid when it was saved. */
export type Document = JsonObject & { readonly key: string; readonly settings?: { [id: string]: Setting } };

export type WorkflowStatus = "draft" | "active" | "inactive";

/** A version without its compiled plan. */
export interface Version {
  readonly id: string;
  readonly number: number;
  readonly status: "draft" | "active" | "archived";
  /** Rises with every change of a draft: its ETag. */
  readonly revision: number;
  /** As it was written. */
  readonly definition: Document;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly activatedAt: Date | null;
}

/** A trigger of the active version. `token` only for a webhook. */
export interface ArmedTrigger {
  readonly id: string;
  readonly kind: string;
  /** What it is armed with: resolved, with defaults. */
  readonly settings: JsonObject;
  readonly token?: string;
}

export interface Workflow {
  readonly id: string;
  readonly key: string;
  readonly name: string;
  readonly status: WorkflowStatus;
  /** Values that were set; defaults of the definition stand in for the others. */
  readonly settings: JsonObject;
  readonly template: string | null;
  /** Its triggers collect runs, which wait; null: it is not paused. */
  readonly paused: { readonly since: Date; readonly note: string | null } | null;
  readonly active: Version | null;
  readonly draft: Version | null;
  readonly triggers: readonly ArmedTrigger[];
  /** Id of the installation, which names of its things in Temporal begin with. */
  readonly installation: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

const versionJson = (
  alias: string,
): string => `case when ${alias}.id is not null then jsonb_build_object('id', ${alias}.id, 'number', ${alias}.number,
  'status', ${alias}.status, 'revision', ${alias}.revision, 'definition', ${alias}.definition, 'createdAt', ${alias}.created_at,
  'updatedAt', ${alias}.updated_at, 'activatedAt', ${alias}.activated_at) end`;

const selectText = `select f.id, f.key, f.name, f.status, f.settings, f.template, f.created_at as "createdAt", f.updated_at as "updatedAt",
    case when f.paused_at is not null then jsonb_build_object('since', f.paused_at, 'note', f.pause_note) end as paused,
    ${versionJson("a")} as active, ${versionJson("d")} as draft,
    coalesce((select jsonb_object_agg(h.trigger_id, h.token) from tandem.webhooks h where h.workflow_id = f.id and h.expires_at is null), '{}'::jsonb) as tokens,
    coalesce((select jsonb_object_agg(t.trigger_id, t.settings) from tandem.triggers t where t.workflow_id = f.id), '{}'::jsonb) as armed,
    coalesce((select i.id from tandem.installation i), '') as installation
  from tandem.workflows f
  left join tandem.workflow_versions a on a.workflow_id = f.id and a.status = 'active'
  left join tandem.workflow_versions d on d.workflow_id = f.id and d.status = 'draft'`;

interface Row {
  id: string;
  key: string;
  name: string;
  status: WorkflowStatus;
  settings: JsonObject;
  template: string | null;
  paused: { since: string; note: string | null } | null;
  active: StoredVersion | null;
  draft: StoredVersion | null;
  tokens: { [triggerId: string]: string };
  armed: { [triggerId: string]: JsonObject };
  installation: string;
  createdAt: Date;
  updatedAt: Date;
}

type StoredVersion = Omit<Version, "createdAt" | "updatedAt" | "activatedAt"> & {
  createdAt: string;
  updatedAt: string;
  activatedAt: string | null;
};

function workflowOf({ tokens, armed, ...row }: Row): Workflow {
  return {
    ...row,
    paused: row.paused && { ...row.paused, since: new Date(row.paused.since) },
    active: row.active && versionOf(row.active),
    draft: row.draft && versionOf(row.draft),
    triggers: triggersOf(row.active).map((trigger) => ({
      id: trigger.id,
      kind: trigger.kind,
      settings: armed[trigger.id] ?? {},
      ...(tokens[trigger.id] === undefined ? {} : { token: tokens[trigger.id] as string }),
    })),
  };
}

function triggersOf(version: StoredVersion | null) {
  return version === null ? [] : definitionSchema.parse(version.definition).triggers;
}

function versionOf(stored: StoredVersion): Version {
  return {
    ...stored,
    createdAt: new Date(stored.createdAt),
    updatedAt: new Date(stored.updatedAt),
    activatedAt: stored.activatedAt === null ? null : new Date(stored.activatedAt),
  };
}

/** Throws ProblemError 404. */
export async function getWorkflow(
  sql: Sql,
  { workspaceId, workflowId }: { workspaceId: string; workflowId: string },
): Promise<Workflow> {
  const found = isUuid(workflowId)
    ? await sql.query<Row>({
        text: `${selectText} where f.id = $1::uuid and f.workspace_id = $2::uuid`,
        values: [workflowId, workspaceId],
      })
    : undefined;
  const row = found?.rows[0];
  if (row === undefined) throw workflowNotFound(workflowId);
  return workflowOf(row);
}

export function workflowNotFound(workflowId: string): ProblemError {
  return new ProblemError(404, "workflow-not-found", `There is no workflow ${workflowId}.`);
}

/** A page of workflows, oldest first; `after` is the last id of the page before. */
export async function listWorkflows(
  sql: Sql,
  { workspaceId, limit, after }: { workspaceId: string; limit: number; after?: string | undefined },
): Promise<Workflow[]> {
  const { rows } = await sql.query<Row>({
    text: `${selectText} where f.workspace_id = $1::uuid and ($2::uuid is null or f.id > $2::uuid) order by f.id limit $3::integer`,
    values: [workspaceId, after ?? null, limit],
  });
  return rows.map(workflowOf);
}

/** Keys of a workspace's workflows. */
export async function listWorkflowKeys(sql: Sql, workspaceId: string): Promise<ReadonlySet<string>> {
  const { rows } = await sql.query<{ key: string }>("select key from tandem.workflows where workspace_id = $1::uuid", [
    workspaceId,
  ]);
  return new Set(rows.map(({ key }) => key));
}

/** Every version of a workflow, newest first. */
export async function listVersions(
  sql: Sql,
  { workspaceId, workflowId }: { workspaceId: string; workflowId: string },
): Promise<Version[]> {
  await getWorkflow(sql, { workspaceId, workflowId });
  const { rows } = await sql.query<Version>({
    text: `select id, number, status, revision, definition, created_at as "createdAt", updated_at as "updatedAt", activated_at as "activatedAt"
      from tandem.workflow_versions where workflow_id = $1::uuid order by number desc`,
    values: [workflowId],
  });
  return rows;
}
