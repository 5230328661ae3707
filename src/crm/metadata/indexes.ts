import { ProblemError } from "../../errors.ts";
import { createId } from "../../ids.ts";
import type { Sql } from "../../sql.ts";
import { changeTables } from "./live-ddl.ts";
import { nameOf, snakeCase } from "../ddl.ts";
import { fieldTypes, type FieldTypeInfo } from "../field-types.ts";
import { failureProblem } from "./broken-rows.ts";
import { build } from "./build.ts";
import type { IndexInput } from "./definitions.ts";
import { findField, findObject } from "./find.ts";
import { refused } from "./names.ts";
import {
  baseField,
  findStored,
  lockObject,
  namesOf,
  type Metadata,
  type StoredIndex,
  type StoredObject,
} from "./stored.ts";

/**
 * Makes an index over several fields while others work; unique: no two records have the same in all of
 * them, where each has a value. Records that stand against it are named in a 409.
 */
export async function createIndex(metadata: Metadata, objectName: string, input: IndexInput): Promise<StoredIndex> {
  const { object: wanted } = await findObject(metadata, objectName);
  const { object, id } = await changeTables(metadata.pool, async (sql) => {
    const locked = await lockObject(sql, metadata.workspace, wanted.id);
    const parts = input.fields.map((path, i) => partOf(locked.object, path, `fields[${i}]`));
    return { ...locked, id: await insertIndex(sql, locked.object, { parts, unique: input.unique }) };
  });
  await build(metadata, object.id);
  const made = (await findStored(metadata.pool, object.id))?.indexes.find((index) => index.id === id);
  if (made === undefined) throw new ProblemError(404, "index-not-found", "The index is gone.");
  if (made.failure === null) return made;
  await metadata.pool.query("delete from tandem.indexes where id = $1::uuid and state = 'failed'", [id]);
  throw failureProblem(made.failure);
}

/** Removes an index over several fields. */
export async function removeIndex(
  metadata: Metadata,
  { objectName, id }: { objectName: string; id: string },
): Promise<void> {
  const { object } = await findObject(metadata, objectName);
  const index = object.indexes.find((each) => each.id === id.toLowerCase());
  if (index === undefined) throw new ProblemError(404, "index-not-found", `${object.name} has no index ${id}.`);
  if (index.standard)
    throw new ProblemError(
      409,
      "standard-index",
      `The index over ${namesOf(object, index).join(", ")} comes with every workspace.`,
    );
  await metadata.pool.query("update tandem.indexes set state = 'removed' where id = $1::uuid", [index.id]);
  await build(metadata, object.id);
}

/** Notes that an index is wanted; whoever builds makes it. Throws a 409 where there is the same. */
export async function insertIndex(
  sql: Sql,
  object: StoredObject,
  { parts, unique }: Pick<StoredIndex, "parts" | "unique">,
): Promise<string> {
  const id = createId();
  const columns = namesOf(object, { parts }).map((name) => snakeCase(name.replace(".", "_")));
  const name = nameOf(object.tableName, `${columns.join("_")}_${id.slice(-6)}`, unique ? "key" : "idx");
  const same = object.indexes.find(
    (index) => index.unique === unique && JSON.stringify(index.parts) === JSON.stringify(parts),
  );
  if (same !== undefined && same.state !== "removed")
    throw new ProblemError(409, "index-exists", `There is such an index already: ${same.id}.`);
  await sql.query("insert into tandem.indexes (id, object_id, name, parts, is_unique) values ($1, $2, $3, $4, $5)", [
    id,
    object.id,
    name,
    JSON.stringify(parts),
    unique,
  ]);
  return id;
}

function partOf(object: StoredObject, path: string, at: string): StoredIndex["parts"][number] {
  const [name = "", subField = null, ...rest] = path.split(".");
  const base = baseField(name);
  const found = base ?? findField(object, name);
  const info: FieldTypeInfo = fieldTypes[found.type];
  const subFields = Object.keys(info.subFields ?? {});
  if (rest.length > 0 || (subField !== null && !subFields.includes(subField)))
    throw refused(
      at,
      `"${path}" is no field of ${object.name}${subFields.length === 0 ? "" : `; ${name} has ${subFields.join(", ")}`}`,
    );
  if (subField === null && info.comparesAs === "composite" && info.main === undefined)
    throw refused(at, `name a sub-field of ${name}: ${subFields.join(", ")}`);
  if (["list", "json"].includes(info.comparesAs)) throw refused(at, `a ${found.type} has no order`);
  return base === undefined ? { fieldId: findField(object, name).id, subField } : { base: name, subField };
}
