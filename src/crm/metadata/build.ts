import { setTimeout as sleep } from "node:timers/promises";
import { sqlState, type SqlPool } from "../../sql.ts";
import type { Workspace } from "../../workspace.ts";
import {
  fieldIndex,
  fieldsIndex,
  foreignKeySql,
  nameOf,
  requiredSql,
  searchIndex,
  uniqueIndex,
  type IndexDefinition,
  type Table,
} from "../ddl.ts";
import { BrokenRows, findDuplicates, findUnfilled } from "./broken-rows.ts";
import { addConstraint, dropConstraint, dropIndex, ensureIndex, listIndexes, validateConstraint } from "./live-ddl.ts";
import {
  findStored,
  partsOf,
  raiseVersion,
  tableOf,
  type Failure,
  type StoredField,
  type StoredIndex,
  type StoredObject,
  type Wanted,
} from "./stored.ts";
import { inTransaction } from "../../sql.ts";

/** Where the metadata changes. */
export interface Metadata {
  readonly pool: SqlPool;
  readonly workspace: Workspace;
}

const leaseSeconds = 30;

/**
 * Brings about what is wanted of an object's fields and indexes, while everybody goes on working with
 * it. One process at a time does: others wait for it. One that was killed leaves what is wanted, and a
 * lease that runs out; whoever comes next does what is left, and may do again what was done.
 */
export async function build(metadata: Metadata, objectId: string): Promise<void> {
  const { pool } = metadata;
  for (;;) {
    if (await claim(pool, objectId)) {
      await holding(pool, objectId, () => bringAbout(metadata, objectId));
      return;
    }
    if (!(await isWanting(pool, objectId))) return;
    await sleep(200);
  }
}

/** Objects of which something is wanted and which nobody works at. */
export async function listAbandoned(pool: SqlPool): Promise<Array<{ id: string; workspaceId: string }>> {
  const { rows } = await pool.query<{ id: string; workspaceId: string }>(
    `select o.id, o.workspace_id as "workspaceId" from tandem.objects o where (o.lease_until is null or o.lease_until < now()) and o.id in (
       select f.object_id from tandem.fields f where f.wanted is not null
       union all select i.object_id from tandem.indexes i where i.state in ('building', 'removed'))`,
  );
  return rows;
}

async function claim(pool: SqlPool, objectId: string): Promise<boolean> {
  const { rowCount } = await pool.query(
    `update tandem.objects set lease_until = now() + ${leaseSeconds} * interval '1 second'
     where id = $1::uuid and (lease_until is null or lease_until < now())`,
    [objectId],
  );
  return rowCount === 1;
}

async function holding(pool: SqlPool, objectId: string, work: () => Promise<void>): Promise<void> {
  const renew = setInterval(
    () => {
      pool
        .query(
          `update tandem.objects set lease_until = now() + ${leaseSeconds} * interval '1 second' where id = $1::uuid`,
          [objectId],
        )
        .catch(() => {});
    },
    (leaseSeconds * 1_000) / 3,
  );
  try {
    await work();
  } finally {
    clearInterval(renew);
    await pool.query("update tandem.objects set lease_until = null where id = $1::uuid", [objectId]);
  }
}

async function isWanting(pool: SqlPool, objectId: string): Promise<boolean> {
  const { rows } = await pool.query<{ wanting: boolean }>(
    `select exists (select 1 from tandem.fields where object_id = $1::uuid and wanted is not null)
       or exists (select 1 from tandem.indexes where object_id = $1::uuid and state in ('building', 'removed')) as wanting`,
    [objectId],
  );
  return rows[0]?.wanting === true;
}

/** Until nothing is wanted: others may add to it meanwhile. */
async function bringAbout(metadata: Metadata, objectId: string): Promise<void> {
  for (;;) {
    const object = await findStored(metadata.pool, objectId);
    const field = object?.fields.find(({ wanted }) => wanted !== null);
    const index = object?.indexes.find(({ state }) => state === "building" || state === "removed");
    if (object !== undefined && field?.wanted) await changeField({ ...metadata, object }, field, field.wanted);
    else if (object !== undefined && index !== undefined) await changeIndex({ ...metadata, object }, index);
    else return;
  }
}

interface Building extends Metadata {
  readonly object: StoredObject;
}

async function changeField(building: Building, field: StoredField, wanted: Wanted): Promise<void> {
  const { pool, workspace, object } = building;
  const table = tableOf(workspace, object);
  try {
    if (wanted.related === true) await relate(building, table, field);
    if (wanted.required !== undefined) await changeRequired(pool, table, { field, required: wanted.required });
    if (wanted.unique !== undefined) await changeUnique(pool, table, { field, unique: wanted.unique });
    if (wanted.indexed !== undefined)
      await changeIndexed(pool, table, { index: fieldIndex(table, field), indexed: wanted.indexed });
    // Before it is hidden: nobody says its value any more.
    if (wanted.state === "removed" && field.required)
      await dropConstraint(pool, table, nameOf(table.tableName, field.columnName, "required"));
  } catch (error) {
    if (!(error instanceof BrokenRows)) throw error;
    await giveUp(building, field, error.failure);
    return;
  }
  await changeSearched(building, table, { field, wanted });
}

async function relate({ pool, workspace }: Building, table: Table, field: StoredField): Promise<void> {
  const { rows } = await pool.query<{ tableName: string }>(
    `select table_name as "tableName" from tandem.objects where workspace_id = $1::uuid and name = $2 and state <> 'removed'`,
    [workspace.id, field.settings["object"]],
  );
  const [target] = rows;
  if (target === undefined) throw new Error(`The object that ${field.name} points to is gone.`);
  const name = nameOf(table.tableName, field.columnName, "fkey");
  await addConstraint(pool, table, { name, sql: foreignKeySql(table, field.columnName, target.tableName) });
  await validateConstraint(pool, table, name);
}

async function changeRequired(
  pool: SqlPool,
  table: Table,
  { field, required }: { field: StoredField; required: boolean },
): Promise<void> {
  const name = nameOf(table.tableName, field.columnName, "required");
  if (!required) return dropConstraint(pool, table, name);
  await addConstraint(pool, table, { name, sql: requiredSql(table, field) });
  try {
    await validateConstraint(pool, table, name);
  } catch (error) {
    if (sqlState(error)?.code !== "23514") throw error;
    await dropConstraint(pool, table, name);
    throw await findUnfilled(pool, table, field);
  }
}

async function changeUnique(
  pool: SqlPool,
  table: Table,
  { field, unique }: { field: StoredField; unique: boolean },
): Promise<void> {
  const index = uniqueIndex(table, field);
  if (!unique) return dropIndex(pool, table, index.name);
  await makeUnique(pool, table, { index, names: [field.name] });
}

async function makeUnique(
  pool: SqlPool,
  table: Table,
  { index, names }: { index: IndexDefinition; names: readonly string[] },
): Promise<void> {
  try {
    await ensureIndex(pool, table, index);
  } catch (error) {
    if (sqlState(error)?.code !== "23505") throw error;
    throw await findDuplicates(pool, table, { index, names });
  }
}

async function changeIndexed(
  pool: SqlPool,
  table: Table,
  { index, indexed }: { index: IndexDefinition; indexed: boolean },
): Promise<void> {
  if (indexed) await ensureIndex(pool, table, index);
  else await dropIndex(pool, table, index.name);
}

/** The index that search will look into is there before search looks, the other goes when it does not any more. */
async function changeSearched(
  building: Building,
  table: Table,
  { field, wanted }: { field: StoredField; wanted: Wanted },
): Promise<void> {
  const { pool, object } = building;
  const next = searchIndex(
    table,
    object.fields.filter((each) => isSearched(each, each.id === field.id ? wanted : {})),
  );
  if (next !== undefined) await ensureIndex(pool, table, next);
  await conclude(building, field, wanted);
  for (const name of await listIndexes(pool, table, "search"))
    if (name !== next?.name) await dropIndex(pool, table, name);
}

function isSearched(field: StoredField, wanted: Wanted): boolean {
  return stateAfter(field, wanted) === "active" && (wanted.searchable ?? field.searchable);
}

function stateAfter({ state, wanted: own }: StoredField, wanted: Wanted): StoredField["state"] {
  if (wanted.state !== undefined) return wanted.state;
  // What is still to be built is not searched before it is.
  return state === "building" && (own === null || own === wanted) ? "active" : state;
}

async function conclude({ pool, workspace }: Building, field: StoredField, wanted: Wanted): Promise<void> {
  await inTransaction(pool, async (sql) => {
    await sql.query(
      `update tandem.fields set required = coalesce($2::boolean, required), is_unique = coalesce($3::boolean, is_unique),
         is_indexed = coalesce($4::boolean, is_indexed), is_searchable = coalesce($5::boolean, is_searchable), state = $6::text,
         removed_at = case when $6::text = 'removed' then now() end, failure = null,
         -- What somebody else wanted of it meanwhile stays wanted.
         wanted = case when wanted = $7::jsonb then null else wanted end
       where id = $1::uuid`,
      [
        field.id,
        wanted.required ?? null,
        wanted.unique ?? null,
        wanted.indexed ?? null,
        wanted.searchable ?? null,
        stateAfter(field, wanted),
        JSON.stringify(wanted),
      ],
    );
    await raiseVersion(sql, workspace);
  });
}

async function giveUp({ pool }: Building, field: StoredField, failure: Failure): Promise<void> {
  await pool.query("update tandem.fields set wanted = null, failure = $2::jsonb where id = $1::uuid", [
    field.id,
    JSON.stringify(failure),
  ]);
}

async function changeIndex(building: Building, stored: StoredIndex): Promise<void> {
  const { pool, workspace, object } = building;
  const table = tableOf(workspace, object);
  if (stored.state === "removed") {
    await inTransaction(pool, async (sql) => {
      await sql.query("delete from tandem.indexes where id = $1::uuid", [stored.id]);
      await raiseVersion(sql, workspace);
    });
    return dropIndex(pool, table, stored.name);
  }
  const parts = partsOf(object, stored);
  if (parts === undefined) throw new Error(`A field of the index ${stored.name} is gone.`);
  const index = fieldsIndex(stored.name, parts, { unique: stored.unique });
  try {
    if (stored.unique) await makeUnique(pool, table, { index, names: namesOf(object, stored) });
    else await ensureIndex(pool, table, index);
  } catch (error) {
    if (!(error instanceof BrokenRows)) throw error;
    await pool.query("update tandem.indexes set state = 'failed', failure = $2::jsonb where id = $1::uuid", [
      stored.id,
      JSON.stringify(error.failure),
    ]);
    return;
  }
  await inTransaction(pool, async (sql) => {
    await sql.query("update tandem.indexes set state = 'active', failure = null where id = $1::uuid", [stored.id]);
    await raiseVersion(sql, workspace);
  });
}

/** An index's fields as the API names them. */
export function namesOf({ fields }: StoredObject, { parts }: Pick<StoredIndex, "parts">): string[] {
  return parts.map((part) => {
    const name = "base" in part ? part.base : (fields.find(({ id }) => id === part.fieldId)?.name ?? "");
    return part.subField === null ? name : `${name}.${part.subField}`;
  });
}
