import type { SqlPool } from "../../src/sql.ts";
import { parseMasterKey, type MasterKey } from "../../src/vault/master-key.ts";
import { createApiKey, type NewApiKey, type WantedApiKey } from "../../src/vault/api-keys.ts";
import type { MasterKeys } from "../../src/vault/master-keys.ts";
import { createVault, type Vault } from "../../src/vault/vault.ts";

/** A master key of 32 bytes that are all the same: another byte, another key. */
export function testMasterKey(byte = 7): MasterKey {
  return parseMasterKey(testMasterKeyText(byte), "The test's key");
}

/** The same as it is written. */
export function testMasterKeyText(byte = 7): string {
  return Buffer.alloc(32, byte).toString("base64");
}

/** Master keys of a process, the configured one first. */
export function testMasterKeys(...bytes: readonly number[]): MasterKeys {
  const keys = (bytes.length === 0 ? [7] : bytes).map(testMasterKey);
  return { configured: keys[0]!, find: async (id) => keys.find((key) => key.id === id) };
}

/** A key of a workspace, of an admin where nothing else is said. */
export async function createTestKey(pool: SqlPool, wanted: WantedApiKey): Promise<NewApiKey> {
  return createApiKey(pool, createTestVault(pool), wanted);
}

/** The vault of a test's database. */
export function createTestVault(pool: SqlPool): Vault {
  return createVault({ pool, masterKeys: testMasterKeys() });
}
