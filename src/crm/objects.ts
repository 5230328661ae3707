import { z } from "zod";
import { fieldTypes, type FieldType, type FieldTypeInfo, type Reading } from "./field-types.ts";
import { textOf, type Json, type JsonObject } from "../json.ts";
import { identifier, type Sql } from "../sql.ts";
import type { Workspace } from "../workspace.ts";

/** Who makes a change: what `createdBy` and `updatedBy` of a record say. */
export interface Actor {
  readonly source: "API" | "WORKFLOW" | "SYSTEM" | "MANUAL" | "IMPORT" | "WEBHOOK" | "EMAIL" | "CALENDAR";
  readonly name: string;
  readonly workspaceMemberId?: string | null;
}

/** The run that makes a change; null where no run does. Events carry it (DESIGN.md §4, Loops). */
export interface Origin {
  readonly runId: string;
  readonly workflowId: string;
  readonly depth: number;
}

export interface CrmField {
  /** As the API names it; of a relation the name of the key: `companyId`. */
  readonly name: string;
  readonly label: string;
  readonly type: FieldType;
  readonly info: FieldTypeInfo;
  /** Quoted column. */
  readonly column: string;
  readonly settings: JsonObject;
  /** What its values are read by. */
  readonly reading: Reading;
  readonly defaultValue: Json;
  readonly required: boolean;
  readonly unique: boolean;
  /** Of a relation: the object it points to, and the name without `Id` that paths follow. */
  readonly relation?: {
    readonly object: string;
    readonly name: string;
    /** Whether the record goes with the one it points to when that is destroyed; else the field is cleared. */
    readonly cascades: boolean;
  };
  /** How text of it is compared: e-mails without case, domains normalised. */
  readonly compares: "exactly" | "without-case" | "as-domain";
}

export interface CrmObject {
  readonly id: string;
  readonly name: string;
  readonly plural: string;
  readonly label: string;
  readonly labelPlural: string;
  /** Schema-qualified and quoted. */
  readonly table: string;
  /** The workspace's IANA zone. */
  readonly timeZone: string;
  /** Its own fields and the ones every object has, in order. */
  readonly fields: readonly CrmField[];
  field(name: string): CrmField | undefined;
  /** The relation that a path follows by this name: `company`. */
  relation(name: string): CrmField | undefined;
}

export interface Objects {
  readonly version: number;
  list(): readonly CrmObject[];
  find(name: string): CrmObject | undefined;
  findByPlural(plural: string): CrmObject | undefined;
}

/** Fields that every object has. Only `position` is written by callers. */
export const baseFields = [
  { name: "createdAt", label: "Created at", type: "DATE_TIME", column: "created_at" },
  { name: "updatedAt", label: "Updated at", type: "DATE_TIME", column: "updated_at" },
  { name: "deletedAt", label: "Deleted at", type: "DATE_TIME", column: "deleted_at" },
  { name: "position", label: "Position", type: "POSITION", column: "position" },
  { name: "createdBy", label: "Created by", type: "ACTOR", column: "created_by" },
  { name: "updatedBy", label: "Updated by", type: "ACTOR", column: "updated_by" },
] as const;

/** Fields that the CRM itself sets. */
export const systemFields: ReadonlySet<string> = new Set([
  "id",
  "createdAt",
  "updatedAt",
  "deletedAt",
  "createdBy",
  "updatedBy",
]);

const optionsSchema = z.array(z.object({ value: z.string(), label: z.string() })).catch([]);
const fieldRow = z.object({
  name: z.string(),
  label: z.string(),
  type: z.enum(Object.keys(fieldTypes) as [FieldType, ...FieldType[]]),
  column: z.string(),
  settings: z.record(z.string(), z.json()) as z.ZodType<JsonObject>,
  defaultValue: z.json() as z.ZodType<Json>,
  required: z.boolean(),
  unique: z.boolean(),
});
const objectRow = z.object({
  id: z.string(),
  name: z.string(),
  plural: z.string(),
  label: z.string(),
  labelPlural: z.string(),
  tableName: z.string(),
  fields: z.array(fieldRow),
});

const kept = new Map<string, { readonly objects: Objects; readonly timeZone: string }>();

/** The workspace's objects, read once for each version of its metadata and each time zone it has had. */
export async function getObjects(sql: Sql, workspace: Workspace): Promise<Objects> {
  const known = kept.get(workspace.id);
  if (known?.timeZone === workspace.timeZone && known.objects.version >= workspace.metadataVersion)
    return known.objects;
  const { rows } = await sql.query({
    name: "load_objects",
    text: `select o.id, o.name, o.plural, o.label, o.label_plural as "labelPlural", o.table_name as "tableName",
        coalesce((select jsonb_agg(jsonb_build_object('name', f.name, 'label', f.label, 'type', f.type, 'column', f.column_name,
          'settings', f.settings, 'defaultValue', f.default_value, 'required', f.required, 'unique', f.is_unique) order by f.position)
          from tandem.fields f where f.object_id = o.id), '[]'::jsonb) as fields
      from tandem.objects o where o.workspace_id = $1::uuid order by o.id`,
    values: [workspace.id],
  });
  const objects = describeObjects(workspace, z.array(objectRow).parse(rows));
  kept.set(workspace.id, { objects, timeZone: workspace.timeZone });
  return objects;
}

function describeObjects(workspace: Workspace, rows: z.output<typeof objectRow>[]): Objects {
  const list = rows.map((row) => describeObject(workspace, row));
  const byName = new Map(list.map((object) => [object.name, object]));
  const byPlural = new Map(list.map((object) => [object.plural, object]));
  return {
    version: workspace.metadataVersion,
    list: () => list,
    find: (name) => byName.get(name),
    findByPlural: (plural) => byPlural.get(plural),
  };
}

function describeObject({ schemaName, timeZone }: Workspace, row: z.output<typeof objectRow>): CrmObject {
  const base = baseFields.map((field) => ({
    ...field,
    settings: {},
    defaultValue: null,
    required: false,
    unique: false,
  }));
  const fields = [...base, ...row.fields].map((field) => describeField(field, timeZone));
  const byName = new Map(fields.map((field) => [field.name, field]));
  const byRelation = new Map(
    fields.flatMap((field) => (field.relation === undefined ? [] : [[field.relation.name, field]])),
  );
  const { id, name, plural, label, labelPlural, tableName } = row;
  return {
    id,
    name,
    plural,
    label,
    labelPlural,
    table: `${identifier(schemaName)}.${identifier(tableName)}`,
    timeZone,
    fields,
    field: (wanted) => byName.get(wanted),
    relation: (wanted) => byRelation.get(wanted),
  };
}

function describeField(row: z.output<typeof fieldRow>, timeZone: string): CrmField {
  const { settings, type } = row;
  const reading = { options: optionsSchema.parse(settings["options"]), timeZone };
  const described = {
    ...row,
    info: fieldTypes[type],
    column: identifier(row.column),
    reading,
    compares: comparesOf(row),
  };
  if (type !== "RELATION") return described;
  const name = row.name.replace(/Id$/, "");
  const relation = { object: textOf(settings["object"]) ?? "", name, cascades: settings["onDelete"] === "cascade" };
  return { ...described, relation };
}

/** How text of a field is compared, as its settings say. */
export function comparesOf({ settings }: { readonly settings?: JsonObject }): CrmField["compares"] {
  const compares = settings?.["compares"];
  return compares === "without-case" || compares === "as-domain" ? compares : "exactly";
}

/** SQL: every column of a record, of the table's alias. */
export function recordColumns(object: CrmObject, alias: string): string {
  return ["id", ...object.fields.map((field) => field.column)].map((column) => `${alias}.${column}`).join(", ");
}

/** SQL: a record as the API shows it, of the table's alias. */
export function recordJson(object: CrmObject, alias: string): string {
  const pairs = [
    `'id', ${alias}.id`,
    ...object.fields.map((field) => `'${field.name}', ${field.info.json(`${alias}.${field.column}`)}`),
  ];
  const chunks: string[] = [];
  // A function takes at most 100 arguments.
  for (let from = 0; from < pairs.length; from += 45)
    chunks.push(`jsonb_build_object(${pairs.slice(from, from + 45).join(", ")})`);
  return `(${chunks.join(" || ")})`;
}
