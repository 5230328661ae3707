import { z } from "zod";
import { textOf, type Json, type JsonObject } from "../json.ts";
import { createRecent } from "../recent.ts";
import { identifier, type Sql } from "../sql.ts";
import type { Workspace } from "../workspace.ts";
import { fieldTypes, type FieldType } from "./field-types.ts";
import {
  baseFields,
  comparesOf,
  type CrmField,
  type CrmObject,
  type IndexPlace,
  type Inverse,
  type Objects,
} from "./objects.ts";

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
const indexPart = z.object({
  fieldId: z.string().optional(),
  base: z.string().optional(),
  subField: z.string().nullable(),
});
type IndexRow = { readonly unique: boolean; readonly parts: readonly z.output<typeof indexPart>[] };
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
  indexes: z.array(z.object({ unique: z.boolean(), parts: z.array(indexPart) })),
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
    coalesce((select jsonb_agg(jsonb_build_object('unique', i.is_unique, 'parts', i.parts) order by i.id) from tandem.indexes i
      where i.object_id = o.id and i.state = 'active'), '[]'::jsonb) as indexes,
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
  const fields = [...base, ...row.fields].map((field) => describeField(field, { timeZone, indexes: row.indexes }));
  const byId = new Map(fields.map((field) => [field.id, field]));
  const byName = new Map(fields.map((field) => [field.name, field]));
  const byRelation = new Map(
    fields.flatMap((field) => (field.relation === undefined ? [] : [[field.relation.name, field]])),
  );
  const { fields: _fields, indexes, ...described } = row;
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
    uniqueTogether: indexes.flatMap(({ unique, parts }) => {
      const together = parts.flatMap(({ fieldId }) => byId.get(fieldId ?? "none") ?? []);
      return unique && together.length === parts.length ? [together] : [];
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

function describeField(
  row: z.output<typeof fieldRow>,
  { timeZone, indexes }: { timeZone: string; indexes: readonly IndexRow[] },
): CrmField {
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
    indexParts: indexPlaces(row, indexes),
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

/** Unique ones are made on whole values, which an equality finds by itself. */
function indexPlaces({ id, name }: z.output<typeof fieldRow>, indexes: readonly IndexRow[]): IndexPlace[] {
  return indexes.flatMap(({ unique, parts }) =>
    parts.flatMap(({ fieldId, base, subField }, position) =>
      !unique && (base === name || (id !== "" && fieldId === id)) ? [{ subField, isFirst: position === 0 }] : [],
    ),
  );
}
