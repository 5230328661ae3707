import { beforeEach, describe, expect, test } from "vitest";
import { createId } from "../../src/ids.ts";
import { createApiKey, findApiKey } from "../../src/vault/api-keys.ts";
import { createConnection } from "../../src/vault/connection-changes.ts";
import type { MasterKeys } from "../../src/vault/master-keys.ts";
import { listMasterKeyIds } from "../../src/vault/sealed-tables.ts";
import { rotateMasterKey } from "../../src/vault/rotation.ts";
import { createVault, type Vault } from "../../src/vault/vault.ts";
import { createTestDatabase } from "../support/database.ts";
import { insertWorkspace } from "../support/rows.ts";
import { testMasterKey, testMasterKeys } from "../support/vault.ts";

const { pool } = await createTestDatabase();
const [first, second] = [testMasterKey(1), testMasterKey(2)];
const workspaceId = await insertWorkspace(pool);

const vaultOf = (masterKeys: MasterKeys): Vault => createVault({ pool, masterKeys });
const rotate = (to = second) => rotateMasterKey({ pool, masterKeys: testMasterKeys(1, 2) }, to);

beforeEach(async () => {
  for (const table of ["secrets", "connections", "installation_keys", "master_key"])
    await pool.query(`delete from tandem.${table}`);
});

async function keep(vault: Vault, name: string): Promise<string> {
  return (await vault.create({ workspaceId, name, value: `the value of ${name}` })).id;
}

async function valueOf(vault: Vault, name: string): Promise<string | undefined> {
  return (await vault.openSecrets(workspaceId, [name])).get(name)?.[0]?.toString();
}

test("all that is sealed is sealed with the new key, and the values are what they were", async () => {
  const before = vaultOf(testMasterKeys(1));
  const id = await keep(before, "KEPT");
  await before.rotate({ workspaceId, id, value: "the second value", overlapMs: 60_000 });
  const { key } = await createApiKey(pool, before, { workspaceId, name: "Kept" });
  const connection = await createConnection(pool, {
    workspaceId,
    key: `kept-${createId().slice(-8)}`,
    settings: {
      name: "Kept",
      baseUrl: "https://kept.example",
      authentication: { kind: "none" },
      headers: {},
      allowedHosts: [],
      allowHttp: false,
      honoursIdempotencyKey: false,
    },
  });
  const token = { accessToken: "access", from: "x", seed: "y" };
  await before.tokens.store(connection, { after: 0, token, freshMs: undefined });

  expect(await rotate()).toEqual({ rewrapped: 4, unreadable: [] });
  expect(await listMasterKeyIds(pool)).toEqual([second.id]);
  const after = vaultOf(testMasterKeys(2));
  const opened = await after.openSecrets(workspaceId, ["KEPT"]);
  expect(opened.get("KEPT")?.map(String)).toEqual(["the second value", "the value of KEPT"]);
  expect((await findApiKey(pool, after, key))?.name).toBe("Kept");
  expect((await after.tokens.find(connection))?.token).toEqual(token);
});

test("the values themselves are not touched", async () => {
  await keep(vaultOf(testMasterKeys(1)), "UNTOUCHED");
  const sealed = async () =>
    (await pool.query("select sealed, sealed_under, version from tandem.secret_values")).rows as unknown[];
  const before = await sealed();
  await rotate();
  expect(await sealed()).toEqual(before);
  await rotate(first);
  expect(await valueOf(vaultOf(testMasterKeys(1)), "UNTOUCHED")).toBe("the value of UNTOUCHED");
});

describe("meanwhile", () => {
  test("processes that have both keys read and write, and what they write has the new one", async () => {
    const vault = vaultOf(testMasterKeys(1, 2));
    for (let i = 0; i < 120; i++) await keep(vault, `BUSY_${i}`);
    const rotation = rotate();
    const during = await Promise.all([
      ...Array.from({ length: 120 }, (_, i) => valueOf(vaultOf(testMasterKeys(1, 2)), `BUSY_${i}`)),
      ...Array.from({ length: 20 }, (_, i) => keep(vault, `NEW_${i}`)),
    ]);
    expect(during.slice(0, 120)).toEqual(Array.from({ length: 120 }, (_, i) => `the value of BUSY_${i}`));
    await rotation;
    expect(await listMasterKeyIds(pool)).toEqual([second.id]);
    expect(await valueOf(vaultOf(testMasterKeys(2)), "NEW_7")).toBe("the value of NEW_7");
  });

  test("one that has only the key before seals nothing any more, and says why", async () => {
    const old = vaultOf(testMasterKeys(1));
    await keep(old, "OLD");
    await rotate();
    await expect(keep(old, "LATE")).rejects.toMatchObject({ status: 503, code: "another-master-key" });
    await expect(valueOf(old, "OLD")).rejects.toMatchObject({ status: 503, code: "secret-unreadable" });
  });
});

test("a value that does not open is left and named, and holds up no other", async () => {
  const vault = vaultOf(testMasterKeys(1));
  for (const name of ["A", "BROKEN", "C"]) await keep(vault, name);
  await pool.query(
    "update tandem.secret_values set data_key = 'x' where secret_id = (select id from tandem.secrets where name = 'BROKEN')",
  );
  const { rewrapped, unreadable } = await rotate();
  expect([rewrapped, unreadable.map(({ name }) => name)]).toEqual([2, ["BROKEN"]]);
  expect(await valueOf(vaultOf(testMasterKeys(2)), "C")).toBe("the value of C");
});

test("without a key that something is sealed with, it says which is missing", async () => {
  await keep(vaultOf(testMasterKeys(3)), "ELSEWHERE");
  await pool.query("update tandem.master_key set id = $1", [first.id]);
  await expect(rotate()).rejects.toThrow(
    `sealed with the master key ${testMasterKey(3).id}, which is not there. Put it into MASTER_KEY_PREVIOUS.`,
  );
});
