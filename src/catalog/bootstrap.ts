import { randomInt } from "node:crypto";
import type { StepKinds } from "../activities/step-kind.ts";
import type { Config } from "../config.ts";
import { createRecord, createWriter } from "../crm/operations.ts";
import { getObjects } from "../crm/objects.ts";
import { createWorkspaceSchema } from "../crm/schema.ts";
import { createId } from "../ids.ts";
import { triggerKinds } from "../triggers/registry.ts";
import { inTransaction, type SqlPool } from "../sql.ts";
import { createApiKey } from "../vault/api-keys.ts";
import { installTemplates } from "./templates.ts";
import { loadWorkspace } from "./workspaces.ts";

export interface Installation {
  readonly id: string;
  /** The first workspace. */
  readonly workspaceId: string;
  /** Its first key, the one time that it is made. */
  readonly apiKey?: string;
}

/**
 * Makes the installation where there is none: its id, the first workspace with the standard objects, one
 * member, the first API key, and the templates, installed and active. May run twice at once, and may be
 * killed at any line: what is there stays, what lacks is made.
 */
export async function ensureInstallation(pool: SqlPool, config: Config, kinds: StepKinds): Promise<Installation> {
  const installation = await inTransaction(pool, async (sql): Promise<Installation> => {
    await sql.query("lock table tandem.installation in share row exclusive mode");
    const { rows } = await sql.query<{ id: string; workspaceId: string }>(
      `select i.id, (select w.id from tandem.workspaces w order by w.id limit 1) as "workspaceId" from tandem.installation i`,
    );
    if (rows[0] !== undefined) return rows[0];
    const id = randomName(8);
    const workspace = { id: createId(), schemaName: `ws_${randomName(10)}` };
    await sql.query("insert into tandem.installation (id) values ($1)", [id]);
    await sql.query("insert into tandem.workspaces (id, name, schema_name) values ($1, 'Tandem', $2)", [
      workspace.id,
      workspace.schemaName,
    ]);
    await createWorkspaceSchema(sql, workspace);
    const { key } = await createApiKey(sql, { workspaceId: workspace.id, name: "First key" });
    return { id, workspaceId: workspace.id, apiKey: key };
  });
  await makeFirstMember(pool, installation.workspaceId);
  const workspace = await loadWorkspace(pool, installation.workspaceId);
  const objects = await getObjects(pool, workspace);
  await installTemplates(pool, {
    workspaceId: workspace.id,
    kinds,
    triggerKinds,
    objects,
    quickLane: config.QUICK_LANE,
  });
  return installation;
}

/** Tasks are assigned to members: a workspace without any gets one. */
async function makeFirstMember(pool: SqlPool, workspaceId: string): Promise<void> {
  const workspace = await loadWorkspace(pool, workspaceId);
  const objects = await getObjects(pool, workspace);
  const object = objects.find("workspaceMember");
  if (object === undefined) return;
  const { rows } = await pool.query<{ present: boolean }>(`select exists (select 1 from ${object.table}) as present`);
  if (rows[0]?.present === true) return;
  const writer = createWriter({ pool, workspace, objects, actor: { source: "SYSTEM", name: "Tandem" } });
  const values = {
    name: { firstName: "Sales", lastName: "Rep" },
    userEmail: "rep@tandem.localhost",
    timeZone: workspace.timeZone,
  };
  await createRecord(writer, { object, values, ifExists: "use" });
}

const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789";

function randomName(length: number): string {
  return Array.from({ length }, () => alphabet[randomInt(alphabet.length)]).join("");
}
