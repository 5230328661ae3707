import type { StepKinds } from "../activities/step-kind.ts";
import type { Definition } from "../definition/schema.ts";
import { placeOfTrigger, resolveTriggerSettings } from "../definition/trigger-settings.ts";
import type { ValidationContext } from "../definition/validate.ts";
import { triggerChecks } from "../definition/validate/triggers.ts";
import type { Issue } from "../errors.ts";
import type { JsonObject } from "../json.ts";
import type { Sql } from "../sql.ts";
import { workspaceColumns, type Workspace } from "../workspace.ts";
import { loadVersion, type LoadedVersion } from "./versions.ts";

/** What is known of a workflow that is to run. */
export interface Starting {
  readonly workspace: Workspace;
  readonly workflowId: string;
  readonly version: LoadedVersion;
  /** Values of the workflow's settings, defaults included, as they are now. */
  readonly settings: JsonObject;
}

/** A trigger of an active version, ready to start runs. */
export interface ArmedTrigger {
  readonly workspace: Workspace;
  readonly workflowId: string;
  readonly workflowKey: string;
  readonly workflowName: string;
  /** Whether the workflow is active: only then may the trigger start a run. */
  readonly active: boolean;
  readonly versionId: string;
  readonly triggerId: string;
  readonly kind: string;
  /** The trigger's own settings: resolved, with defaults. */
  readonly trigger: JsonObject;
  /** New with every change of the trigger: what is kept of it in memory is kept by this. */
  readonly revision: number;
  /** Values of the workflow's settings, defaults included. */
  readonly settings: JsonObject;
}

/** Which armed triggers; what is not given does not narrow. */
export interface TriggerQuery {
  readonly kind: string;
  readonly workspaceIds?: readonly string[];
  readonly workflowId?: string;
  readonly triggerId?: string;
  /** By default only those of active workflows. */
  readonly inactiveToo?: boolean;
}

/** Armed triggers by workflow and id. They are read for each use: no trigger falls silent because something was remembered. */
export async function findArmedTriggers(sql: Sql, query: TriggerQuery): Promise<ArmedTrigger[]> {
  const { rows } = await sql.query<ArmedTrigger>({
    name: "find_armed_triggers",
    text: `select ${workspaceColumns} as workspace, f.id as "workflowId", f.key as "workflowKey", f.name as "workflowName",
        f.status = 'active' as active, t.version_id as "versionId", t.trigger_id as "triggerId", t.kind, t.settings as trigger,
        t.revision, v.setting_defaults || f.settings as settings
      from tandem.triggers t
      join tandem.workflows f on f.id = t.workflow_id
      join tandem.workflow_versions v on v.id = t.version_id
      join tandem.workspaces w on w.id = t.workspace_id
      where t.kind = $1::text and ($2::uuid[] is null or t.workspace_id = any($2)) and ($3::uuid is null or t.workflow_id = $3)
        and ($4::text is null or t.trigger_id = $4) and ($5::boolean or f.status = 'active')
      order by t.workflow_id, t.trigger_id`,
    values: [
      query.kind,
      query.workspaceIds ?? null,
      query.workflowId ?? null,
      query.triggerId ?? null,
      query.inactiveToo ?? false,
    ],
  });
  return rows;
}

/** What a trigger's workflow needs to start, its version loaded. */
export async function startingOf(
  sql: Sql,
  { kinds }: { kinds: StepKinds },
  { workspace, workflowId, versionId, settings }: ArmedTrigger,
): Promise<Starting> {
  return { workspace, workflowId, settings, version: await loadVersion(sql, versionId, { kinds }) };
}

/** What a version's triggers are armed with; `issues` says what is wrong with them. */
export function resolveTriggers(
  definition: Definition,
  context: ValidationContext,
  values: JsonObject,
): { readonly triggers: ReadonlyArray<{ id: string; kind: string; settings: JsonObject }>; readonly issues: Issue[] } {
  const resolved = definition.triggers.map((trigger, position) => {
    const kind = context.triggerKinds[trigger.kind];
    if (kind === undefined) throw new Error(`There is no trigger kind "${trigger.kind}".`);
    const check = { ...triggerChecks(context), at: placeOfTrigger(position) };
    return { trigger, ...resolveTriggerSettings(trigger, kind, { values, check }) };
  });
  return {
    triggers: resolved.map(({ trigger: { id, kind }, settings }) => ({ id, kind, settings })),
    issues: resolved.flatMap(({ issues }) => issues),
  };
}

/** Arms a version's triggers in the place of those that were armed before. One that stays as it is keeps its revision. */
export async function armTriggers(
  sql: Sql,
  armed: {
    workspaceId: string;
    workflowId: string;
    versionId: string;
    triggers: ReadonlyArray<{ id: string; kind: string; settings: JsonObject }>;
  },
): Promise<void> {
  await sql.query(
    `with wanted as (
        select q.id, q.kind, q.settings from jsonb_to_recordset($4::jsonb) as q(id text, kind text, settings jsonb)
      ), gone as (
        delete from tandem.triggers t where t.workflow_id = $1::uuid and not exists (select 1 from wanted q where q.id = t.trigger_id)
      )
      insert into tandem.triggers as t (workflow_id, trigger_id, workspace_id, kind, settings, version_id)
      select $1::uuid, q.id, $2::uuid, q.kind, q.settings, $3::uuid from wanted q
      on conflict (workflow_id, trigger_id) do update set kind = excluded.kind, settings = excluded.settings,
        version_id = excluded.version_id, revision = nextval('tandem.trigger_revision'), armed_at = now()
      where (t.kind, t.settings, t.version_id) is distinct from (excluded.kind, excluded.settings, excluded.version_id)`,
    [armed.workflowId, armed.workspaceId, armed.versionId, JSON.stringify(armed.triggers)],
  );
}
