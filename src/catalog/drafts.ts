import { ProblemError, type Issue } from "../errors.ts";
import { createId } from "../ids.ts";
import type { JsonObject } from "../json.ts";

import { checkSetting, validateDefinition, type ValidationContext } from "../definition/validate.ts";
import { examineSteps } from "../definition/validate/examine.ts";
import { createDefinitionSchema, type Definition } from "../definition/schema.ts";
import { defaultsOf } from "../definition/trigger-settings.ts";
import { inTransaction, sqlState, type Sql, type SqlPool } from "../sql.ts";
import { holdSecretNames } from "../vault/secrets.ts";
import { armTriggers, resolveTriggers } from "./triggers.ts";
import { getWorkflow, workflowNotFound, type Workflow } from "./workflows.ts";

/** What catalog functions know besides the database. */
export interface Catalog extends Omit<ValidationContext, "settings"> {
  readonly workspaceId: string;
}

/** Makes a workflow with its first draft. Throws ProblemError: 422 what is wrong, 409 the key is taken. */
export async function createWorkflow(pool: SqlPool, catalog: Catalog, document: unknown): Promise<Workflow> {
  const definition = getValid(document, catalog);
  await examine(definition, catalog);
  const workflowId = createId();
  await inTransaction(pool, (sql) =>
    insertWorkflow(sql, { workflowId, workspaceId: catalog.workspaceId, definition, document, template: null }),
  );
  return getWorkflow(pool, { workspaceId: catalog.workspaceId, workflowId });
}

export interface NewWorkflow {
  readonly workflowId: string;
  readonly workspaceId: string;
  readonly definition: Definition;
  /** The definition as it was written: defaults that are only shown are not kept. */
  readonly document: unknown;
  readonly template: string | null;
}

/** Inserts a workflow and its first draft. Throws ProblemError 409 when the key is taken. */
export async function insertWorkflow(
  sql: Sql,
  { workflowId, workspaceId, definition, document, template }: NewWorkflow,
): Promise<void> {
  try {
    await sql.query(
      "insert into tandem.workflows (id, workspace_id, key, name, template) values ($1, $2, $3, $4, $5)",
      [workflowId, workspaceId, definition.key, definition.name, template],
    );
  } catch (error) {
    if (sqlState(error)?.code !== "23505") throw error;
    throw new ProblemError(
      409,
      "key-taken",
      `There is a workflow with the key "${definition.key}" already. Choose another key, or save a draft of that one.`,
    );
  }
  await insertDraft(sql, workflowId, document);
}

/** The revision goes on from the version before: no two states of a workflow share one. */
async function insertDraft(sql: Sql, workflowId: string, document: unknown): Promise<void> {
  await sql.query(
    `insert into tandem.workflow_versions (id, workflow_id, number, status, definition, revision)
     select $1, $2, coalesce(max(number), 0) + 1, 'draft', $3, coalesce(max(revision), 0) + 1
     from tandem.workflow_versions where workflow_id = $2`,
    [createId(), workflowId, JSON.stringify(document)],
  );
}

/**
 * Saves a draft, beside the active version if there is one. `revision` is what the caller last saw
 * (If-Match): that of the draft; without one 0, or that of the active version. Throws ProblemError: 404,
 * 412 somebody else saved meanwhile, 422 what is wrong.
 */
export async function saveDraft(
  pool: SqlPool,
  catalog: Catalog,
  draft: { workflowId: string; document: unknown; revision?: number | undefined },
): Promise<Workflow> {
  const { workspaceId } = catalog;
  const { workflowId } = draft;
  const workflow = await getWorkflow(pool, { workspaceId, workflowId });
  const definition = getValid(draft.document, catalog);
  if (definition.key !== workflow.key) {
    const message = `the key is "${workflow.key}" for life; make another workflow for "${definition.key}"`;
    throw invalid([{ path: "key", message }]);
  }
  await examine(definition, catalog);
  await inTransaction(pool, (sql) => storeDraft(sql, { ...draft, workspaceId, name: definition.name }));
  return getWorkflow(pool, { workspaceId, workflowId });
}

async function storeDraft(
  sql: Sql,
  draft: {
    workspaceId: string;
    workflowId: string;
    document: unknown;
    name: string;
    revision?: number | undefined;
  },
): Promise<void> {
  const { workspaceId, workflowId, document, name, revision } = draft;
  const { rowCount } = await sql.query(
    "update tandem.workflows set name = $3, updated_at = now() where id = $1 and workspace_id = $2",
    [workflowId, workspaceId, name],
  );
  if (rowCount === 0) throw workflowNotFound(workflowId);
  const { rows } = await sql.query<{ id: string; status: string; revision: number }>(
    "select id, status, revision from tandem.workflow_versions where workflow_id = $1 order by number desc limit 1",
    [workflowId],
  );
  const latest = rows[0];
  const current = latest?.status === "draft" ? latest : undefined;
  const seen = revision === undefined || revision === latest?.revision || (revision === 0 && current === undefined);
  if (!seen) throw stale();
  if (current === undefined) return insertDraft(sql, workflowId, document);
  await sql.query(
    "update tandem.workflow_versions set definition = $2, revision = revision + 1, updated_at = now() where id = $1",
    [current.id, JSON.stringify(document)],
  );
}

/** Sets values of settings; those not named stay. Null takes a value back. Throws ProblemError 404, 422. */
export async function setSettings(
  pool: SqlPool,
  catalog: Catalog,
  { workflowId, values }: { workflowId: string; values: JsonObject },
): Promise<Workflow> {
  const { workspaceId } = catalog;
  const workflow = await getWorkflow(pool, { workspaceId, workflowId });
  const declared = { ...workflow.active?.definition.settings, ...workflow.draft?.definition.settings };
  const issues = Object.entries(values).flatMap(([id, value]) => {
    const setting = Object.hasOwn(declared, id) ? declared[id] : undefined;
    if (setting === undefined) return [{ path: id, message: `the workflow declares no setting "${id}"` }];
    return value === null ? [] : checkSetting(setting, value, id);
  });
  if (issues.length > 0) throw invalidSettings(issues);
  await inTransaction(pool, (sql) => storeSettings(sql, catalog, { workflowId, values }));
  return getWorkflow(pool, { workspaceId, workflowId });
}

/** Triggers that read a setting are armed anew with its value: one that they cannot take is refused. */
async function storeSettings(
  sql: Sql,
  catalog: Catalog,
  { workflowId, values }: { workflowId: string; values: JsonObject },
): Promise<void> {
  const { rows } = await sql.query<{ settings: JsonObject }>(
    `update tandem.workflows set settings = jsonb_strip_nulls(settings || $3::jsonb), updated_at = now()
     where id = $1 and workspace_id = $2 returning settings`,
    [workflowId, catalog.workspaceId, JSON.stringify(values)],
  );
  const active = await sql.query<{ id: string; definition: unknown }>(
    "select id, definition from tandem.workflow_versions where workflow_id = $1 and status = 'active'",
    [workflowId],
  );
  const version = active.rows[0];
  if (version === undefined) return;
  const definition = createDefinitionSchema(catalog.triggerKinds).parse(version.definition);
  const known = { ...catalog, secrets: await holdSecretNames(sql, catalog.workspaceId) };
  const { triggers, issues } = resolveTriggers(definition, known, {
    ...defaultsOf(definition),
    ...rows[0]?.settings,
  });
  if (issues.length > 0) throw invalidSettings(issues);
  await armTriggers(sql, { workspaceId: catalog.workspaceId, workflowId, versionId: version.id, triggers });
}

function invalidSettings(issues: readonly Issue[]): ProblemError {
  return new ProblemError(422, "invalid-settings", "The settings are not valid. `issues` names each fault.", {
    issues,
  });
}

function getValid(document: unknown, catalog: Catalog): Definition {
  const validated = validateDefinition(document, catalog);
  if (validated.definition === undefined) throw invalid(validated.issues);
  return validated.definition;
}

/** Throws ProblemError 422 for what only trying tells; not to be waited for in a transaction. */
export async function examine(definition: Definition, { kinds }: Catalog): Promise<void> {
  const issues = await examineSteps(definition, kinds);
  if (issues.length > 0) throw invalid(issues);
}

export function invalid(issues: readonly Issue[]): ProblemError {
  const first = issues[0];
  const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : "";
  return new ProblemError(
    422,
    "invalid-definition",
    `${first?.path === "" ? "" : `${first?.path}: `}${first?.message ?? "invalid"}${more}`,
    { issues },
  );
}

function stale(): ProblemError {
  return new ProblemError(
    412,
    "draft-changed",
    "The draft was changed since you read it. Read it again, and save with its new ETag.",
  );
}
