import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { inspect } from "node:util";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { parseMasterKey } from "../../src/vault/master-key.ts";
import { masterKeyFile } from "../../src/vault/master-key-files.ts";
import { keepMasterKeys, readMasterKeys } from "../../src/vault/master-keys.ts";
import { createVault } from "../../src/vault/vault.ts";
import { createTestDatabase } from "../support/database.ts";
import { createTestFolder } from "../support/folder.ts";
import { insertWorkspace } from "../support/rows.ts";
import { testMasterKey, testMasterKeys } from "../support/vault.ts";

const { pool } = await createTestDatabase();
const given = (byte: number): string => Buffer.alloc(32, byte).toString("base64");

beforeEach(async () => {
  await pool.query("delete from tandem.secrets");
  await pool.query("delete from tandem.master_key");
});

async function keepSecret(byte: number): Promise<void> {
  const workspaceId = await insertWorkspace(pool);
  const vault = createVault({ pool, masterKeys: testMasterKeys(byte) });
  await vault.create({ workspaceId, name: "STRIPE", value: "whsec_a value" });
}

describe("where there is none", () => {
  test("a key is made that only its owner reads, and is the same from then on", async () => {
    const directory = join(await createTestFolder(), "not", "there", "yet");
    const made = await keepMasterKeys(pool, { given: undefined, directory });
    const file = masterKeyFile(directory);
    const text = await readFile(file, "utf8");
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(Buffer.from(text, "base64")).toHaveLength(32);
    expect(await readdir(directory)).toEqual(["master-key"]);
    expect((await keepMasterKeys(pool, { given: undefined, directory })).configured.id).toBe(made.configured.id);
    expect((await readMasterKeys({ given: undefined, directory })).configured.id).toBe(made.configured.id);
    expect(await readFile(file, "utf8")).toBe(text);
  });

  test("ten that start at once use one and the same", async () => {
    const directory = await createTestFolder();
    const keys = await Promise.all(
      Array.from({ length: 10 }, () => keepMasterKeys(pool, { given: undefined, directory })),
    );
    expect(new Set(keys.map(({ configured }) => configured.id)).size).toBe(1);
    expect(await readdir(directory)).toEqual(["master-key"]);
  });

  test("none is made where MASTER_KEY is set", async () => {
    const directory = await createTestFolder();
    expect((await keepMasterKeys(pool, { given: given(1), directory })).configured.id).toBe(testMasterKey(1).id);
    expect(await readdir(directory)).toEqual([]);
  });

  test("a process that only uses it does not make one, and says who does", async () => {
    const directory = await createTestFolder();
    await expect(readMasterKeys({ given: undefined, directory })).rejects.toThrow(
      `MASTER_KEY is not set, and there is no file ${masterKeyFile(directory)}. \`npm run migrate\` makes the file`,
    );
    expect(await readdir(directory)).toEqual([]);
  });
});

describe("where there are secrets", () => {
  test("no new key is made for one that is lost: it would open nothing", async () => {
    await keepSecret(1);
    const directory = await createTestFolder();
    await expect(keepMasterKeys(pool, { given: undefined, directory })).rejects.toThrow(
      `sealed with the master key ${testMasterKey(1).id}; there is none now. Put that key back into ${masterKeyFile(directory)}`,
    );
    expect(await readdir(directory)).toEqual([]);
  });

  test("another key is refused, in the environment or in the file, which is left as it is", async () => {
    await keepSecret(1);
    const directory = await createTestFolder();
    const [first, second] = [testMasterKey(1).id, testMasterKey(2).id];
    await expect(keepMasterKeys(pool, { given: given(2), directory })).rejects.toThrow(
      `sealed with the master key ${first}; MASTER_KEY holds ${second}. Put that key back into MASTER_KEY`,
    );
    await writeFile(masterKeyFile(directory), given(2));
    await expect(keepMasterKeys(pool, { given: undefined, directory })).rejects.toThrow(
      `${masterKeyFile(directory)} holds ${second}. Put that key back`,
    );
    expect(await readFile(masterKeyFile(directory), "utf8")).toBe(given(2));
    expect((await keepMasterKeys(pool, { given: given(1), directory })).configured.id).toBe(first);
  });

  test("a process with another key seals nothing that the others could not open", async () => {
    await keepSecret(1);
    await expect(keepSecret(2)).rejects.toMatchObject({ status: 503, code: "another-master-key" });
    const { rows } = await pool.query("select master_key_id from tandem.secret_values");
    expect(rows).toEqual([{ master_key_id: testMasterKey(1).id }]);
  });
});

test("another key may be taken as long as there are no secrets", async () => {
  const directory = await createTestFolder();
  await keepMasterKeys(pool, { given: given(1), directory });
  await keepMasterKeys(pool, { given: given(2), directory });
  await keepSecret(2);
  await expect(keepMasterKeys(pool, { given: given(1), directory })).rejects.toThrow("Nothing was changed.");
});

test.each([
  ["nothing", ""],
  ["too few bytes", Buffer.alloc(31, 1).toString("base64")],
  ["too many bytes", Buffer.alloc(33, 1).toString("base64")],
  ["hexadecimal", Buffer.alloc(32, 1).toString("hex")],
  ["a password", "correct horse battery staple, and more of it"],
  ["base64 with something in it", `${given(1).slice(0, 20)}\n${given(1).slice(20)}`],
])("a key that is %s is refused, and not repeated", async (_, text) => {
  expect(() => parseMasterKey(text, "MASTER_KEY")).toThrow(
    "MASTER_KEY is not a master key: 32 bytes in base64, such as `openssl rand -base64 32` gives.",
  );
  const directory = await createTestFolder();
  await writeFile(masterKeyFile(directory), text);
  await expect(keepMasterKeys(pool, { given: undefined, directory })).rejects.toThrow(
    `${masterKeyFile(directory)} is not a master key`,
  );
  expect(await readFile(masterKeyFile(directory), "utf8")).toBe(text);
});

test("a file that cannot be read is no reason to make another", async () => {
  const directory = await createTestFolder();
  await mkdir(masterKeyFile(directory));
  await expect(keepMasterKeys(pool, { given: undefined, directory })).rejects.toThrow("EISDIR");
  expect(await readdir(directory)).toEqual(["master-key"]);
});

test("a key shows nothing of itself, however it is printed", () => {
  const key = testMasterKey(7);
  for (const shown of [inspect(key, { depth: 9, showHidden: true }), JSON.stringify(key), String(key.key)])
    for (const form of ["base64", "hex", "latin1"] as const)
      expect(shown).not.toContain(Buffer.alloc(8, 7).toString(form));
});
