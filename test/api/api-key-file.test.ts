import { chmod, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { keepApiKey } from "../../src/api/api-key-file.ts";
import { findApiKey } from "../../src/vault/api-keys.ts";
import { createTestDatabase } from "../support/database.ts";
import { createTestFolder } from "../support/folder.ts";
import { insertWorkspace } from "../support/rows.ts";
import { createTestKey, createTestVault } from "../support/vault.ts";

const { pool } = await createTestDatabase();
const parts = { pool, vault: createTestVault(pool) };
const workspaceId = await insertWorkspace(pool);

async function keyIn(directory: string): Promise<string> {
  return (await readFile(join(directory, "api-key"), "utf8")).trim();
}

test("the key that was made is kept where only its owner reads it", async () => {
  const directory = join(await createTestFolder(), "not", "there", "yet");
  const { key: made } = await createTestKey(pool, { workspaceId, name: "First" });
  expect(await keepApiKey(parts, { directory, workspaceId, made })).toEqual({
    file: join(directory, "api-key"),
    created: true,
  });
  expect(await keyIn(directory)).toBe(made);
  expect((await stat(join(directory, "api-key"))).mode & 0o777).toBe(0o600);
  expect(await readdir(directory)).toEqual(["api-key"]);
});

test("a key that works is left alone", async () => {
  const directory = await createTestFolder();
  const { key: made } = await createTestKey(pool, { workspaceId, name: "First" });
  await keepApiKey(parts, { directory, workspaceId, made });
  expect(await keepApiKey(parts, { directory, workspaceId, made: undefined })).toMatchObject({ created: false });
  expect(await keyIn(directory)).toBe(made);
});

test.each(["is missing", "is another database's", "is readable by all and broken off"])(
  "where the key %s, one that works is made",
  async (how) => {
    const directory = await createTestFolder();
    const file = join(directory, "api-key");
    if (how !== "is missing")
      await writeFile(file, how.startsWith("is another") ? `tandem_${"x".repeat(43)}\n` : "tandem_");
    if (how.startsWith("is readable")) await chmod(file, 0o644);
    expect(await keepApiKey(parts, { directory, workspaceId, made: undefined })).toMatchObject({ created: true });
    expect((await findApiKey(pool, parts.vault, await keyIn(directory)))?.workspace.id).toBe(workspaceId);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    await rm(file);
  },
);
