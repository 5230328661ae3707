import { textOf } from "../../json.ts";
import { identifier, inTransaction, sqlState, type SqlPool } from "../../sql.ts";
import {
  fieldIndex,
  fieldsIndex,
  foreignKeySql,
  nameOf,
  oneOfName,
  oneOfSql,
  qualified,
  requiredSql,
  searchIndex,
  uniqueIndex,
  type IndexDefinition,
  type Table,
} from "../ddl.ts";
import { BrokenRows, findDuplicates, findUnfilled, lastingFailure } from "./broken-rows.ts";
import {
  addConstraint,
  changeTables,
  dropConstraint,
  dropIndex,
  ensureIndex,
  listIndexes,
  validateConstraint,
} from "./live-ddl.ts";
import {
  namesOf,
  partsOf,
  raiseVersion,
  tableOf,
  type Failure,
  type Metadata,
  type StoredField,
  type StoredIndex,
  type StoredObject,
  type Wanted,
} from "./stored.ts";

/** An object that is being changed. */
export interface Building extends Metadata {
  readonly object: StoredObject;
}

/** Brings about what is wanted of a field; each step may be done again. */
export async function changeField(building: Building, field: StoredField, wanted: Wanted): Promise<void> {
  const { pool, workspace, object } = building;
  const table = tableOf(workspace, object);
  const search = nextSearch(building, table, { field, wanted });
  try {
    if (wanted.related === true) await relate(building, table, field);
    if (wanted.required === true) await makeRequired(pool, table, field);
    if (wanted.unique === true)
      await makeUnique(pool, table, { index: uniqueIndex(table, field), names: [field.name] });
    if (wanted.indexed === true) await ensureIndex(pool, table, fieldIndex(table, field));
    if (search !== undefined) await ensureIndex(pool, table, search);
  } catch (error) {
    const failure = lastingFailure(error);
    if (failure === undefined) throw error;
    if (wanted.required === true) await makeOptional(pool, table, field);
    if (wanted.unique === true) await dropIndex(pool, table, uniqueIndex(table, field).name);
    if (wanted.indexed === true) await dropIndex(pool, table, fieldIndex(table, field).name);
    await giveUp(building, { field, wanted }, failure);
    return;
  }
  // What nothing stands against comes last: what was given up is as it was.
  const isRemoved = wanted.state === "removed";
  if (wanted.required === false || isRemoved) await makeOptional(pool, table, field);
  if (wanted.unique === false || isRemoved) await dropIndex(pool, table, uniqueIndex(table, field).name);
  if (wanted.indexed === false) await dropIndex(pool, table, fieldIndex(table, field).name);
  if (isRemoved) await leaveGroup(building, table, field);
  await conclude(building, field, wanted);
  for (const name of await listIndexes(pool, table, "search"))
    if (name !== search?.name) await dropIndex(pool, table, name);
}

/** Of a relation to several objects: a value that nobody sees keeps no other from its place. */
async function leaveGroup({ pool, object }: Building, table: Table, field: StoredField): Promise<void> {
  const group = textOf(field.settings["oneOf"]);
  if (group === undefined) return;
  const others = object.fields.filter(
    ({ id, settings, state, wanted }) =>
      settings["oneOf"] === group && id !== field.id && state !== "removed" && wanted?.state !== "removed",
  );
  await changeTables(pool, async (sql) => {
    const drop = `drop constraint if exists ${identifier(oneOfName(table, group))}`;
    const columnNames = others.map(({ columnName }) => columnName);
    const add = others.length > 1 ? `, add ${oneOfSql(table, group, columnNames)}` : "";
    await sql.query(`alter table ${qualified(table)} ${drop}${add}`);
  });
}

async function relate({ pool, workspace }: Building, table: Table, field: StoredField): Promise<void> {
  const { rows } = await pool.query<{ tableName: string }>(
    `select table_name as "tableName" from tandem.objects where workspace_id = $1::uuid and name = $2 and state <> 'removed'`,
    [workspace.id, field.settings["object"]],
  );
  const [target] = rows;
  if (target === undefined)
    throw new BrokenRows({ code: "object-not-found", message: `The object that ${field.name} points to is gone.` });
  const name = nameOf(table.tableName, field.columnName, "fkey");
  await addConstraint(pool, table, { name, sql: foreignKeySql(table, field.columnName, target.tableName) });
  await validateConstraint(pool, table, name);
}

async function makeRequired(pool: SqlPool, table: Table, field: StoredField): Promise<void> {
  const name = nameOf(table.tableName, field.columnName, "required");
  await addConstraint(pool, table, { name, sql: requiredSql(table, field) });
  try {
    await validateConstraint(pool, table, name);
  } catch (error) {
    if (sqlState(error)?.code !== "23514") throw error;
    await makeOptional(pool, table, field);
    throw await findUnfilled(pool, table, field);
  }
}

async function makeOptional(pool: SqlPool, table: Table, { columnName }: StoredField): Promise<void> {
  await dropConstraint(pool, table, nameOf(table.tableName, columnName, "required"));
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

/** The index that search will look into: it is there before search looks, the other goes when it does not any more. */
function nextSearch(
  { object }: Building,
  table: Table,
  { field, wanted }: { field: StoredField; wanted: Wanted },
): IndexDefinition | undefined {
  return searchIndex(
    table,
    object.fields.filter((each) => isSearched(each, each.id === field.id ? wanted : {})),
  );
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

/** What somebody else wanted of it meanwhile stays wanted. */
async function giveUp(
  { pool }: Building,
  { field, wanted }: { field: StoredField; wanted: Wanted },
  failure: Failure,
): Promise<void> {
  await pool.query(
    `update tandem.fields set wanted = case when wanted = $3::jsonb then null else wanted end, failure = $2::jsonb where id = $1::uuid`,
    [field.id, JSON.stringify(failure), JSON.stringify(wanted)],
  );
}

/** Makes or drops an index over several fields. */
export async function changeIndex(building: Building, stored: StoredIndex): Promise<void> {
  const { pool, workspace, object } = building;
  const table = tableOf(workspace, object);
  if (stored.state === "removed") {
    // In this order: an index that nothing tells of would keep values unique for ever.
    await dropIndex(pool, table, stored.name);
    await inTransaction(pool, async (sql) => {
      await sql.query("delete from tandem.indexes where id = $1::uuid", [stored.id]);
      await raiseVersion(sql, workspace);
    });
    return;
  }
  try {
    const parts = partsOf(object, stored);
    if (parts === undefined)
      throw new BrokenRows({ code: "field-not-found", message: `A field of the index ${stored.name} is gone.` });
    const index = fieldsIndex(stored.name, parts, { unique: stored.unique });
    if (stored.unique) await makeUnique(pool, table, { index, names: namesOf(object, stored) });
    else await ensureIndex(pool, table, index);
  } catch (error) {
    const failure = lastingFailure(error);
    if (failure === undefined) throw error;
    // One that was removed meanwhile stays so.
    await pool.query(
      "update tandem.indexes set state = 'failed', failure = $2::jsonb where id = $1::uuid and state = 'building'",
      [stored.id, JSON.stringify(failure)],
    );
    return;
  }
  await inTransaction(pool, async (sql) => {
    await sql.query(
      "update tandem.indexes set state = 'active', failure = null where id = $1::uuid and state = 'building'",
      [stored.id],
    );
    await raiseVersion(sql, workspace);
  });
}
