import { randomBytes } from "node:crypto";
import { inTransaction, type Sql } from "../sql.ts";
import { seal, type SealedPlace } from "./envelope.ts";
import { holdMasterKey } from "./master-keys.ts";
import { installationKeyPlace, sealedColumns } from "./sealed-tables.ts";
import { openStored, type StoredValue, type VaultParts } from "./secret-values.ts";

/** What the installation has a key of its own for. */
export type Purpose = "api-keys";

/**
 * The key for a purpose: 32 random bytes, made where there is none, sealed like secrets. It outlives the
 * master key that it is sealed with. Throws an Error where it cannot be opened.
 */
export async function keepInstallationKey({ pool, masterKeys }: VaultParts, purpose: Purpose): Promise<Buffer> {
  const found = await find(pool, purpose);
  if (found !== undefined) return openStored(masterKeys, found);
  await inTransaction(pool, async (sql) => {
    const place: SealedPlace = { workspaceId: "", secretId: "", name: purpose, version: 1 };
    const sealed = seal(await holdMasterKey(sql, masterKeys), place, randomBytes(32));
    // Of two that make it one is first, and both use what that one made.
    await sql.query(
      `insert into tandem.installation_keys (purpose, master_key_id, data_key, sealed, sealed_under)
       values ($1::text, $2::text, $3::bytea, $4::bytea, $5::text) on conflict (purpose) do nothing`,
      [purpose, sealed.masterKeyId, sealed.dataKey, sealed.sealed, sealed.sealedUnder],
    );
  });
  const made = await find(pool, purpose);
  if (made === undefined) throw new Error(`The installation's key for ${purpose} was not kept.`);
  return openStored(masterKeys, made);
}

async function find(sql: Sql, purpose: Purpose): Promise<StoredValue | undefined> {
  const { rows } = await sql.query<StoredValue>(
    `select ${installationKeyPlace} as place, ${sealedColumns} from tandem.installation_keys v where v.purpose = $1::text`,
    [purpose],
  );
  return rows[0];
}
