import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { createId } from "../../src/ids.ts";
import { hashKey, isKey, makeKey } from "../../src/vault/api-key-format.ts";
import { findApiKey, listApiKeys, touchApiKey } from "../../src/vault/api-keys.ts";
import { createTestDatabase } from "../support/database.ts";
import { insertWorkspace } from "../support/rows.ts";
import { createTestKey, createTestVault, testMasterKeys } from "../support/vault.ts";
import { createVault } from "../../src/vault/vault.ts";

const { pool } = await createTestDatabase();
const vault = createTestVault(pool);
const workspaceId = await insertWorkspace(pool);

test("a key speaks for its workspace", async () => {
  const { id, key } = await createTestKey(pool, { workspaceId, name: "Site" });
  expect(await findApiKey(pool, vault, key)).toMatchObject({
    id,
    name: "Site",
    role: "admin",
    scopes: null,
    isExpired: false,
    workspace: { id: workspaceId, timeZone: "UTC", currency: "EUR" },
  });
});

describe("a key", () => {
  test("is known by scanners, named by its beginning, and whole by its checksum", () => {
    const { key, prefix } = makeKey();
    expect(key).toMatch(/^tandem_[0-9a-z]{8}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}$/);
    expect(key.startsWith(`${prefix}_`)).toBe(true);
    expect(isKey(key)).toBe(true);
    const others = Array.from({ length: 1_000 }, () => makeKey().key);
    expect(new Set(others).size).toBe(1_000);
    expect(others.every(isKey)).toBe(true);
  });

  test("with any letter changed, left out, doubled or swapped is none", () => {
    const { key } = makeKey();
    for (let i = 0; i < key.length; i++) {
      const other = key[i] === "x" ? "y" : "x";
      const [before, after] = [key.slice(0, i), key.slice(i + 1)];
      const swapped = `${before}${after.slice(0, 1)}${key[i]}${after.slice(1)}`;
      const mistyped = [
        `${before}${other}${after}`,
        `${before}${after}`,
        `${before}${key[i]}${key[i]}${after}`,
        swapped,
      ];
      expect(mistyped.filter((text) => text !== key && isKey(text))).toEqual([]);
    }
  });

  test.each(["", "tandem_", "\0", "é".repeat(50), `tandem_${"x".repeat(44)}`])("is not %j", (text) => {
    expect(isKey(text)).toBe(false);
  });

  test("leaves nothing of itself in the database but how it begins and ends", async () => {
    const { key, prefix, lastFour } = await createTestKey(pool, { workspaceId, name: "Site" });
    expect([key.startsWith(prefix ?? "?"), key.endsWith(lastFour)]).toEqual([true, true]);
    const { rows } = await pool.query<{ row: string }>("select to_jsonb(k)::text as row from tandem.api_keys k");
    for (const { row } of rows) {
      expect(row).not.toContain(key.slice(prefix?.length, -4));
      expect(row).not.toContain(createHash("sha256").update(key).digest("hex"));
    }
  });

  test("cannot be told from the database without the master key", async () => {
    const { key } = await createTestKey(pool, { workspaceId, name: "Site" });
    const other = createVault({ pool, masterKeys: testMasterKeys(9) });
    await expect(findApiKey(pool, other, key)).rejects.toThrow("sealed with another master key");
    const pepper = await vault.installationKey("api-keys");
    expect(hashKey(key, pepper).equals(hashKey(key, Buffer.alloc(32)))).toBe(false);
  });

  test("that was never made speaks for nobody", async () => {
    expect(await findApiKey(pool, vault, makeKey().key)).toBeUndefined();
  });
});

test("keys of before keep working, as an admin's", async () => {
  const key = `tandem_${"Ab3-_".repeat(8)}xyz`;
  await pool.query(
    "insert into tandem.api_keys (id, workspace_id, name, hash, last_four) values ($1, $2, 'Old', $3, $4)",
    [createId(), workspaceId, createHash("sha256").update(key).digest(), key.slice(-4)],
  );
  expect(isKey(key)).toBe(true);
  expect(await findApiKey(pool, vault, key)).toMatchObject({ name: "Old", role: "admin", scopes: null });
});

test("a key whose time is over is known, and said to be over", async () => {
  const { key } = await createTestKey(pool, { workspaceId, name: "Past", expiresAt: new Date(Date.now() - 1_000) });
  expect(await findApiKey(pool, vault, key)).toMatchObject({ isExpired: true });
});

test("the last use is kept to the minute", async () => {
  const owner = await insertWorkspace(pool);
  const { id, lastUsedAt } = await createTestKey(pool, { workspaceId: owner, name: "Used" });
  expect(lastUsedAt).toBeNull();
  const used = async (): Promise<number> => {
    await touchApiKey(pool, id);
    const [key] = await listApiKeys(pool, { workspaceId: owner, limit: 1 });
    return key?.lastUsedAt?.getTime() ?? 0;
  };
  const first = await used();
  expect(await used()).toBe(first);
  await pool.query("update tandem.api_keys set last_used_at = last_used_at - interval '2 minutes' where id = $1", [id]);
  expect(await used()).toBeGreaterThanOrEqual(first);
});
