import { z } from "zod";
import { fieldTypes, type FieldType, type FieldTypeInfo, type Reading } from "./field-types.ts";
import { textOf, type Json, type JsonObject } from "../json.ts";
import { createRecent } from "../recent.ts";
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
  /** Empty for the fields that every object has. */
  readonly id: string;
  /** As the API names it; of a relation the name of the key: `companyId`. */
  readonly name: string;
  readonly label: string;
  readonly description: string | null;
  readonly type: FieldType;
  readonly info: FieldTypeInfo;
  /** Quoted column. */
  readonly column: string;
  /** The same without quotes. */
  readonly columnName: string;
  readonly settings: JsonObject;
  /** What its values are read by. */
  readonly reading: Reading;
  readonly defaultValue: Json;
  readonly required: boolean;
  readonly unique: boolean;
  /** Whether an index of its own serves filters and sorting. */
  readonly indexed: boolean;
  /** Whether full-text search looks into it. */
  readonly searchable: boolean;
  readonly standard: boolean;
  /** Of a relation: the object it points to, and the name without `Id` that paths follow. */
  readonly relation?: {
    readonly object: string;
    readonly name: string;
    /** Whether the record goes with the one it points to when that is destroyed; else the field is cleared. */
    readonly cascades: boolean;
    /** What it is seen as from the other side. */
    readonly inverse: { readonly name: string; readonly label: string } | null;
    /** The relation to several objects that it is one of: `target`. */
    readonly group: string | null;
  };
  /** How text of it is compared: e-mails without case, domains normalised. */
  readonly compares: "exactly" | "without-case" | "as-domain";
}

/** A relation seen from the object that it points to: the people of a company. */
export interface Inverse {
  readonly name: string;
  readonly label: string;
  /** The object whose records point here. */
  readonly object: string;
  /** The field there that does. */
  readonly field: CrmField;
}

export interface CrmObject {
  readonly id: string;
  readonly name: string;
  readonly plural: string;
  readonly label: string;
  readonly labelPlural: string;
  readonly description: string | null;
  readonly standard: boolean;
  /** Paths of which all must be the same, for each way in which two records may be duplicates. */
  readonly duplicateCriteria: readonly (readonly string[])[];
  /** Fields that together must be unique, where each of them has a value. */
  readonly uniqueTogether: readonly (readonly CrmField[])[];
  /** Schema-qualified and quoted. */
  readonly table: string;
  /** Unquoted. */
  readonly tableName: string;
  /** The workspace's IANA zone. */
  readonly timeZone: string;
  /** Its own fields and the ones every object has, in order. */
  readonly fields: readonly CrmField[];
  field(name: string): CrmField | undefined;
  /** The relation that a path follows by this name: `company`. */
  relation(name: string): CrmField | undefined;
  /** Columns of relations that point to it and that nobody sees: `table` is schema-qualified, both are quoted. */
  readonly hiddenPointers: ReadonlyArray<{ readonly table: string; readonly column: string }>;
  /** Relations that point to it, by their names on this side. */
  readonly inverses: readonly Inverse[];
  inverse(name: string): Inverse | undefined;
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

const inverseSchema = z.object({ name: z.string(), label: z.string() }).nullable().catch(null);
const optionsSchema = z.array(z.object({ value: z.string(), label: z.string() })).catch([]);
const fieldRow = z.object({
  id: z.string(),
  name: z.string(),
  label: z.string(),
  description: z.string().nullable(),
  type: z.enum(Object.keys(fieldTypes) as [FieldType, ...FieldType[]]),
  column: z.string(),
  settings: z.record(z.string(), z.json()) as z.ZodType<JsonObject>,
  defaultValue: z.json() as z.ZodType<Json>,
  required: z.boolean(),
  unique: z.boolean(),
  indexed: z.boolean(),
  searchable: z.boolean(),
  standard: z.boolean(),
});
const objectRow = z.object({
  id: z.string(),
  name: z.string(),
  plural: z.string(),
  label: z.string(),
  labelPlural: z.string(),
  description: z.string().nullable(),
  standard: z.boolean(),
  duplicateCriteria: z.array(z.array(z.string())),
  tableName: z.string(),
  hiddenPointers: z.array(z.object({ table: z.string(), column: z.string() })),
  uniqueTogether: z.array(z.array(z.string())),
  fields: z.array(fieldRow),
});

/** Of so many workspaces, some 80 kB each. */
const mostKept = 500;
const kept = createRecent<string, { readonly objects: Objects; readonly timeZone: string }>(mostKept);

/** The workspace's objects, read once for each version of its metadata and each time zone it has had. */
export async function getObjects(sql: Sql, workspace: Workspace): Promise<Objects> {
  const known = kept.get(workspace.id);
  if (known?.timeZone === workspace.timeZone && known.objects.version >= workspace.metadataVersion)
    return known.objects;
  const { rows } = await sql.query({ name: "load_objects", text: loadText, values: [workspace.id] });
  const objects = describeObjects(workspace, z.array(objectRow).parse(rows));
  kept.set(workspace.id, { objects, timeZone: workspace.timeZone });
  return objects;
}

// A relation is there while both of its objects are.
const loadText = `select o.id, o.name, o.plural, o.label, o.label_plural as "labelPlural", o.description, o.standard,
    o.duplicate_criteria as "duplicateCriteria", o.table_name as "tableName",
    coalesce((select jsonb_agg(jsonb_path_query_array(i.parts, '$[*].fieldId')) from tandem.indexes i where i.object_id = o.id and i.is_unique and i.state = 'active'), '[]'::jsonb)
      as "uniqueTogether",
    coalesce((select jsonb_agg(jsonb_build_object('table', p.table_name, 'column', f.column_name)) from tandem.fields f
        join tandem.objects p on p.id = f.object_id
      where p.workspace_id = o.workspace_id and f.type = 'RELATION' and f.settings ->> 'object' = o.name
        and (f.state <> 'active' or p.state <> 'active')), '[]'::jsonb) as "hiddenPointers",
    coalesce((select jsonb_agg(jsonb_build_object('id', f.id, 'name', f.name, 'label', f.label, 'description', f.description, 'type', f.type,
        'column', f.column_name, 'settings', f.settings, 'defaultValue', f.default_value, 'required', f.required, 'unique', f.is_unique,
        'indexed', f.is_indexed, 'searchable', f.is_searchable, 'standard', f.standard) order by f.position)
      from tandem.fields f where f.object_id = o.id and f.state = 'active' and (f.type <> 'RELATION' or exists (
        select 1 from tandem.objects t where t.workspace_id = o.workspace_id and t.name = f.settings ->> 'object' and t.state = 'active'))),
      '[]'::jsonb) as fields
  from tandem.objects o where o.workspace_id = $1::uuid and o.state = 'active' order by o.id`;

function describeObjects(workspace: Workspace, rows: z.output<typeof objectRow>[]): Objects {
  const described = rows.map((row) => describeObject(workspace, row));
  const list = described.map((object) => withInverses(object, described));
  const byName = new Map(list.map((object) => [object.name, object]));
  const byPlural = new Map(list.map((object) => [object.plural, object]));
  return {
    version: workspace.metadataVersion,
    list: () => list,
    find: (name) => byName.get(name),
    findByPlural: (plural) => byPlural.get(plural),
  };
}

type Described = Omit<CrmObject, "inverses" | "inverse">;

function describeObject({ schemaName, timeZone }: Workspace, row: z.output<typeof objectRow>): Described {
  const base = baseFields.map((field) => ({
    ...field,
    id: "",
    description: null,
    settings: {},
    defaultValue: null,
    required: false,
    unique: false,
    indexed: false,
    searchable: false,
    standard: true,
  }));
  const fields = [...base, ...row.fields].map((field) => describeField(field, timeZone));
  const byId = new Map(fields.map((field) => [field.id, field]));
  const byName = new Map(fields.map((field) => [field.name, field]));
  const byRelation = new Map(
    fields.flatMap((field) => (field.relation === undefined ? [] : [[field.relation.name, field]])),
  );
  const { fields: _fields, uniqueTogether, ...described } = row;
  return {
    ...described,
    duplicateCriteria: row.duplicateCriteria.filter((paths) =>
      paths.every((path) => path === "id" || byName.has(path.split(".")[0] ?? "")),
    ),
    hiddenPointers: row.hiddenPointers.map(({ table, column }) => ({
      table: `${identifier(schemaName)}.${identifier(table)}`,
      column: identifier(column),
    })),
    table: `${identifier(schemaName)}.${identifier(row.tableName)}`,
    timeZone,
    fields,
    uniqueTogether: uniqueTogether.flatMap((ids) => {
      const together = ids.flatMap((id) => byId.get(id) ?? []);
      return together.length === ids.length ? [together] : [];
    }),
    field: (wanted) => byName.get(wanted),
    relation: (wanted) => byRelation.get(wanted),
  };
}

function withInverses(object: Described, all: readonly Described[]): CrmObject {
  const inverses = all.flatMap((other) =>
    other.fields.flatMap((field): Inverse[] => {
      const { relation } = field;
      if (relation?.object !== object.name || relation.inverse === null) return [];
      return [{ ...relation.inverse, object: other.name, field }];
    }),
  );
  const byName = new Map(inverses.map((inverse) => [inverse.name, inverse]));
  return { ...object, inverses, inverse: (wanted) => byName.get(wanted) };
}

function describeField(row: z.output<typeof fieldRow>, timeZone: string): CrmField {
  const { settings, type } = row;
  const decimals = settings["decimals"];
  const reading = {
    options: optionsSchema.parse(settings["options"]),
    timeZone,
    decimals: typeof decimals === "number" ? decimals : undefined,
  };
  const described = {
    ...row,
    info: fieldTypes[type],
    column: identifier(row.column),
    columnName: row.column,
    reading,
    compares: comparesOf(row),
  };
  if (type !== "RELATION") return described;
  const name = row.name.replace(/Id$/, "");
  const relation = {
    object: textOf(settings["object"]) ?? "",
    name,
    cascades: settings["onDelete"] === "cascade",
    inverse: inverseSchema.parse(settings["inverse"] ?? null),
    group: textOf(settings["oneOf"]) ?? null,
  };
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
