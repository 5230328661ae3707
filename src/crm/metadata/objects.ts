import { ProblemError } from "../../errors.ts";
import { createId } from "../../ids.ts";
import type { JsonObject } from "../../json.ts";
import type { Sql } from "../../sql.ts";
import { snakeCase, storedName } from "../ddl.ts";
import { fieldTypes, type FieldTypeInfo } from "../field-types.ts";
import { createObjects } from "../schema.ts";
import { linkField, linkObjects, type FieldDefinition } from "../standard-objects.ts";
import { build } from "./build.ts";
import { checkField, parseDefault, settingsOf } from "./check-field.ts";
import { addFields } from "./create-field.ts";
import { labelOf, type FieldInput, type ObjectChange, type ObjectInput } from "./definitions.ts";
import { findObject, refuseUsed } from "./find.ts";
import { insertIndex } from "./indexes.ts";
import { changeTables } from "./live-ddl.ts";
import { checkFieldName, checkObjectNames, freeColumn, freeName, refused } from "./names.ts";
import {
  findStored,
  listStored,
  lockMetadata,
  lockObject,
  raiseVersion,
  type Metadata,
  type StoredObject,
  type Wanted,
} from "./stored.ts";

/** Makes an object with its fields, and lets tasks and notes be linked to its records. */
export async function createObject(metadata: Metadata, input: ObjectInput): Promise<StoredObject> {
  const { pool, workspace } = metadata;
  const id = createId();
  const links = await changeTables(pool, async (sql) => {
    // Two at once with the same name: the second sees the first.
    await lockMetadata(sql, workspace);
    const all = await listStored(sql, workspace);
    checkObjectNames(all, input);
    const { rows } = await sql.query<{ tableName: string }>(
      `select c.relname as "tableName" from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = $1`,
      [workspace.schemaName],
    );
    const definition = {
      id,
      name: input.name,
      plural: input.plural,
      label: input.label ?? labelOf(input.name),
      labelPlural: input.labelPlural ?? labelOf(input.plural),
      description: input.description ?? null,
      icon: input.icon ?? null,
      duplicateCriteria: input.duplicateCriteria ?? [["name"]],
      tableName: freeName(storedName(input.name), (name) => rows.some(({ tableName }) => tableName === name)),
    };
    const blank: StoredObject = { ...definition, standard: false, state: "active", fields: [], indexes: [] };
    const fields = withName(input.fields ?? []).map((field) => defineField(metadata, blank, field));
    refuseTwice(fields);
    checkCriteria(input.duplicateCriteria ?? [], fields);
    await createObjects(sql, workspace, { definitions: [{ ...definition, fields }], standard: false });
    await raiseVersion(sql, workspace);
    return input.linkable === false ? [] : addLinkFields(sql, metadata, { ...definition, all });
  });
  for (const link of links) await build(metadata, link);
  return found(metadata, id);
}

async function found({ pool }: Metadata, id: string): Promise<StoredObject> {
  const object = await findStored(pool, id);
  if (object === undefined) throw new ProblemError(404, "object-not-found", "The object is gone.");
  return object;
}

/** People tell records by their names. */
function withName(fields: readonly FieldInput[]): FieldInput[] {
  const isNamed = fields.some(({ name }) => name === "name");
  const name: FieldInput = { name: "name", type: "TEXT", searchable: true, indexed: true };
  return isNamed ? [...fields] : [name, ...fields];
}

function defineField({ workspace }: Metadata, object: StoredObject, input: FieldInput): FieldDefinition {
  const { name, type, required = false, unique = false, indexed = false, searchable = false } = input;
  if (type === "RELATION") throw refused(`fields.${name}`, "relations are added when the object is there");
  checkFieldName(object, [object], { name, path: `fields.${name}` });
  const settings = settingsOf(input, { object, all: [], group: null });
  const defaultValue = parseDefault({ type, settings }, input.defaultValue ?? null, workspace.timeZone);
  checkField({ type, settings, defaultValue }, { unique, searchable, indexed });
  const { label = labelOf(name), description = null, icon = null } = input;
  const columnName = freeColumn(object, name);
  const given = { name, label, description, icon, type, settings, defaultValue, required, unique, indexed, searchable };
  return { ...given, columnName };
}

function refuseTwice(fields: readonly FieldDefinition[]): void {
  const seen = new Set<string>();
  for (const { name } of fields) {
    if (seen.has(snakeCase(name))) throw refused(`fields.${name}`, "is there twice");
    seen.add(snakeCase(name));
  }
}

/** Refuses criteria that name no field, or no sub-field of one. */
function checkCriteria(
  criteria: ReadonlyArray<readonly string[]>,
  fields: ReadonlyArray<Pick<FieldDefinition, "name" | "type">>,
): void {
  for (const [i, paths] of criteria.entries())
    for (const path of paths) {
      const [name, subField, ...rest] = path.split(".");
      const field = fields.find((each) => each.name === name);
      const subFields = subFieldsOf(field?.type);
      const isKnown = field !== undefined && rest.length === 0;
      if (!isKnown || (subField === undefined ? subFields.length > 0 : !subFields.includes(subField)))
        throw refused(
          `duplicateCriteria[${i}]`,
          `"${path}" names no field with a value of its own${subFields.length === 0 ? "" : `; ${name} has ${subFields.join(", ")}`}`,
        );
    }
}

function subFieldsOf(type: FieldDefinition["type"] | undefined): string[] {
  const info: FieldTypeInfo | undefined = type && fieldTypes[type];
  return Object.keys(info?.subFields ?? {});
}

/** Gives the ids of the link objects, of which something is now to be brought about. */
async function addLinkFields(
  sql: Sql,
  metadata: Metadata,
  { all, ...target }: { name: string; label: string; all: readonly StoredObject[] },
): Promise<string[]> {
  const ids: string[] = [];
  for (const [name, linkName] of Object.entries(linkObjects)) {
    const link = all.find((each) => each.name === linkName);
    const own = link?.fields.find(({ settings, type }) => type === "RELATION" && settings["object"] === name);
    if (link === undefined || own === undefined) continue;
    const { settings = {}, ...field } = linkField(name === "task" ? "task" : "note", target);
    const wish = { input: { ...relationInput(settings), name: field.name, label: field.label }, group: null };
    const [fieldId = ""] = await addFields(sql, metadata, { objectId: link.id, wishes: [wish] });
    const parts = [own.id, fieldId].map((id) => ({ fieldId: id, subField: null }));
    await insertIndex(sql, link, { parts, unique: true });
    ids.push(link.id);
  }
  return ids;
}

function relationInput({ object, onDelete, inverse }: JsonObject): Omit<FieldInput, "name"> {
  return { type: "RELATION", object, onDelete, inverse } as Omit<FieldInput, "name">;
}

/** Changes how an object is called, shown and told apart; hides it, or shows it again. */
export async function changeObject(
  metadata: Metadata,
  objectName: string,
  change: ObjectChange,
): Promise<StoredObject> {
  const { object: wanted } = await findObject(metadata, objectName);
  await changeTables(metadata.pool, async (sql) => {
    const { all, object } = await lockObject(sql, metadata.workspace, wanted.id);
    const { name = object.name, plural = object.plural, active = object.state === "active" } = change;
    const isRenamed = name !== object.name || plural !== object.plural;
    const named = { object: object.name, what: object.name };
    if (isRenamed) {
      if (object.standard) throw standardObject(object, "keeps its names; its labels may change");
      checkObjectNames(all, { name, plural, self: object.id });
    }
    checkCriteria(change.duplicateCriteria ?? [], object.fields);
    if (!active && isNeeded(object)) throw standardObject(object, "cannot be hidden");
    if (!active) refuseRequired(all, object);
    if (isRenamed || (!active && object.state === "active")) await refuseUsed(sql, metadata.workspace, named);
    await sql.query(
      `update tandem.objects set name = $2, plural = $3, label = $4, label_plural = $5, description = $6, icon = $7,
         duplicate_criteria = $8, state = $9 where id = $1::uuid`,
      [
        object.id,
        name,
        plural,
        change.label ?? object.label,
        change.labelPlural ?? object.labelPlural,
        change.description === undefined ? object.description : change.description,
        change.icon === undefined ? object.icon : change.icon,
        JSON.stringify(change.duplicateCriteria ?? object.duplicateCriteria),
        active ? "active" : "inactive",
      ],
    );
    if (name !== object.name)
      await sql.query(
        `update tandem.fields f set settings = jsonb_set(f.settings, '{object}', to_jsonb($3::text)) from tandem.objects o
         where o.id = f.object_id and o.workspace_id = $1::uuid and f.type = 'RELATION' and f.settings ->> 'object' = $2`,
        [metadata.workspace.id, object.name, name],
      );
    await raiseVersion(sql, metadata.workspace);
  });
  return found(metadata, wanted.id);
}

/**
 * Hides an object for good, and the relations that point to it; its table is dropped when no open run
 * and no active version names it.
 */
export async function removeObject(metadata: Metadata, objectName: string): Promise<void> {
  const { object: wanted } = await findObject(metadata, objectName);
  const pointing = await changeTables(metadata.pool, async (sql) => {
    const { all, object } = await lockObject(sql, metadata.workspace, wanted.id);
    if (object.standard) throw standardObject(object, "can be hidden with active: false");
    await refuseUsed(sql, metadata.workspace, { object: object.name, what: object.name });
    await sql.query("update tandem.objects set state = 'removed', removed_at = now() where id = $1::uuid", [object.id]);
    const others = all.filter((other) => other.id !== object.id);
    for (const other of others) await removeRelations(sql, other, object);
    await raiseVersion(sql, metadata.workspace);
    return others.map(({ id }) => id);
  });
  for (const id of pointing) await build(metadata, id);
}

async function removeRelations(sql: Sql, other: StoredObject, gone: StoredObject): Promise<void> {
  const fields = other.fields.filter(
    ({ type, state, settings }) => type === "RELATION" && state !== "removed" && settings["object"] === gone.name,
  );
  for (const { id } of fields) {
    await sql.query("update tandem.fields set wanted = $2 where id = $1::uuid", [
      id,
      JSON.stringify({ state: "removed" } satisfies Wanted),
    ]);
    await sql.query(
      `update tandem.indexes set state = 'removed' where object_id = $1::uuid and jsonb_path_exists(parts, '$[*] ? (@.fieldId == $id)', jsonb_build_object('id', $2::text))`,
      [other.id, id],
    );
  }
}

/** Workflows assign to members, and tasks and notes are linked by their targets. */
function isNeeded({ name }: StoredObject): boolean {
  return name === "workspaceMember" || Object.entries(linkObjects).flat().includes(name);
}

/** Nobody could make a record any more that must point to one of a hidden object. */
function refuseRequired(all: readonly StoredObject[], { id, name }: StoredObject): void {
  for (const other of all)
    for (const field of other.state === "active" && other.id !== id ? other.fields : []) {
      const isPointing = field.type === "RELATION" && field.settings["object"] === name && field.state === "active";
      if (!isPointing || !field.required) continue;
      const message = `${other.name}.${field.name} must point to a record of ${name}; make it optional first.`;
      throw new ProblemError(409, "required-field", message);
    }
}

function standardObject({ name }: StoredObject, rest: string): ProblemError {
  return new ProblemError(409, "standard-object", `${name} comes with every workspace and ${rest}.`);
}
