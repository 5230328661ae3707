import { expect, test } from "vitest";
import { createApiKey, findApiKey } from "../../src/vault/api-keys.ts";
import { createTestDatabase } from "../support/database.ts";
import { insertWorkspace } from "../support/rows.ts";

const { pool } = await createTestDatabase();
const workspaceId = await insertWorkspace(pool);

test("a key speaks for its workspace", async () => {
  const { id, key } = await createApiKey(pool, { workspaceId, name: "Site" });
  expect(await findApiKey(pool, key)).toMatchObject({
    id,
    name: "Site",
    workspace: { id: workspaceId, timeZone: "UTC", currency: "EUR" },
  });
});

test("a key is 32 random bytes, of which only the end can be seen later", async () => {
  const { key, lastFour } = await createApiKey(pool, { workspaceId, name: "Site" });
  expect(key).toMatch(/^tandem_[A-Za-z0-9_-]{43}$/);
  expect(key.endsWith(lastFour)).toBe(true);
  const { rows } = await pool.query<{ row: string }>("select to_jsonb(k)::text as row from tandem.api_keys k");
  for (const { row } of rows) expect(row).not.toContain(key.slice(7, 27));
});

test("a key that was never made speaks for nobody", async () => {
  const { key } = await createApiKey(pool, { workspaceId, name: "Site" });
  for (const other of [
    "",
    "tandem_",
    key.toUpperCase(),
    `${key}A`,
    key.slice(0, -1),
    `${key}\n`,
    "\0",
    "é".repeat(50),
  ]) {
    expect(await findApiKey(pool, other)).toBeUndefined();
  }
});
