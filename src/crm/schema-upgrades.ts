import { identifier, inTransaction, type Sql, type SqlPool } from "../sql.ts";
import { createIndexSql, qualified, requiredSql, type Table } from "./ddl.ts";
import { describeObject, indexesOf, schemaVersion, type ObjectRow } from "./schema.ts";
import { standardObjects } from "./standard-objects.ts";

interface Place {
  readonly id: string;
  readonly schemaName: string;
}

/** What brings a workspace's schema from the version of its place in this list to the next. */
const upgrades: ReadonlyArray<(sql: Sql, workspace: Place) => Promise<void>> = [describeTables];

/**
 * Brings the schema of every workspace to the version of those that are made now, each in a transaction
 * of its own. Where all are, that is one question, however many there are. May run twice at once, and
 * may be killed at any line.
 */
export async function upgradeSchemas(pool: SqlPool): Promise<number> {
  const { rows } = await pool.query<Place>(
    `select id, schema_name as "schemaName" from tandem.workspaces where schema_version < $1 order by id`,
    [schemaVersion],
  );
  for (const workspace of rows) await inTransaction(pool, (sql) => upgrade(sql, workspace));
  return rows.length;
}

async function upgrade(sql: Sql, workspace: Place): Promise<void> {
  // It may take longer than a session may be idle in a transaction: nothing else is done in this one.
  await sql.query("set local idle_in_transaction_session_timeout = 0");
  const { rows } = await sql.query<{ version: number }>(
    "select schema_version as version from tandem.workspaces where id = $1::uuid for update",
    [workspace.id],
  );
  const version = rows[0]?.version ?? schemaVersion;
  for (const step of upgrades.slice(version)) await step(sql, workspace);
  await sql.query(
    "update tandem.workspaces set schema_version = $2, metadata_version = metadata_version + 1 where id = $1::uuid",
    [workspace.id, schemaVersion],
  );
}

/**
 * To 1: constraints and indexes are named for what they are for, numbers are exact, and the metadata says
 * what is searched, what relations are seen as from the other side, and what tells duplicates.
 */
async function describeTables(sql: Sql, workspace: Place): Promise<void> {
  for (const object of standardObjects.map(describeObject)) {
    const table: Table = { schemaName: workspace.schemaName, tableName: object.tableName };
    await dropIndexes(sql, table);
    await sql.query(tableChanges(table, object).join(";\n"));
    await describeMetadata(sql, workspace, object);
  }
}

async function dropIndexes(sql: Sql, { schemaName, tableName }: Table): Promise<void> {
  const { rows } = await sql.query<{ name: string }>(
    `select c.relname as name from pg_index i join pg_class c on c.oid = i.indexrelid where i.indrelid = $1::regclass and not i.indisprimary`,
    [qualified({ schemaName, tableName })],
  );
  for (const { name } of rows) await sql.query(`drop index ${identifier(schemaName)}.${identifier(name)}`);
}

function tableChanges(table: Table, object: ObjectRow): string[] {
  const alter = `alter table ${qualified(table)}`;
  return [
    ...object.fields.flatMap((field) => {
      const column = identifier(field.columnName);
      // By its text: a double becomes numeric with 15 digits, and has up to 17.
      if (field.type === "NUMBER")
        return [`${alter} alter column ${column} type numeric using ${column}::text::numeric`];
      return field.required ? [`${alter} alter column ${column} drop not null, add ${requiredSql(table, field)}`] : [];
    }),
    `create index on ${qualified(table)} (created_at, id) where deleted_at is null`,
    ...indexesOf(table, object).map((index) => createIndexSql(table, index)),
  ];
}

async function describeMetadata(sql: Sql, workspace: Place, object: ObjectRow): Promise<void> {
  const { rows } = await sql.query<{ id: string }>(
    "update tandem.objects set duplicate_criteria = $3 where workspace_id = $1::uuid and name = $2 returning id",
    [workspace.id, object.name, JSON.stringify(object.duplicateCriteria ?? [])],
  );
  const id = rows[0]?.id ?? null;
  await sql.query(
    `update tandem.fields f set label = n.label, settings = n.settings, is_indexed = n.indexed, is_searchable = n.searchable
     from jsonb_to_recordset($2::jsonb) as n(name text, label text, settings jsonb, indexed boolean, searchable boolean)
     where f.object_id = $1::uuid and f.name = n.name and f.standard`,
    [id, JSON.stringify(object.fields)],
  );
  for (const { id: indexId, name, parts, isUnique } of object.indexes) {
    const named = parts.map(({ fieldId, subField }) => ({
      name: object.fields.find((field) => field.id === fieldId)?.name ?? "",
      subField,
    }));
    await sql.query(
      `insert into tandem.indexes (id, object_id, name, parts, is_unique, standard, state)
       select $1, $2, $3, (select jsonb_agg(jsonb_build_object('fieldId', f.id, 'subField', u.part -> 'subField') order by u.position)
         from jsonb_array_elements($4::jsonb) with ordinality u(part, position)
         join tandem.fields f on f.object_id = $2::uuid and f.name = u.part ->> 'name'), $5, true, 'active'`,
      [indexId, id, name, JSON.stringify(named), isUnique],
    );
  }
}
