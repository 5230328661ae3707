import { createId } from "../ids.ts";
import { textOf } from "../json.ts";
import { identifier, type Sql } from "../sql.ts";
import type { Workspace } from "../workspace.ts";
import {
  columnSql,
  createIndexSql,
  fieldIndex,
  fieldsIndex,
  foreignKeySql,
  nameOf,
  qualified,
  requiredSql,
  searchIndex,
  snakeCase,
  uniqueIndex,
  type IndexDefinition,
  type Table,
  type TableField,
} from "./ddl.ts";
import { fieldTypes } from "./field-types.ts";
import { baseFields } from "./objects.ts";
import { standardObjects, type FieldDefinition, type ObjectDefinition } from "./standard-objects.ts";

/** Of the schemas that are made now; `schema-upgrades.ts` brings older ones here. */
export const schemaVersion = 1;

type Place = Pick<Workspace, "id" | "schemaName">;

/**
 * Makes a workspace's schema with the standard objects. Run it in a transaction; it takes four trips,
 * since Postgres ends a transaction whose client is long in between.
 */
export async function createWorkspaceSchema(sql: Sql, workspace: Place): Promise<void> {
  await sql.query(`create schema ${identifier(workspace.schemaName)}`);
  await createObjects(sql, workspace, { definitions: standardObjects, standard: true });
  await sql.query("update tandem.workspaces set schema_version = $2 where id = $1::uuid", [
    workspace.id,
    schemaVersion,
  ]);
}

/** A definition with its ids and the names that its table has for it. */
export interface ObjectRow extends Omit<ObjectDefinition, "fields" | "indexes"> {
  readonly id: string;
  readonly tableName: string;
  readonly fields: readonly FieldRow[];
  readonly indexes: ReadonlyArray<{
    readonly id: string;
    readonly name: string;
    readonly parts: ReadonlyArray<{ readonly fieldId: string; readonly subField: string | null }>;
    readonly isUnique: boolean;
  }>;
}

type FieldRow = TableField & Required<FieldDefinition> & { readonly id: string };

/**
 * Makes objects, referred-to ones first: their metadata and their tables, from the same description.
 * Tables that are there already are not touched, so nobody waits for it.
 */
export async function createObjects(
  sql: Sql,
  workspace: Place,
  { definitions, standard }: { definitions: readonly ObjectDefinition[]; standard: boolean },
): Promise<void> {
  const objects = definitions.map(describeObject);
  await sql.query(
    `with o as (select * from jsonb_to_recordset($1::jsonb) as o(id uuid, name text, plural text, label text, "labelPlural" text,
         description text, icon text, "tableName" text, "duplicateCriteria" jsonb, fields jsonb, indexes jsonb)),
       made as (insert into tandem.objects (id, workspace_id, name, plural, label, label_plural, description, icon, table_name, duplicate_criteria, standard)
         select o.id, $2::uuid, o.name, o.plural, o.label, o."labelPlural", o.description, o.icon, o."tableName", o."duplicateCriteria", $3::boolean from o),
       indexed as (insert into tandem.indexes (id, object_id, name, parts, is_unique, standard, state)
         select (i.index ->> 'id')::uuid, o.id, i.index ->> 'name', i.index -> 'parts', (i.index ->> 'isUnique')::boolean, $3::boolean, 'active'
         from o, jsonb_array_elements(o.indexes) as i(index))
     insert into tandem.fields (id, object_id, name, label, description, icon, type, column_name, settings, default_value, required, is_unique,
       is_indexed, is_searchable, standard, position)
     select (f.field ->> 'id')::uuid, o.id, f.field ->> 'name', f.field ->> 'label', f.field ->> 'description', f.field ->> 'icon',
       f.field ->> 'type', f.field ->> 'columnName', f.field -> 'settings', f.field -> 'defaultValue', (f.field ->> 'required')::boolean,
       (f.field ->> 'unique')::boolean, (f.field ->> 'indexed')::boolean, (f.field ->> 'searchable')::boolean, $3::boolean, f.position - 1
     from o, jsonb_array_elements(o.fields) with ordinality as f(field, position)`,
    [JSON.stringify(objects), workspace.id, standard],
  );
  await sql.query(objects.flatMap((object) => tableSql(workspace.schemaName, object)).join(";\n"));
}

/** A definition with its ids and names. */
export function describeObject(definition: ObjectDefinition): ObjectRow {
  const tableName = definition.tableName ?? snakeCase(definition.name);
  const fields = definition.fields.map(describeField);
  const idOf = new Map(fields.map((field) => [field.name, field.id]));
  return {
    duplicateCriteria: [],
    ...definition,
    id: definition.id ?? createId(),
    tableName,
    fields,
    indexes: [
      ...(definition.uniqueTogether ?? []).map((paths) => ({ paths, isUnique: true })),
      ...(definition.indexes ?? []).map((paths) => ({ paths, isUnique: false })),
    ].map(({ paths, isUnique }) => ({
      id: createId(),
      name: nameOf(
        tableName,
        paths.map((path) => snakeCase(path.replace(".", "_"))).join("_"),
        isUnique ? "key" : "idx",
      ),
      parts: paths.map((path) => {
        const [name = "", subField = null] = path.split(".");
        return { fieldId: idOf.get(name) ?? "", subField };
      }),
      isUnique,
    })),
  };
}

function describeField(field: FieldDefinition): FieldRow {
  return {
    description: null,
    icon: null,
    settings: {},
    defaultValue: null,
    required: false,
    unique: false,
    searchable: false,
    columnName: snakeCase(field.name),
    ...field,
    // What points elsewhere is followed from there.
    indexed: field.indexed === true || field.type === "RELATION",
    id: createId(),
  };
}

/** SQL: the table of an object, a column a field, with its constraints and indexes. */
function tableSql(schemaName: string, object: ObjectRow): string[] {
  const table: Table = { schemaName, tableName: object.tableName };
  const { fields } = object;
  const base = baseFields.map(
    ({ column, type }) => `${column} ${fieldTypes[type].column}${baseDefaults[column] ?? ""}`,
  );
  const constraints = fields.flatMap((field) => [
    ...(field.required ? [requiredSql(table, field)] : []),
    ...(field.type === "RELATION" ? [foreignKeySql(table, field.columnName, targetTable(field))] : []),
  ]);
  return [
    `create table ${qualified(table)} (id uuid primary key, ${[...base, ...fields.map(columnSql), ...constraints].join(", ")})`,
    `create index on ${qualified(table)} (created_at, id) where deleted_at is null`,
    ...indexesOf(table, object).map((index) => createIndexSql(table, index)),
  ];
}

/** Every index that an object's table has besides those of every table. */
export function indexesOf(table: Table, { fields, indexes }: ObjectRow): IndexDefinition[] {
  const byId = new Map(fields.map((field) => [field.id, field]));
  const several = indexes.map(({ name, parts, isUnique }) => {
    const known = parts.flatMap(({ fieldId, subField }) => {
      const field = byId.get(fieldId);
      return field === undefined ? [] : [{ field, subField }];
    });
    return fieldsIndex(name, known, { unique: isUnique });
  });
  const search = searchIndex(
    table,
    fields.filter((field) => field.searchable),
  );
  return [
    ...fields.filter((field) => field.unique).map((field) => uniqueIndex(table, field)),
    ...fields.filter((field) => field.indexed && !field.unique).map((field) => fieldIndex(table, field)),
    ...several,
    ...(search === undefined ? [] : [search]),
  ];
}

/** Objects that are made together name each other's tables by their names. */
function targetTable({ settings }: TableField): string {
  return snakeCase(textOf(settings["object"]) ?? "");
}

const baseDefaults: Readonly<Record<string, string>> = {
  created_at: " not null default clock_timestamp()",
  updated_at: " not null default clock_timestamp()",
  position: " not null default 0",
  created_by: ` not null default '{}'::jsonb`,
  updated_by: ` not null default '{}'::jsonb`,
};
