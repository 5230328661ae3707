import { inTransaction, type Sql, type SqlPool } from "../sql.ts";
import { rewrap, type Sealed, type SealedPlace } from "./envelope.ts";
import type { MasterKey } from "./master-key.ts";
import { holdMasterKey, setMasterKeyId, type MasterKeys } from "./master-keys.ts";
import { sealedTables, type SealedTable } from "./sealed-tables.ts";
import type { VaultParts } from "./secret-values.ts";

/** Rows in one transaction: whoever wants to write one of them waits no longer than that. */
const batch = 50;

/** What was sealed anew, and what could not be. */
export interface Rotated {
  readonly rewrapped: number;
  /** Places that do not open: they were changed in the database. They stay as they are. */
  readonly unreadable: readonly SealedPlace[];
}

/**
 * Lets everything be sealed with `to` from now on, and seals with it what was sealed with another key; the
 * values themselves are not opened. Others read and write meanwhile. May be killed anywhere and begun again:
 * what is done stays done. Throws an Error where a key that something is sealed with is not there.
 */
export async function rotateMasterKey({ pool, masterKeys }: VaultParts, to: MasterKey): Promise<Rotated> {
  await inTransaction(pool, async (sql) => {
    // Whoever seals with the key before has the lock until that is committed: afterwards nobody does.
    await holdMasterKey(sql, masterKeys);
    await setMasterKeyId(sql, to.id);
  });
  let rewrapped = 0;
  const unreadable: SealedPlace[] = [];
  for (const table of sealedTables) {
    const done = await rotateTable({ pool, masterKeys }, table, to);
    rewrapped += done.rewrapped;
    unreadable.push(...done.unreadable);
  }
  return { rewrapped, unreadable };
}

async function rotateTable(
  { pool, masterKeys }: VaultParts,
  table: SealedTable,
  to: MasterKey,
): Promise<{ rewrapped: number; unreadable: SealedPlace[] }> {
  const left = new Map<string, SealedPlace>();
  let rewrapped = 0;
  for (;;) {
    const found = await rotateBatch({ pool, masterKeys }, { table, to, except: [...left.keys()] });
    for (const { row, place } of found.unreadable) left.set(row, place);
    rewrapped += found.rewrapped;
    if (found.rewrapped + found.unreadable.length === 0) return { rewrapped, unreadable: [...left.values()] };
  }
}

interface SealedRow extends Pick<Sealed, "masterKeyId" | "dataKey"> {
  readonly row: string;
  readonly place: SealedPlace;
}

async function rotateBatch(
  { pool, masterKeys }: { pool: SqlPool; masterKeys: MasterKeys },
  { table, to, except }: { table: SealedTable; to: MasterKey; except: readonly string[] },
): Promise<{ rewrapped: number; unreadable: SealedRow[] }> {
  return inTransaction(pool, async (sql) => {
    const { rows } = await sql.query<SealedRow>(
      `select v.ctid::text as row, ${table.place} as place, v.master_key_id as "masterKeyId", v.data_key as "dataKey"
       from ${table.from} where v.master_key_id <> $1::text and not v.ctid = any ($2::tid[])
       limit ${batch} for update of v`,
      [to.id, except],
    );
    const unreadable: SealedRow[] = [];
    for (const row of rows) if (!(await rotateRow(sql, { masterKeys, table, to, row }))) unreadable.push(row);
    return { rewrapped: rows.length - unreadable.length, unreadable };
  });
}

/** False: it does not open. */
async function rotateRow(
  sql: Sql,
  { masterKeys, table, to, row }: { masterKeys: MasterKeys; table: SealedTable; to: MasterKey; row: SealedRow },
): Promise<boolean> {
  const from = await masterKeys.find(row.masterKeyId);
  if (from === undefined)
    throw new Error(
      `Values are sealed with the master key ${row.masterKeyId}, which is not there. Put it into MASTER_KEY_PREVIOUS.`,
    );
  const anew = tryRewrap({ from, to }, row);
  if (anew === undefined) return false;
  await sql.query(`update ${table.name} set master_key_id = $2::text, data_key = $3::bytea where ctid = $1::tid`, [
    row.row,
    anew.masterKeyId,
    anew.dataKey,
  ]);
  return true;
}

function tryRewrap(keys: { from: MasterKey; to: MasterKey }, { place, ...wrapped }: SealedRow) {
  try {
    return rewrap(keys, place, wrapped);
  } catch {
    return undefined;
  }
}
