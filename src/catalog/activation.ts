import { ProblemError } from "../errors.ts";
import type { CompiledDefinition } from "../definition/compile.ts";
import { secretsRoot } from "../definition/expressions.ts";
import { validateDefinition } from "../definition/validate.ts";
import { createDefinitionSchema, type Definition } from "../definition/schema.ts";
import { defaultsOf } from "../definition/trigger-settings.ts";
import { inTransaction, type Sql, type SqlPool } from "../sql.ts";
import { grantSecrets } from "../vault/grants.ts";
import { holdConnectionKeys } from "../vault/connection-uses.ts";
import { holdSecretNames } from "../vault/secrets.ts";
import { examine, invalid, type Catalog } from "./drafts.ts";
import { checkFailureWorkflow } from "./failure-workflow.ts";
import { moveOnceSteps, type OnceMoves } from "./once-steps.ts";
import { armTriggers, resolveTriggers } from "./triggers.ts";
import { armWebhooks } from "./webhooks.ts";
import { getWorkflow, workflowNotFound, type Workflow } from "./workflows.ts";

/** Which workflow, and where the values go of its steps that are gone. */
export interface Activation {
  readonly workflowId: string;
  readonly once?: OnceMoves;
}

/**
 * Activates the draft (or, where there is none, the version that was active last): checks it whole,
 * freezes its plan, arms its triggers and archives the version before, in one transaction. Runs that
 * are under way keep theirs. Throws ProblemError: 404, 409 nothing to activate, 422 what is wrong.
 */
export async function activateWorkflow(
  pool: SqlPool,
  catalog: Catalog,
  wanted: string | Activation,
): Promise<Workflow> {
  const { workspaceId } = catalog;
  const { workflowId, once = {} } = typeof wanted === "string" ? { workflowId: wanted } : wanted;
  const { draft, active } = await getWorkflow(pool, { workspaceId, workflowId });
  const { data } = createDefinitionSchema(catalog.triggerKinds).safeParse((draft ?? active)?.definition);
  if (data !== undefined) await examine(data, catalog);
  await inTransaction(pool, (sql) => activate(sql, catalog, { workflowId, once }));
  return getWorkflow(pool, { workspaceId, workflowId });
}

async function activate(sql: Sql, catalog: Catalog, { workflowId, once }: Required<Activation>): Promise<void> {
  // Two activations go one after the other; runs of the workflow are enqueued meanwhile.
  const { rows } = await sql.query<{ settings: { [id: string]: never } }>(
    "select settings from tandem.workflows where id = $1 and workspace_id = $2 for no key update",
    [workflowId, catalog.workspaceId],
  );
  if (rows[0] === undefined) throw workflowNotFound(workflowId);
  const versions = await sql.query<{ id: string; definition: unknown }>(
    `select id, definition from tandem.workflow_versions where workflow_id = $1 and status in ('draft', 'active')
     order by (status = 'draft') desc limit 1`,
    [workflowId],
  );
  const version = versions.rows[0];
  if (version === undefined)
    throw new ProblemError(409, "nothing-to-activate", "The workflow has no version. Save a draft first.");
  const values = rows[0].settings;
  const known = {
    ...catalog,
    secrets: await holdSecretNames(sql, catalog.workspaceId),
    connections: await holdConnectionKeys(sql, catalog.workspaceId),
  };
  const validated = validateDefinition(version.definition, { ...known, settings: values });
  if (validated.definition === undefined) throw invalid(validated.issues);
  const { definition } = validated;
  const { triggers, issues } = resolveTriggers(definition, known, { ...defaultsOf(definition), ...values });
  const ofFailure = { workspaceId: catalog.workspaceId, key: definition.onFailure?.workflow };
  issues.push(...(await checkFailureWorkflow(sql, ofFailure)));
  if (issues.length > 0) throw invalid(issues);
  await freeze(sql, { workflowId, versionId: version.id, ...validated });
  await armTriggers(sql, { workspaceId: catalog.workspaceId, workflowId, versionId: version.id, triggers });
  await armWebhooks(sql, workflowId, definition);
  const moved = await moveOnceSteps(sql, { workflowId, compiled: validated.compiled, moves: once });
  if (moved.length > 0) throw invalid(moved);
  await grantSecrets(sql, { workspaceId: catalog.workspaceId, workflowId, names: secretsOf(validated.compiled) });
}

/** Names of the secrets that the steps of a version send outside. */
function secretsOf({ nodes }: CompiledDefinition): string[] {
  return nodes
    .flatMap(({ input }) => input?.references ?? [])
    .flatMap(({ path: [root, name] }) => (root === secretsRoot && typeof name === "string" ? [name] : []));
}

/** The plan of a version that is active already stays as it was frozen. */
async function freeze(
  sql: Sql,
  {
    workflowId,
    versionId,
    definition,
    compiled,
  }: { workflowId: string; versionId: string; definition: Definition; compiled: { plan: object } },
): Promise<void> {
  await sql.query(
    "update tandem.workflow_versions set status = 'archived', updated_at = now() where workflow_id = $1 and status = 'active' and id <> $2",
    [workflowId, versionId],
  );
  await sql.query(
    `update tandem.workflow_versions set status = 'active', plan = coalesce(plan, $2), setting_defaults = $3,
       activated_at = coalesce(activated_at, now()), updated_at = now() where id = $1`,
    [versionId, JSON.stringify(compiled.plan), JSON.stringify(defaultsOf(definition))],
  );
  await sql.query("update tandem.workflows set status = 'active', updated_at = now() where id = $1", [workflowId]);
}

/** Stops a workflow from starting; its open runs go on. Throws ProblemError 404, 409 when it is not active. */
export async function deactivateWorkflow(
  pool: SqlPool,
  { workspaceId }: { workspaceId: string },
  workflowId: string,
): Promise<Workflow> {
  const workflow = await getWorkflow(pool, { workspaceId, workflowId });
  const { rowCount } = await pool.query(
    "update tandem.workflows set status = 'inactive', updated_at = now() where id = $1 and workspace_id = $2 and status = 'active'",
    [workflowId, workspaceId],
  );
  if (rowCount === 0 && workflow.status !== "inactive")
    throw new ProblemError(409, "not-active", "The workflow is not active.");
  return getWorkflow(pool, { workspaceId, workflowId });
}
