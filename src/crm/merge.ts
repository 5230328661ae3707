import { StepError } from "../errors.ts";
import type { JsonObject } from "../json.ts";
import { createStatement, inTransaction, type Sql } from "../sql.ts";
import { addMoved } from "./merge-relations.ts";
import { mergedValues } from "./merge-values.ts";
import { recordColumns, recordJson, type CrmField, type CrmObject } from "./objects.ts";
import { isTaken, notFound, recordExists, untilSettled } from "./refusals.ts";
import type { FieldValue } from "./values.ts";
import { addDeleteOfLocked, addUpdate } from "./write.ts";
import { writeOptionsOf, type Writer } from "./writer.ts";

/** How many records may become one at once. */
export const mostMerged = 20;

export interface Merge {
  readonly object: CrmObject;
  /** At least two, each once. */
  readonly ids: readonly string[];
  /** The one that stays, and whose values count where several have one. */
  readonly survivor: string;
}

/**
 * Makes one record of several, in one transaction: the survivor gets what it lacked, what pointed to the
 * others points to it, and the others are marked as deleted. Each record that changes has its event.
 * Throws `record-not-found` for one that is not there.
 */
export async function mergeRecords(writer: Writer, merge: Merge): Promise<JsonObject> {
  return untilSettled(merge.object, async () => {
    try {
      return await inTransaction(writer.pool, (sql) => mergeLocked(writer, sql, merge));
    } catch (error) {
      // A link came to be that a moved one meets: the next try sees it.
      if (isTaken(error)) return undefined;
      throw error;
    }
  });
}

async function mergeLocked(writer: Writer, sql: Sql, merge: Merge): Promise<JsonObject> {
  const records = await readMerged(sql, merge, "for update of r");
  const values = valuesOf(merge, records);
  await deleteOthers(writer, sql, merge);
  await moveRelations(writer, sql, merge);
  return updateSurvivor(writer, sql, { merge, values });
}

/** The survivor as merging would leave it. Changes nothing. */
export async function previewMerge({ pool }: Writer, merge: Merge): Promise<JsonObject> {
  const records = await readMerged(pool, merge, "");
  const given = valuesOf(merge, records).map(({ field, value }) => [field.name, value]);
  return { ...survivorOf(merge, records), ...Object.fromEntries(given) };
}

/** The records by their ids. Locked in the order of their ids, so that two merges wait for each other. */
async function readMerged(sql: Sql, { object, ids }: Merge, locking: "for update of r" | ""): Promise<JsonObject[]> {
  const statement = createStatement();
  const { text, values } = statement.query(
    `select ${recordJson(object, "r")} as record from ${object.table} r
     where r.id = any (${statement.param(ids, "uuid[]")}) and r.deleted_at is null order by r.id ${locking}`,
  );
  const { rows } = await sql.query<{ record: JsonObject }>(text, values);
  const found = new Map(rows.map(({ record }) => [record["id"], record]));
  return ids.map((id) => {
    const record = found.get(id);
    if (record === undefined) throw notFound(object, id);
    return record;
  });
}

function survivorOf({ survivor }: Merge, records: readonly JsonObject[]): JsonObject {
  const found = records.find((record) => record["id"] === survivor);
  if (found === undefined) throw new StepError("invalid-values", "The record that stays is not one of those to merge.");
  return found;
}

function valuesOf(merge: Merge, records: readonly JsonObject[]): FieldValue[] {
  const survivor = survivorOf(merge, records);
  return mergedValues(merge.object, { survivor, others: records.filter((record) => record !== survivor) });
}

async function deleteOthers(writer: Writer, sql: Sql, { object, ids, survivor }: Merge): Promise<void> {
  const statement = writer.begin({ locked: true });
  const others = statement.param(othersOf(ids, survivor), "uuid[]");
  statement.with(
    "locked",
    `select ${recordColumns(object, "r")} from ${object.table} r where r.id = any (${others}) order by r.id`,
  );
  addDeleteOfLocked(writeOptionsOf(writer, object, statement), { permanently: false });
  await writer.commit(sql, statement);
}

/** A statement for each object whose records may point to the merged ones. */
async function moveRelations(writer: Writer, sql: Sql, { object, ids, survivor }: Merge): Promise<void> {
  for (const pointing of writer.objects.list()) {
    const fields = pointing.fields.filter(({ relation }) => relation?.object === object.name);
    if (fields.length === 0) continue;
    await lockPointing(sql, pointing, { fields, ids });
    const statement = writer.begin({ locked: true });
    addMoved(writeOptionsOf(writer, pointing, statement), { fields, survivor, others: othersOf(ids, survivor) });
    const { text, values } = statement.query("select 1 from moved limit 1");
    await sql.query(text, values);
  }
}

/**
 * Locks what points to one of the merged records where two of it may become the same: of two merges at once
 * each would otherwise drop the one that the other one keeps. The next statement sees what the others left.
 */
async function lockPointing(
  sql: Sql,
  object: CrmObject,
  { fields, ids }: { fields: readonly CrmField[]; ids: readonly string[] },
): Promise<void> {
  const mayMeet = fields.some((field) => field.unique || object.uniqueTogether.some((group) => group.includes(field)));
  if (!mayMeet) return;
  const points = fields.map(({ column }) => `r.${column} = any ($1::uuid[])`);
  await sql.query(`select 1 from ${object.table} r where ${points.join(" or ")} order by r.id for update of r`, [ids]);
}

async function updateSurvivor(
  writer: Writer,
  sql: Sql,
  { merge, values }: { merge: Merge; values: readonly FieldValue[] },
): Promise<JsonObject> {
  const { object, survivor } = merge;
  const statement = writer.begin({ locked: true });
  addUpdate(writeOptionsOf(writer, object, statement), { id: survivor, values });
  try {
    const change = await writer.commit(sql, statement);
    if (change === undefined) throw notFound(object, survivor);
    return change.record;
  } catch (error) {
    if (!isTaken(error)) throw error;
    throw await recordExists(writer.pool, object, { values, except: survivor });
  }
}

function othersOf(ids: readonly string[], survivor: string): string[] {
  return ids.filter((id) => id !== survivor);
}
