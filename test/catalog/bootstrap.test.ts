import { expect, test } from "vitest";
import { ensureInstallation } from "../../src/catalog/bootstrap.ts";
import { listTemplates } from "../../src/catalog/templates.ts";
import { listWorkflows } from "../../src/catalog/workflows.ts";
import { loadWorkspace } from "../../src/catalog/workspaces.ts";
import { getObjects } from "../../src/crm/load-objects.ts";
import { findApiKey } from "../../src/vault/api-keys.ts";
import { createTestDatabase } from "../support/database.ts";
import { createTestVault } from "../support/vault.ts";
import { config, kinds } from "./support.ts";

const templates = (await listTemplates()).map(({ id }) => id);

async function made(pool: Awaited<ReturnType<typeof createTestDatabase>>["pool"], workspaceId: string) {
  const workflows = await listWorkflows(pool, { workspaceId, limit: 100 });
  const { rows } = await pool.query<{ workspaces: number; keys: number }>(
    "select (select count(*) from tandem.workspaces) as workspaces, (select count(*) from tandem.api_keys) as keys",
  );
  const row = rows[0];
  const objects = await getObjects(pool, await loadWorkspace(pool, workspaceId));
  const members = await pool.query<{ count: number }>(`select count(*) from ${objects.find("workspaceMember")?.table}`);
  return {
    ...row,
    members: members.rows[0]?.count,
    active: workflows.filter(({ status }) => status === "active").map(({ key }) => key),
  };
}

test("the first start makes installation, workspace, member, key and active templates, also when two do it at once", async () => {
  const { pool } = await createTestDatabase();
  const [one, two] = await Promise.all([
    ensureInstallation({ pool, vault: createTestVault(pool) }, config, kinds),
    ensureInstallation({ pool, vault: createTestVault(pool) }, config, kinds),
  ]);
  expect(one.id).toMatch(/^[a-z0-9]{8}$/);
  expect(two.id).toBe(one.id);
  const keys = [one.apiKey, two.apiKey].filter((key) => key !== undefined);
  expect(keys).toHaveLength(1);
  expect((await findApiKey(pool, createTestVault(pool), keys[0] ?? ""))?.workspace.id).toBe(one.workspaceId);
  expect(await made(pool, one.workspaceId)).toMatchObject({
    workspaces: 1,
    keys: 1,
    members: 1,
    active: templates,
  });

  expect(await ensureInstallation({ pool, vault: createTestVault(pool) }, config, kinds)).toEqual({
    id: one.id,
    workspaceId: one.workspaceId,
  });
  expect(await made(pool, one.workspaceId)).toMatchObject({
    workspaces: 1,
    keys: 1,
    members: 1,
    active: templates,
  });
});

test("a first start that failed on the way is finished by the next", async () => {
  const { pool } = await createTestDatabase();
  const { "send-email": _, ...lacking } = kinds;
  await expect(ensureInstallation({ pool, vault: createTestVault(pool) }, config, lacking)).rejects.toThrow(
    /web-form-leads is not valid: .*unknown step kind "send-email"/,
  );
  const { workspaceId } = await ensureInstallation({ pool, vault: createTestVault(pool) }, config, kinds);
  expect(await made(pool, workspaceId)).toMatchObject({ workspaces: 1, members: 1, active: templates });
});
