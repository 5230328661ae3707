import { createId } from "../ids.ts";
import { textOf, type Json } from "../json.ts";
import { identifier, literal, type Sql } from "../sql.ts";
import type { Workspace } from "../workspace.ts";
import { fieldTypes, type FieldTypeInfo } from "./field-types.ts";
import { uniqueExpression } from "./normalize.ts";
import { baseFields, comparesOf } from "./objects.ts";
import { standardObjects, type FieldDefinition, type ObjectDefinition } from "./standard-objects.ts";

type Place = Pick<Workspace, "id" | "schemaName">;

/**
 * Makes a workspace's schema with the standard objects. Run it in a transaction; it takes three trips,
 * since Postgres ends a transaction whose client is long in between.
 */
export async function createWorkspaceSchema(sql: Sql, workspace: Place): Promise<void> {
  await sql.query(`create schema ${identifier(workspace.schemaName)}`);
  await createObjects(sql, workspace, { definitions: standardObjects, standard: true });
}

/** Makes objects, referred-to ones first: their metadata and their tables, from the same description. */
async function createObjects(
  sql: Sql,
  workspace: Place,
  { definitions, standard }: { definitions: readonly ObjectDefinition[]; standard: boolean },
): Promise<void> {
  const objects = definitions.map(({ name, plural, label, labelPlural, fields }) => ({
    id: createId(),
    name,
    plural,
    label,
    labelPlural,
    tableName: snakeCase(name),
    fields: fields.map((field) => ({
      settings: {},
      defaultValue: null,
      required: false,
      unique: false,
      ...field,
      id: createId(),
      columnName: snakeCase(field.name),
    })),
  }));
  await sql.query(
    `with o as (select * from jsonb_to_recordset($1::jsonb) as o(id uuid, name text, plural text, label text, "labelPlural" text, "tableName" text, fields jsonb)),
       made as (insert into tandem.objects (id, workspace_id, name, plural, label, label_plural, table_name, standard)
         select o.id, $2::uuid, o.name, o.plural, o.label, o."labelPlural", o."tableName", $3::boolean from o)
     insert into tandem.fields (id, object_id, name, label, type, column_name, settings, default_value, required, is_unique, standard, position)
     select (f.field ->> 'id')::uuid, o.id, f.field ->> 'name', f.field ->> 'label', f.field ->> 'type', f.field ->> 'columnName', f.field -> 'settings',
       f.field -> 'defaultValue', (f.field ->> 'required')::boolean, (f.field ->> 'unique')::boolean, $3::boolean, f.position - 1
     from o, jsonb_array_elements(o.fields) with ordinality as f(field, position)`,
    [JSON.stringify(objects), workspace.id, standard],
  );
  await sql.query(definitions.flatMap((object) => createObjectTable(workspace.schemaName, object)).join(";\n"));
}

/** SQL: the table of an object, a column a field, with indexes for what is unique, followed, or looked up by name. */
function createObjectTable(schemaName: string, object: ObjectDefinition): string[] {
  const schema = identifier(schemaName);
  const table = `${schema}.${identifier(snakeCase(object.name))}`;
  const base = baseFields.map(
    ({ column, type }) => `${column} ${fieldTypes[type].column}${baseDefaults[column] ?? ""}`,
  );
  const own = object.fields.map((field) => columnDefinition(schema, field));
  const together = (object.uniqueTogether ?? []).map((name) => identifier(snakeCase(name)));
  return [
    `create table ${table} (id uuid primary key, ${[...base, ...own].join(", ")})`,
    `create index on ${table} (created_at, id) where deleted_at is null`,
    ...object.fields.flatMap((field) => createIndex(table, field)),
    ...(together.length === 0
      ? []
      : [`create unique index on ${table} (${together.join(", ")}) nulls not distinct where deleted_at is null`]),
  ];
}

/** SQL: a field's index, where it needs one. */
function createIndex(table: string, field: FieldDefinition): string[] {
  const column = identifier(snakeCase(field.name));
  if (field.unique === true) {
    const expression = uniqueExpression({ column, info: fieldTypes[field.type], compares: comparesOf(field) });
    return [`create unique index on ${table} ((${expression})) where deleted_at is null`];
  }
  if (field.type === "RELATION") return [`create index on ${table} (${column})`];
  // A name may be longer than a b-tree takes; a hash index finds it all the same.
  if (field.type === "TEXT" && field.name === "name")
    return [`create index on ${table} using hash (${column}) where deleted_at is null`];
  return [];
}

const baseDefaults: Readonly<Record<string, string>> = {
  created_at: " not null default clock_timestamp()",
  updated_at: " not null default clock_timestamp()",
  position: " not null default 0",
  created_by: ` not null default '{}'::jsonb`,
  updated_by: ` not null default '{}'::jsonb`,
};

function columnDefinition(schema: string, field: FieldDefinition): string {
  const info: FieldTypeInfo = fieldTypes[field.type];
  const column = identifier(snakeCase(field.name));
  const defaultValue = defaultOf(field);
  const parts = [column, info.column];
  if (defaultValue !== undefined) parts.push(`default ${defaultValue}`);
  if (info.comparesAs === "composite" || field.required === true) parts.push("not null");
  // What points to a destroyed record is changed by the statement that destroys it, with events; what that
  // statement could not see yet is refused here.
  if (field.type === "RELATION") {
    const target = identifier(snakeCase(textOf(field.settings?.["object"]) ?? ""));
    parts.push(`references ${schema}.${target} on delete no action`);
  }
  return parts.join(" ");
}

function defaultOf(field: FieldDefinition): string | undefined {
  const info: FieldTypeInfo = fieldTypes[field.type];
  if (info.comparesAs === "composite") return `${literal(JSON.stringify(info.empty))}::jsonb`;
  const value: Json = field.defaultValue ?? null;
  return value === null ? undefined : `${literal(textOf(value) ?? JSON.stringify(value))}::${info.column}`;
}

/** `bodyV2` → `body_v2`. */
function snakeCase(name: string): string {
  return name.replace(/([a-z0-9])([A-Z])/g, "$1_$2").toLowerCase();
}
