import { ProblemError } from "../../errors.ts";
import { createId } from "../../ids.ts";
import type { Sql } from "../../sql.ts";
import { columnSql, oneOfSql, qualified, type Table } from "../ddl.ts";
import { fieldTypes } from "../field-types.ts";
import { isFilled } from "../values.ts";
import { failureProblem } from "./broken-rows.ts";
import { build } from "./build.ts";
import { checkField, parseDefault, settingsOf } from "./check-field.ts";
import { labelOf, type FieldInput } from "./definitions.ts";
import { findObject } from "./find.ts";
import { changeTables } from "./live-ddl.ts";
import { checkFieldName, freeColumn, refused, relationName } from "./names.ts";
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
 * Adds a field to an object, while others work with it; of a relation to several objects one for each.
 * Gives the fields as they are when all that was wanted of them is there.
 */
export async function createField(metadata: Metadata, objectName: string, input: FieldInput): Promise<StoredField[]> {
  const { all, object } = await findObject(metadata, objectName);
  const made = await changeTables(metadata.pool, (sql) =>
    addFields(sql, metadata, { objectId: object.id, wishes: expand(input, all) }),
  );
  const fields = await buildFields(metadata, object.id, made);
  const failure = fields.find((field) => field.failure !== null)?.failure;
  if (failure === undefined || failure === null) return fields;
  // What cannot be as it was asked for is not there by halves, and its name is free again.
  const removed: Wanted = { state: "removed" };
  await metadata.pool.query("update tandem.fields set wanted = $2 where id = any($1::uuid[])", [
    made,
    JSON.stringify(removed),
  ]);
  await buildFields(metadata, object.id, made);
  throw failureProblem(failure);
}

async function buildFields(metadata: Metadata, objectId: string, ids: readonly string[]): Promise<StoredField[]> {
  await build(metadata, objectId);
  const object = await findStored(metadata.pool, objectId);
  return (object?.fields ?? []).filter(({ id }) => ids.includes(id));
}

/** A field that is asked for. */
export interface Wish {
  readonly input: FieldInput;
  /** The relation to several objects that it is part of. */
  readonly group: string | null;
}

/** A relation to several objects is a field for each of them, of which a record may have one. */
function expand(input: FieldInput, all: readonly StoredObject[]): Wish[] {
  const { objects, ...field } = input;
  const group = relationName(field.name);
  if (input.type !== "RELATION") return [{ input, group: null }];
  if (objects === undefined) return [{ input: { ...field, name: `${group}Id` }, group: null }];
  if (field.object !== undefined)
    throw refused("objects", "is for several objects, and object for one: give one of them");
  return objects.map((name) => {
    const target = all.find((each) => each.name === name);
    const suffix = name.charAt(0).toUpperCase() + name.slice(1);
    const label = `${field.label ?? labelOf(group)} (${target?.label ?? name})`;
    return { input: { ...field, name: `${group}${suffix}Id`, label, object: name }, group };
  });
}

/** Adds the columns of fields, and what is to be brought about of them; gives their ids. In a transaction that changes tables. */
export async function addFields(
  sql: Sql,
  metadata: Metadata,
  { objectId, wishes }: { objectId: string; wishes: readonly Wish[] },
): Promise<string[]> {
  const { workspace } = metadata;
  const { all, object } = await lockObject(sql, workspace, objectId);
  refuseMore(object, wishes.length);
  const group = wishes[0]?.group ?? null;
  if (group !== null) checkFieldName(object, all, { name: group, path: "name" });
  const made: StoredField[] = [];
  for (const wish of wishes) {
    const known = { ...object, fields: [...object.fields, ...made] };
    made.push(describeField(metadata, { object: known, all }, wish));
  }
  const table = tableOf(workspace, object);
  await refuseEmptied(sql, table, made);
  const changes = made.map((field) => `add column ${columnSql(field)}`);
  const columnNames = made.map(({ columnName }) => columnName);
  if (group !== null) changes.push(`add ${oneOfSql(table, group, columnNames)}`);
  await sql.query(`alter table ${qualified(table)} ${changes.join(", ")}`);
  for (const field of made) await insertField(sql, object, field);
  await raiseVersion(sql, workspace);
  return made.map((field) => field.id);
}

/** A row of a table has room for so many, those aside that were removed and are still to be dropped. */
const mostFields = 500;

function refuseMore({ name, fields }: StoredObject, more: number): void {
  if (fields.length + more <= mostFields) return;
  const message = `${name} has ${fields.length} fields, some perhaps removed lately; ${mostFields} are possible.`;
  throw new ProblemError(409, "too-many-fields", message);
}

/** What must have a value needs a default where there are records already. */
async function refuseEmptied(sql: Sql, table: Table, fields: readonly StoredField[]): Promise<void> {
  for (const { name, type, wanted, defaultValue } of fields) {
    if (wanted?.required !== true || isFilled({ field: { info: fieldTypes[type] }, value: defaultValue })) continue;
    const { rows } = await sql.query(`select 1 from ${qualified(table)} where deleted_at is null limit 1`);
    if (rows.length > 0)
      throw new ProblemError(
        409,
        "records-without-value",
        `There are records, and they would have no ${name}. Give a defaultValue, which they then have; or make the field first, fill it, and make it required.`,
      );
  }
}

function describeField(
  { workspace }: Metadata,
  { object, all }: { object: StoredObject; all: readonly StoredObject[] },
  { input, group }: Wish,
): StoredField {
  const { name, type, required = false, unique = false, searchable = false } = input;
  checkFieldName(object, all, { name, path: "name", type });
  const settings = settingsOf(input, { object, all, group });
  const defaultValue = parseDefault({ type, settings }, input.defaultValue ?? null, workspace.timeZone);
  checkField({ type, settings, defaultValue }, { unique, searchable, indexed: input.indexed ?? false });
  const isRelation = type === "RELATION";
  const wanted: Wanted = {
    ...(isRelation ? { related: true } : {}),
    ...(required ? { required } : {}),
    ...(unique ? { unique } : {}),
    ...((input.indexed === true || isRelation) && !unique ? { indexed: true } : {}),
    ...(searchable ? { searchable } : {}),
  };
  const isBuilt = Object.keys(wanted).length === 0;
  return {
    id: createId(),
    name,
    label: input.label ?? labelOf(isRelation ? relationName(name) : name),
    description: input.description ?? null,
    icon: input.icon ?? null,
    type,
    columnName: freeColumn(object, name),
    settings,
    defaultValue,
    required: false,
    unique: false,
    indexed: false,
    searchable: false,
    standard: false,
    position: Math.max(0, ...object.fields.map(({ position }) => position + 1)),
    state: isBuilt ? "active" : "building",
    wanted: isBuilt ? null : wanted,
    failure: null,
  };
}

async function insertField(sql: Sql, object: StoredObject, field: StoredField): Promise<void> {
  await sql.query(
    `insert into tandem.fields (id, object_id, name, label, description, icon, type, column_name, settings, default_value, position, state, wanted)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
    [
      field.id,
      object.id,
      field.name,
      field.label,
      field.description,
      field.icon,
      field.type,
      field.columnName,
      JSON.stringify(field.settings),
      field.defaultValue === null ? null : JSON.stringify(field.defaultValue),
      field.position,
      field.state,
      field.wanted === null ? null : JSON.stringify(field.wanted),
    ],
  );
}
