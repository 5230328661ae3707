import { ProblemError } from "../../errors.ts";
import type { JsonObject } from "../../json.ts";
import { identifier, type Sql } from "../../sql.ts";
import { constantSql, qualified, type Table, type TableField } from "../ddl.ts";
import { fieldTypes, type FieldTypeInfo } from "../field-types.ts";
import { isFilled } from "../values.ts";
import { failureProblem } from "./broken-rows.ts";
import { build } from "./build.ts";
import { checkField, parseDefault, storedOptions } from "./check-field.ts";
import type { FieldChange } from "./definitions.ts";
import { findField, findObject, refuseUsed } from "./find.ts";
import { changeTables } from "./live-ddl.ts";
import { checkFieldName, refused, relationName } from "./names.ts";
import { refuseLostOptions } from "./options.ts";
import {
  findStored,
  lockObject,
  raiseVersion,
  tableOf,
  type Metadata,
  type StoredField,
  type StoredObject,
  type Wanted,
} from "./stored.ts";

/**
 * Changes a field while others work with it. What needs its records to be looked at (required, unique,
 * an index) is there when this gives the field; records that stand against it are named in a 409.
 */
export async function changeField(
  metadata: Metadata,
  { objectName, fieldName }: { objectName: string; fieldName: string },
  change: FieldChange,
): Promise<StoredField> {
  const { object, field } = await changing(metadata, { objectName, fieldName }, async (sql, found) => {
    const described = await describeChange(sql, metadata, { ...found, change });
    const wanted = wantedOf(found.field, change);
    if (wanted === null) await writeDescription(sql, metadata, { ...found, described });
    else
      await sql.query("update tandem.fields set wanted = $2, failure = null where id = $1::uuid", [
        found.field.id,
        JSON.stringify(wanted),
      ]);
  });
  const after = await built(metadata, object, field);
  if (wantedOf(field, change) === null) return after;
  // Where records stand against what is wanted, nothing else of the change is done either.
  await changing(metadata, { objectName: object.id, fieldName: field.id }, async (sql, found) => {
    const described = await describeChange(sql, metadata, { ...found, change });
    await writeDescription(sql, metadata, { ...found, described });
  });
  return built(metadata, object, field);
}

/** What a change makes of a field, besides what is to be brought about. */
type Description = Pick<StoredField, "name" | "label" | "description" | "icon" | "settings" | "defaultValue"> & {
  readonly hasDefault: boolean;
};

/** Throws a ProblemError for a change that cannot be. */
async function describeChange(
  sql: Sql,
  metadata: Metadata,
  { change, ...found }: Found & { change: FieldChange },
): Promise<Description> {
  const { workspace } = metadata;
  const { field, object } = found;
  const { name = field.name, label = field.label, description = field.description, icon = field.icon } = change;
  if (name !== field.name) await checkRename(sql, metadata, { ...found, name });
  const settings = changedSettings(field, change);
  if (change.options !== undefined) await refuseLostOptions(sql, tableOf(workspace, object), { ...found, settings });
  const hasDefault = change.defaultValue !== undefined;
  const defaultValue =
    change.defaultValue === undefined
      ? field.defaultValue
      : parseDefault({ type: field.type, settings }, change.defaultValue, workspace.timeZone);
  const { unique = field.unique, searchable = field.searchable, indexed = field.indexed } = change;
  checkField({ type: field.type, settings, defaultValue }, { unique, searchable, indexed });
  if (change.active === false && field.state !== "inactive") {
    refuseNeeded(found);
    await checkHiding(sql, metadata, found);
  }
  return { name, label, description, icon, settings, defaultValue, hasDefault };
}

async function writeDescription(
  sql: Sql,
  { workspace }: Metadata,
  { object, field, described }: Found & { described: Description },
): Promise<void> {
  const { name, label, description, icon, settings, defaultValue, hasDefault } = described;
  if (hasDefault) await setDefault(sql, tableOf(workspace, object), { ...field, defaultValue });
  await sql.query(
    `update tandem.fields set name = $2, label = $3, description = $4, icon = $5, settings = $6, default_value = $7, failure = null
     where id = $1::uuid`,
    [
      field.id,
      name,
      label,
      description,
      icon,
      JSON.stringify(settings),
      defaultValue === null ? null : JSON.stringify(defaultValue),
    ],
  );
  await raiseVersion(sql, workspace);
}

/** Hides a field for good; its column is dropped when no open run and no active version names it. */
export async function removeField(
  metadata: Metadata,
  { objectName, fieldName }: { objectName: string; fieldName: string },
): Promise<void> {
  const { object, field } = await changing(metadata, { objectName, fieldName }, async (sql, found) => {
    if (found.field.standard)
      throw new ProblemError(
        409,
        "standard-field",
        `${found.object.name}.${found.field.name} comes with every workspace; hide it with active: false.`,
      );
    await checkHiding(sql, metadata, found);
    await sql.query("update tandem.fields set wanted = $2 where id = $1::uuid", [
      found.field.id,
      JSON.stringify({ state: "removed" } satisfies Wanted),
    ]);
  });
  await built(metadata, object, field);
}

interface Found {
  readonly all: readonly StoredObject[];
  readonly object: StoredObject;
  readonly field: StoredField;
}

async function changing(
  metadata: Metadata,
  { objectName, fieldName }: { objectName: string; fieldName: string },
  work: (sql: Sql, found: Found) => Promise<void>,
): Promise<Found> {
  const { object: wanted } = await findObject(metadata, objectName);
  return changeTables(metadata.pool, async (sql) => {
    const { all, object } = await lockObject(sql, metadata.workspace, wanted.id);
    const field = findField(object, fieldName);
    if (field.wanted !== null)
      throw new ProblemError(
        409,
        "field-building",
        `${object.name}.${field.name} is being changed. Ask again when that is done.`,
      );
    await work(sql, { all, object, field });
    return { all, object, field };
  });
}

/** Waits for what is wanted; throws a 409 with the reason why it was given up. */
async function built(metadata: Metadata, object: StoredObject, { id }: StoredField): Promise<StoredField> {
  await build(metadata, object.id);
  const after = (await findStored(metadata.pool, object.id))?.fields.find((field) => field.id === id);
  if (after === undefined) throw new ProblemError(404, "field-not-found", "The field is gone.");
  if (after.failure === null) return after;
  throw failureProblem(after.failure);
}

async function checkRename(
  sql: Sql,
  metadata: Metadata,
  { all, object, field, name }: Found & { name: string },
): Promise<void> {
  if (field.standard)
    throw new ProblemError(
      409,
      "standard-field",
      `${object.name}.${field.name} comes with every workspace and keeps its name; its label may change.`,
    );
  if (field.type === "RELATION" && !name.endsWith("Id"))
    throw refused("name", `a relation's field ends with Id, as in "${name}Id"`);
  checkFieldName(object, all, { name, path: "name", type: field.type, self: field.id });
  await refuseUsed(sql, metadata.workspace, namedBy(object, field));
}

/** Nobody could make a record any more: its value could not be said. */
function refuseNeeded({ object, field }: Found): void {
  const isFilledByDefault = isFilled({ field: { info: fieldTypes[field.type] }, value: field.defaultValue });
  if (!field.required || isFilledByDefault) return;
  const message = `${object.name}.${field.name} must have a value; make it optional first, or give it a defaultValue.`;
  throw new ProblemError(409, "required-field", message);
}

async function checkHiding(sql: Sql, metadata: Metadata, { object, field }: Found): Promise<void> {
  const index = object.indexes.find(
    ({ state, parts }) => state !== "removed" && parts.some((part) => "fieldId" in part && part.fieldId === field.id),
  );
  if (index !== undefined)
    throw new ProblemError(
      409,
      "in-use",
      `The index ${index.name} over several fields needs ${object.name}.${field.name}; remove it first.`,
    );
  await refuseUsed(sql, metadata.workspace, namedBy(object, field));
}

function namedBy(object: StoredObject, { name, type }: StoredField) {
  const fields = type === "RELATION" ? [name, relationName(name)] : [name];
  return { object: object.name, fields, what: `${object.name}.${name}` };
}

/** What is different from what is there; null: nothing. */
function wantedOf(field: StoredField, change: FieldChange): Wanted | null {
  const wanted: Wanted = {
    ...(change.required !== undefined && change.required !== field.required ? { required: change.required } : {}),
    ...(change.unique !== undefined && change.unique !== field.unique ? { unique: change.unique } : {}),
    ...(change.indexed !== undefined && change.indexed !== field.indexed ? { indexed: change.indexed } : {}),
    ...(change.searchable !== undefined && change.searchable !== field.searchable
      ? { searchable: change.searchable }
      : {}),
    ...(change.active === undefined || change.active === (field.state === "active")
      ? {}
      : { state: change.active ? "active" : "inactive" }),
  };
  return Object.keys(wanted).length === 0 ? null : wanted;
}

function changedSettings({ type, settings }: StoredField, { options, decimals }: FieldChange): JsonObject {
  if (options !== undefined && type !== "SELECT" && type !== "MULTI_SELECT")
    throw refused("options", `a ${type} has no options`);
  if (decimals !== undefined && type !== "NUMBER") throw refused("decimals", `a ${type} has no decimals`);
  return {
    ...settings,
    ...(options === undefined ? {} : { options: storedOptions(options) }),
    ...(decimals === undefined ? {} : { decimals }),
  };
}

async function setDefault(sql: Sql, table: Table, field: TableField): Promise<void> {
  const info: FieldTypeInfo = fieldTypes[field.type];
  const value = field.defaultValue ?? info.empty;
  await sql.query(
    `alter table ${qualified(table)} alter column ${identifier(field.columnName)} ${value === null ? "drop default" : `set default ${constantSql(info, value)}`}`,
  );
}
