import { createId } from "../ids.ts";
import { textOf, type Json } from "../json.ts";
import { identifier, literal, type Sql } from "../sql.ts";
import type { Workspace } from "../workspace.ts";
import { fieldTypes, type FieldTypeInfo } from "./field-types.ts";
import { uniqueExpression } from "./normalize.ts";
import { baseFields, comparesOf } from "./objects.ts";
import { standardObjects, type FieldDefinition, type ObjectDefinition } from "./standard-objects.ts";

/** Makes a workspace's schema with the standard objects. Run it in a transaction. */
export async function createWorkspaceSchema(sql: Sql, workspace: Pick<Workspace, "id" | "schemaName">): Promise<void> {
  await sql.query(`create schema ${identifier(workspace.schemaName)}`);
  for (const object of standardObjects) await createObject(sql, workspace, object, { standard: true });
}

/** Makes an object: its metadata and its table, from the same description. Run it in a transaction. */
export async function createObject(
  sql: Sql,
  workspace: Pick<Workspace, "id" | "schemaName">,
  object: ObjectDefinition,
  { standard }: { standard: boolean },
): Promise<void> {
  const tableName = snakeCase(object.name);
  const objectId = createId();
  await sql.query(
    `insert into tandem.objects (id, workspace_id, name, plural, label, label_plural, table_name, standard) values ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [objectId, workspace.id, object.name, object.plural, object.label, object.labelPlural, tableName, standard],
  );
  for (const [position, field] of object.fields.entries()) {
    await sql.query(
      `insert into tandem.fields (id, object_id, name, label, type, column_name, settings, default_value, required, is_unique, standard, position)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
      [
        createId(),
        objectId,
        field.name,
        field.label,
        field.type,
        snakeCase(field.name),
        JSON.stringify(field.settings ?? {}),
        JSON.stringify(field.defaultValue ?? null),
        field.required ?? false,
        field.unique ?? false,
        standard,
        position,
      ],
    );
  }
  await createObjectTable(sql, workspace.schemaName, object);
}

/** The table of an object: a column a field, indexes for what is unique, followed, or looked up by name. */
async function createObjectTable(sql: Sql, schemaName: string, object: ObjectDefinition): Promise<void> {
  const schema = identifier(schemaName);
  const table = `${schema}.${identifier(snakeCase(object.name))}`;
  const base = baseFields.map(
    ({ column, type }) => `${column} ${fieldTypes[type].column}${baseDefaults[column] ?? ""}`,
  );
  const own = object.fields.map((field) => columnDefinition(schema, field));
  await sql.query(`create table ${table} (id uuid primary key, ${[...base, ...own].join(", ")})`);
  await sql.query(`create index on ${table} (created_at, id) where deleted_at is null`);
  for (const field of object.fields) {
    const index = indexOf(field);
    if (index !== undefined) await sql.query(index(table));
  }
  if (object.uniqueTogether !== undefined) {
    const columns = object.uniqueTogether.map((name) => identifier(snakeCase(name))).join(", ");
    await sql.query(`create unique index on ${table} (${columns}) nulls not distinct where deleted_at is null`);
  }
}

/** The statement that makes a field's index, where it needs one. */
function indexOf(field: FieldDefinition): ((table: string) => string) | undefined {
  const column = identifier(snakeCase(field.name));
  if (field.unique === true) {
    const expression = uniqueExpression({ column, info: fieldTypes[field.type], compares: comparesOf(field) });
    return (table) => `create unique index on ${table} ((${expression})) where deleted_at is null`;
  }
  if (field.type === "RELATION") return (table) => `create index on ${table} (${column})`;
  // A name may be longer than a b-tree takes; a hash index finds it all the same.
  if (field.type === "TEXT" && field.name === "name")
    return (table) => `create index on ${table} using hash (${column}) where deleted_at is null`;
  return undefined;
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
export function snakeCase(name: string): string {
  return name.replace(/([a-z0-9])([A-Z])/g, "$1_$2").toLowerCase();
}
