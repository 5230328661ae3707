import { randomInt } from "node:crypto";
import { getObjects } from "../crm/load-objects.ts";
import { createRecord, createWriter } from "../crm/operations.ts";
import { createWorkspaceSchema } from "../crm/schema.ts";
import { ProblemError } from "../errors.ts";
import { inTransaction, type Sql, type SqlPool } from "../sql.ts";
import { createApiKey } from "../vault/api-keys.ts";
import type { Vault } from "../vault/vault.ts";
import type { Workspace } from "../workspace.ts";
import type { Catalog } from "./drafts.ts";
import { installTemplates } from "./templates.ts";
import { changeWorkspaceSettings, type WorkspaceSettings } from "./workspace-settings.ts";
import { findWorkspace, loadWorkspace, type WorkspaceSummary } from "./workspaces.ts";

/** A workspace before it is there; what is not named is as the database has it by default. */
export interface NewWorkspace {
  readonly id: string;
  readonly name: string;
  readonly settings?: { readonly [Key in keyof WorkspaceSettings]?: WorkspaceSettings[Key] | undefined };
}

/** Whom the first task of a workspace goes to. */
export interface FirstMember {
  readonly firstName: string;
  readonly lastName: string;
  readonly email: string;
}

const defaultMember: FirstMember = { firstName: "Sales", lastName: "Rep", email: "rep@tandem.localhost" };

/** Of a repeated request to make a workspace: for so long it is taken for one whose answer was lost. */
const repeatMinutes = 10;

/**
 * Makes a workspace with the standard objects, a member, the templates as drafts, and a key. The same id
 * again finishes what a killed process left and gives a further key, since the first may have been lost
 * with its answer; but only for ten minutes: then the workspace's own keys are the only way in. Throws
 * ProblemError 409.
 */
export async function makeWorkspace(
  { pool, vault }: { pool: SqlPool; vault: Vault },
  catalog: Pick<Catalog, "kinds" | "triggerKinds" | "quickLane">,
  { member, ...wanted }: NewWorkspace & { readonly member?: FirstMember | undefined },
): Promise<{ workspace: WorkspaceSummary; apiKey: string; isNew: boolean }> {
  await vault.installationKey("api-keys");
  const { apiKey, isNew } = await inTransaction(pool, async (sql) => {
    const made = await insertWorkspace(sql, wanted);
    if (!made) await refuseAnother(sql, wanted);
    const name = made ? "First key" : "First key, asked for again";
    return { isNew: made, apiKey: (await createApiKey(sql, vault, { workspaceId: wanted.id, name })).key };
  });
  const workspace = await loadWorkspace(pool, wanted.id);
  await ensureMember(pool, workspace, member);
  const objects = await getObjects(pool, workspace);
  await installTemplates(pool, { ...catalog, workspaceId: workspace.id, objects }, { activate: false });
  const summary = await findWorkspace(pool, wanted.id);
  if (summary === undefined) throw new Error(`The workspace ${wanted.id} went while it was made.`);
  return { workspace: summary, apiKey, isNew };
}

/** Inserts a workspace with its schema and standard objects. False: there is one with this id. */
export async function insertWorkspace(sql: Sql, { id, name, settings = {} }: NewWorkspace): Promise<boolean> {
  const schemaName = `ws_${randomName(10)}`;
  const { rowCount } = await sql.query(
    `insert into tandem.workspaces (id, name, schema_name) values ($1::uuid, $2::text, $3::text)
     on conflict (id) do nothing`,
    [id, name, schemaName],
  );
  if (rowCount !== 1) return false;
  await changeWorkspaceSettings(sql, id, settings);
  await createWorkspaceSchema(sql, { id, schemaName });
  return true;
}

async function refuseAnother(sql: Sql, { id, name }: NewWorkspace): Promise<void> {
  const { rows } = await sql.query<{ same: boolean }>(
    `select name = $2::text and created_at > now() - interval '${repeatMinutes} minutes' as same from tandem.workspaces where id = $1::uuid`,
    [id, name],
  );
  if (rows[0]?.same === true) return;
  throw new ProblemError(
    409,
    "workspace-exists",
    `There is a workspace ${id} already. Its keys are made with one of its own: POST /api/api-keys.`,
  );
}

/** Tasks are assigned to members: a workspace without any gets one. */
export async function ensureMember(
  pool: SqlPool,
  workspace: Workspace,
  { firstName, lastName, email }: FirstMember = defaultMember,
): Promise<void> {
  const objects = await getObjects(pool, workspace);
  const object = objects.find("workspaceMember");
  if (object === undefined) return;
  const { rows } = await pool.query<{ present: boolean }>(`select exists (select 1 from ${object.table}) as present`);
  if (rows[0]?.present === true) return;
  const writer = createWriter({ pool, workspace, objects, actor: { source: "SYSTEM", name: "Tandem" } });
  const values = { name: { firstName, lastName }, userEmail: email, timeZone: workspace.timeZone };
  await createRecord(writer, { object, values, ifExists: "use" });
}

const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789";

/** A random name of small letters and digits. */
export function randomName(length: number): string {
  return Array.from({ length }, () => alphabet[randomInt(alphabet.length)]).join("");
}
