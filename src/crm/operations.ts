import { StepError } from "../errors.ts";
import { createId } from "../ids.ts";
import type { JsonObject } from "../json.ts";
import { inTransaction, sqlState, type Sql } from "../sql.ts";
import { destroyFollowers, hasPointedFollowers, refusalOfDestroying } from "./destroy.ts";
import type { Link } from "./links.ts";
import { findMatch, lockMatch } from "./match.ts";
import { checkModes, withCleared, type WriteModes } from "./modes.ts";
import type { CrmObject } from "./objects.ts";
import { onlyIfSql, type OnlyIf } from "./only-if.ts";
import { findRecord } from "./read.ts";
import {
  findTaken,
  hasOneSql,
  isTaken,
  isTakenBy,
  isUnique,
  notFound,
  recordExists,
  untilSettled,
} from "./refusals.ts";
import { invalidValues, parseValues, requireFields, type FieldValue } from "./values.ts";
import { addCreate, addDelete, addUpdate } from "./write.ts";
import { writeOptionsOf, type Change, type Writer } from "./writer.ts";

export { createWriter, type Change, type Writer } from "./writer.ts";

export interface Values {
  readonly object: CrmObject;
  readonly values: JsonObject;
  readonly modes?: WriteModes | undefined;
  readonly links?: readonly Link[] | undefined;
}

/** What is written, with values that were checked. */
interface Write {
  readonly object: CrmObject;
  readonly values: readonly FieldValue[];
  readonly modes?: WriteModes | undefined;
  readonly links?: readonly Link[] | undefined;
  readonly onlyIf?: OnlyIf | undefined;
  /** Unique values by which the record was found: one without any of them by now is another. */
  readonly keys?: readonly FieldValue[] | undefined;
}

function parseWrite(write: Values & { onlyIf?: OnlyIf | undefined }): Write {
  const { object, modes, links, onlyIf } = write;
  const issues = checkModes(object, modes ?? {}, "modes");
  if (issues.length > 0) throw invalidValues(issues);
  return { object, values: parseValues(object, write.values), modes, links, onlyIf };
}

/**
 * Makes a record, in one statement. When a unique field's value is taken: `fail` (the default) throws
 * StepError `record-exists`, `use` gives the record that has it, `update` changes that one, in a new
 * statement (DURABILITY.md §1). Deleted records keep no value from others.
 */
export async function createRecord(
  writer: Writer,
  create: Values & { ifExists?: "fail" | "use" | "update"; id?: string },
): Promise<Change> {
  const { ifExists = "fail", id } = create;
  const write = parseWrite(create);
  return insertOrChange(writer, write, { ifExists, id, keys: write.values.filter(isUnique), look: false });
}

interface Making {
  readonly ifExists: "fail" | "use" | "update";
  readonly id?: string | undefined;
  /** The unique values by which a record is the same. */
  readonly keys: readonly FieldValue[];
  /** Whether to look for it first. */
  readonly look: boolean;
}

async function insertOrChange(writer: Writer, write: Write, making: Making): Promise<Change> {
  const { object, links } = write;
  const { ifExists, keys } = making;
  let { look } = making;
  // Between a refusal and the look-up the other record may go, and before the next try another may come.
  return untilSettled(object, async () => {
    const same = look ? await findTaken(writer.pool, object, keys) : undefined;
    if (same !== undefined) {
      const change = ifExists === "use" ? { object, values: [], links } : write;
      return changeRecord(writer, same.id, { ...change, keys });
    }
    try {
      return await insertRecord(writer, writer.pool, { ...write, id: making.id });
    } catch (error) {
      if (!isTaken(error)) throw error;
      if (ifExists === "fail" || !(await isSame(writer, error, { object, keys })))
        throw await recordExists(writer.pool, object, write);
      look = true;
      return undefined;
    }
  });
}

/** Whether a record met one that is there by its keys, also if that one is gone by now. */
async function isSame(
  { pool }: Writer,
  error: unknown,
  { object, keys }: { object: CrmObject; keys: readonly FieldValue[] },
): Promise<boolean> {
  return (await findTaken(pool, object, keys)) !== undefined || isTakenBy(error, object, keys);
}

async function insertRecord(writer: Writer, sql: Sql, write: Write & { id?: string | undefined }): Promise<Change> {
  const { object, links } = write;
  const values = withCleared(object, write.values, write.modes ?? {});
  requireFields(object, values, "create");
  const statement = writer.begin();
  addCreate(writeOptionsOf(writer, object, statement), { id: write.id ?? createId(), values, links });
  const change = await writer.commit(sql, statement);
  if (change === undefined) throw new Error(`${object.name}: nothing was created.`);
  return change;
}

/** Throws StepError: `record-not-found`, `precondition-failed` with the record as it is. */
export async function updateRecord(
  writer: Writer,
  update: Values & { id: string; onlyIf?: OnlyIf | undefined },
): Promise<Change> {
  const { object, id } = update;
  const write = parseWrite(update);
  return untilSettled(object, async () => {
    const change = await changeRecord(writer, id, write);
    if (change === undefined && (await findRecord(writer.pool, object, id)) === undefined) throw notFound(object, id);
    return change;
  });
}

/** Undefined: there is no such record. Throws `precondition-failed`, and `record-exists` for a value that is taken. */
async function changeRecord(writer: Writer, id: string, write: Write): Promise<Change | undefined> {
  try {
    return await changeWith(writer, writer.pool, { ...write, id });
  } catch (error) {
    if (!isTaken(error)) throw error;
    throw await recordExists(writer.pool, write.object, { values: write.values, except: id });
  }
}

async function changeWith(writer: Writer, sql: Sql, write: Write & { id: string }): Promise<Change | undefined> {
  const { object, id, onlyIf, keys = [], ...update } = write;
  requireFields(object, withCleared(object, write.values, write.modes ?? {}), "update");
  const statement = writer.begin();
  const conditions = [
    ...(keys.length === 0 ? [] : [`(${hasOneSql(statement, keys, "r")})`]),
    ...(onlyIf === undefined ? [] : [`(${onlyIfSql(onlyIf, { statement, objects: writer.objects, object })})`]),
  ];
  const condition = conditions.length === 0 ? undefined : conditions.join(" and ");
  addUpdate(writeOptionsOf(writer, object, statement), { ...update, id, onlyIf: condition });
  const change = await writer.commit(sql, statement);
  if (change !== undefined || onlyIf === undefined) return change;
  if (keys.length > 0 && (await findTaken(sql, object, keys))?.id !== id) return undefined;
  const record = await findRecord(sql, object, id);
  if (record === undefined) return undefined;
  const message = `${object.name} ${id}: onlyIf does not hold for the record as it is.`;
  throw new StepError("precondition-failed", message, { details: { record } });
}

/**
 * Changes the record that has the same values in the `match` fields, else makes it. Match fields that no
 * unique index guards are locked by their values, in a statement of its own before the one that reads
 * (DURABILITY.md §12): two at once make one record. `onlyIf` is asked of a record that is there.
 */
export async function upsertRecord(
  writer: Writer,
  upsert: Values & { match: readonly string[]; onlyIf?: OnlyIf | undefined },
): Promise<Change> {
  const { object, match } = upsert;
  const write = parseWrite(upsert);
  const keys = write.values.filter((value) => match.includes(value.field.name) && isUnique(value));
  if (match.length === 1 && keys.length === 1)
    return insertOrChange(writer, write, { ifExists: "update", keys, look: true });
  return untilSettled(object, async () => {
    try {
      return await inTransaction(writer.pool, (sql) => upsertLocked(writer, sql, { write, match }), writer);
    } catch (error) {
      if (!isTaken(error)) throw error;
      throw await recordExists(writer.pool, object, write);
    }
  });
}

async function upsertLocked(
  writer: Writer,
  sql: Sql,
  { write, match }: { write: Write; match: readonly string[] },
): Promise<Change | undefined> {
  const matching = { object: write.object, values: write.values, match };
  await lockMatch(sql, writer.workspace, matching);
  const found = await findMatch(sql, matching);
  if (found === undefined) return undefined;
  const locked: Writer = { ...writer, begin: () => writer.begin({ locked: true }) };
  return found.id === null ? insertRecord(locked, sql, write) : changeWith(locked, sql, { ...write, id: found.id });
}

/**
 * Marks or destroys a record. Undefined: there was no such record. Throws `invalid-values` where another
 * record must go on pointing to it.
 */
export async function deleteRecord(
  writer: Writer,
  { object, id, permanently }: { object: CrmObject; id: string; permanently: boolean },
): Promise<Change | undefined> {
  const { change } = await untilSettled(object, async () => {
    try {
      if (permanently && hasPointedFollowers(writer.objects, object))
        return { change: await inTransaction(writer.pool, (sql) => destroyAll(writer, sql, { object, id }), writer) };
      const statement = writer.begin();
      addDelete(writeOptionsOf(writer, object, statement), { id, permanently });
      return { change: await writer.commit(writer.pool, statement) };
    } catch (error) {
      // Another record began to point to it meanwhile: the next statement sees that one.
      if (sqlState(error)?.code === "23503") return undefined;
      throw refusalOfDestroying(error, writer.objects, object);
    }
  });
  return change;
}

/** Destroys a record after what goes with it. */
async function destroyAll(
  writer: Writer,
  sql: Sql,
  { object, id }: { object: CrmObject; id: string },
): Promise<Change | undefined> {
  await destroyFollowers(writer, sql, { object, id });
  const statement = writer.begin({ locked: true });
  addDelete(writeOptionsOf(writer, object, statement), { id, permanently: true });
  return writer.commit(sql, statement);
}
