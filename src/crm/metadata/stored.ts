import { z } from "zod";
import { ProblemError } from "../../errors.ts";
import type { Json, JsonObject } from "../../json.ts";
import type { Sql, SqlPool } from "../../sql.ts";
import type { Workspace } from "../../workspace.ts";
import type { IndexPart, Table, TableField } from "../ddl.ts";
import { fieldTypes, type FieldType } from "../field-types.ts";
import { baseFields } from "../objects.ts";

/** Where the metadata changes. */
export interface Metadata {
  readonly pool: SqlPool;
  readonly workspace: Workspace;
}

const jsonObject = z.record(z.string(), z.json()) as z.ZodType<JsonObject>;

/** What is to be brought about for a field; null of a key: nothing. */
const wanted = z.object({
  required: z.boolean().optional(),
  unique: z.boolean().optional(),
  indexed: z.boolean().optional(),
  searchable: z.boolean().optional(),
  /** A new relation's foreign key. */
  related: z.literal(true).optional(),
  /** What it is afterwards. */
  state: z.enum(["active", "inactive", "removed"]).optional(),
});
export type Wanted = z.output<typeof wanted>;

const failure = z.object({ code: z.string(), message: z.string(), rows: z.array(z.string()).optional() });
/** Why something wanted was given up; `rows`: ids of records that stand against it, ten at most. */
export type Failure = z.output<typeof failure>;

const storedField = z.object({
  id: z.string(),
  name: z.string(),
  label: z.string(),
  description: z.string().nullable(),
  icon: z.string().nullable(),
  type: z.enum(Object.keys(fieldTypes) as [FieldType, ...FieldType[]]),
  columnName: z.string(),
  settings: jsonObject,
  defaultValue: z.json() as z.ZodType<Json>,
  required: z.boolean(),
  unique: z.boolean(),
  indexed: z.boolean(),
  searchable: z.boolean(),
  standard: z.boolean(),
  position: z.int(),
  state: z.enum(["building", "active", "inactive", "removed"]),
  wanted: wanted.nullable(),
  failure: failure.nullable(),
});
/** A field as the metadata has it, whatever its state. */
export type StoredField = z.output<typeof storedField>;

const part = z.union([
  z.object({ fieldId: z.string(), subField: z.string().nullable() }),
  z.object({ base: z.string(), subField: z.string().nullable() }),
]);
const storedIndex = z.object({
  id: z.string(),
  name: z.string(),
  parts: z.array(part),
  unique: z.boolean(),
  standard: z.boolean(),
  state: z.enum(["building", "active", "failed", "removed"]),
  failure: failure.nullable(),
});
/** An index over several fields, as the metadata has it. */
export type StoredIndex = z.output<typeof storedIndex>;

const storedObject = z.object({
  id: z.string(),
  name: z.string(),
  plural: z.string(),
  label: z.string(),
  labelPlural: z.string(),
  description: z.string().nullable(),
  icon: z.string().nullable(),
  tableName: z.string(),
  duplicateCriteria: z.array(z.array(z.string())),
  standard: z.boolean(),
  state: z.enum(["active", "inactive", "removed"]),
  fields: z.array(storedField),
  indexes: z.array(storedIndex),
});
/** An object as the metadata has it, whatever its state. */
export type StoredObject = z.output<typeof storedObject>;

const text = `select o.id, o.name, o.plural, o.label, o.label_plural as "labelPlural", o.description, o.icon, o.table_name as "tableName",
    o.duplicate_criteria as "duplicateCriteria", o.standard, o.state,
    coalesce((select jsonb_agg(jsonb_build_object('id', f.id, 'name', f.name, 'label', f.label, 'description', f.description, 'icon', f.icon,
        'type', f.type, 'columnName', f.column_name, 'settings', f.settings, 'defaultValue', f.default_value, 'required', f.required,
        'unique', f.is_unique, 'indexed', f.is_indexed, 'searchable', f.is_searchable, 'standard', f.standard, 'position', f.position,
        'state', f.state, 'wanted', f.wanted, 'failure', f.failure) order by f.position, f.id)
      from tandem.fields f where f.object_id = o.id), '[]'::jsonb) as fields,
    coalesce((select jsonb_agg(jsonb_build_object('id', i.id, 'name', i.name, 'parts', i.parts, 'unique', i.is_unique, 'standard', i.standard,
        'state', i.state, 'failure', i.failure) order by i.created_at, i.id)
      from tandem.indexes i where i.object_id = o.id), '[]'::jsonb) as indexes
  from tandem.objects o`;

/** Every object that was not removed, in the order of their making. */
export async function listStored(sql: Sql, workspace: Pick<Workspace, "id">): Promise<StoredObject[]> {
  const { rows } = await sql.query(`${text} where o.workspace_id = $1::uuid and o.state <> 'removed' order by o.id`, [
    workspace.id,
  ]);
  return z.array(storedObject).parse(rows);
}

/**
 * Waits until nobody else changes the workspace's metadata, for the rest of the transaction: names that
 * are free and objects that are pointed to stay so. Not by a lock on the workspace's row, behind which
 * runs would wait.
 */
export async function lockMetadata(sql: Sql, { id }: Pick<Workspace, "id">): Promise<void> {
  await sql.query("select pg_advisory_xact_lock(hashtextextended('metadata ' || $1::text, 0))", [id]);
}

/** All objects and the one by its id as they are while nobody else changes them. Throws a 404. */
export async function lockObject(
  sql: Sql,
  workspace: Pick<Workspace, "id">,
  id: string,
): Promise<{ all: StoredObject[]; object: StoredObject }> {
  await lockMetadata(sql, workspace);
  await sql.query("select 1 from tandem.objects where id = $1::uuid for update", [id]);
  const all = await listStored(sql, workspace);
  const object = all.find((each) => each.id === id);
  if (object === undefined) throw new ProblemError(404, "object-not-found", "The object is gone.");
  return { all, object };
}

/** An object by its id, also a removed one. */
export async function findStored(sql: Sql, objectId: string): Promise<StoredObject | undefined> {
  const { rows } = await sql.query(`${text} where o.id = $1::uuid`, [objectId]);
  return z.array(storedObject).parse(rows)[0];
}

/** Where the object's records are. */
export function tableOf({ schemaName }: Pick<Workspace, "schemaName">, { tableName }: StoredObject): Table {
  return { schemaName, tableName };
}

/** An index's fields as its table sees them; undefined when one of them is gone. */
export function partsOf({ fields }: StoredObject, { parts }: StoredIndex): IndexPart[] | undefined {
  const found = parts.flatMap((each): IndexPart[] => {
    const field = "base" in each ? baseField(each.base) : fields.find(({ id }) => id === each.fieldId);
    return field === undefined ? [] : [{ field, subField: each.subField }];
  });
  return found.length === parts.length ? found : undefined;
}

/** One of the fields that every object has, as its table sees it. */
export function baseField(name: string): TableField | undefined {
  const found = baseFields.find((field) => field.name === name);
  if (found === undefined) return undefined;
  return { type: found.type, columnName: found.column, settings: {}, defaultValue: null, required: false };
}

/** Another version of the metadata: every process reads it again. */
export async function raiseVersion(sql: Sql, workspace: Pick<Workspace, "id">): Promise<void> {
  await sql.query("update tandem.workspaces set metadata_version = metadata_version + 1 where id = $1::uuid", [
    workspace.id,
  ]);
}

/** An index's fields as the API names them. */
export function namesOf({ fields }: StoredObject, { parts }: Pick<StoredIndex, "parts">): string[] {
  return parts.map((part) => {
    const name = "base" in part ? part.base : (fields.find(({ id }) => id === part.fieldId)?.name ?? "");
    return part.subField === null ? name : `${name}.${part.subField}`;
  });
}
