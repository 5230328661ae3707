import type { StepKinds } from "../activities/step-kind.ts";
import type { Config } from "../config.ts";
import { getObjects } from "../crm/load-objects.ts";
import { createId } from "../ids.ts";
import { triggerKinds } from "../triggers/registry.ts";
import { inTransaction, type SqlPool } from "../sql.ts";
import { createApiKey } from "../vault/api-keys.ts";
import type { Vault } from "../vault/vault.ts";
import { ensureMember, insertWorkspace, randomName } from "./make-workspace.ts";
import { installTemplates } from "./templates.ts";
import { findFirstWorkspace, loadWorkspace } from "./workspaces.ts";

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
 * killed at any line: what is there stays, what lacks is made. Other workspaces are not looked at.
 */
export async function ensureInstallation(
  { pool, vault }: { pool: SqlPool; vault: Vault },
  config: Config,
  kinds: StepKinds,
): Promise<Installation> {
  // Made beforehand: what keys are hashed under has a transaction of its own.
  await vault.installationKey("api-keys");
  const installation = await inTransaction(pool, async (sql): Promise<Installation> => {
    await sql.query("lock table tandem.installation in share row exclusive mode");
    const { rows } = await sql.query<{ id: string }>("select id from tandem.installation");
    const workspaceId = await findFirstWorkspace(sql);
    if (rows[0] !== undefined && workspaceId !== undefined) return { id: rows[0].id, workspaceId };
    const made = { id: randomName(8), workspaceId: createId() };
    await sql.query("insert into tandem.installation (id) values ($1)", [made.id]);
    await insertWorkspace(sql, { id: made.workspaceId, name: "Tandem" });
    const { key } = await createApiKey(sql, vault, { workspaceId: made.workspaceId, name: "First key" });
    return { ...made, apiKey: key };
  });
  const workspace = await loadWorkspace(pool, installation.workspaceId);
  await ensureMember(pool, workspace);
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
