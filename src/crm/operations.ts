import { StepError } from "../errors.ts";
import { createId } from "../ids.ts";
import type { JsonObject } from "../json.ts";
import {
  createStatement,
  inTransaction,
  sqlState,
  statementName,
  type Sql,
  type SqlPool,
  type Statement,
} from "../sql.ts";
import type { Workspace } from "../workspace.ts";
import { filterSql, findTarget } from "./filter.ts";
import { recordJson, type Actor, type CrmField, type CrmObject, type Objects, type Origin } from "./objects.ts";
import { uniqueExpression } from "./normalize.ts";
import { addCreate, addDelete, addUpdate, type Link, type WriteMode, type WriteOptions } from "./write.ts";
import { parseValues, type FieldValue } from "./values.ts";
import type { RecordCondition } from "../definition/conditions.ts";

/** What a change came to. */
export interface Change {
  readonly id: string;
  readonly outcome: "created" | "updated" | "unchanged" | "deleted";
  readonly record: JsonObject;
  /** The whole record as it was; null when created. */
  readonly before: JsonObject | null;
  readonly changedFields: string[];
}

/**
 * Who writes, and how the change is committed. `begin` gives a statement, in a run with the CTE `gate`
 * in it; `commit` runs it and gives the row of `changed`: undefined when there was none.
 */
export interface Writer {
  readonly pool: SqlPool;
  readonly workspace: Workspace;
  readonly objects: Objects;
  readonly actor: Actor;
  readonly origin: Origin | null;
  readonly gate?: string;
  begin(options?: { locked?: boolean }): Statement;
  commit(sql: Sql, statement: Statement): Promise<Change | undefined>;
}

/** A writer outside any run. */
export function createWriter(parts: Pick<Writer, "pool" | "workspace" | "objects" | "actor">): Writer {
  return {
    ...parts,
    origin: null,
    begin: () => createStatement(),
    async commit(sql, statement) {
      const { rows } = await sql.query<Change>(
        statement.query(`select id, outcome, record, before, changed_fields as "changedFields" from changed`),
      );
      return rows[0];
    },
  };
}

export interface Values {
  readonly object: CrmObject;
  readonly values: JsonObject;
  readonly modes?: Readonly<Record<string, WriteMode>> | undefined;
  readonly links?: readonly Link[] | undefined;
}

function optionsOf(writer: Writer, object: CrmObject, statement: Statement): WriteOptions {
  const { workspace, objects, actor, origin, gate } = writer;
  return { statement, workspace, objects, object, actor, origin, ...(gate === undefined ? {} : { gate }) };
}

/**
 * Makes a record. When a unique field's value is taken: `fail` throws StepError `record-exists`, `use`
 * gives the record that has it, `update` changes that one, in a new statement (DURABILITY.md §1).
 */
export async function createRecord(
  writer: Writer,
  create: Values & { ifExists?: "fail" | "use" | "update"; id?: string; first?: "insert" | "look" },
): Promise<Change> {
  const { object, ifExists = "fail", first = "insert" } = create;
  const values = parseValues(object, create.values);
  requireFields(object, values);
  // Between the refusal and the look-up the other record may be deleted, or made: then once more.
  for (let tries = 0; tries < 20; tries++) {
    const look = ifExists !== "fail" && (first === "look" || tries > 0);
    const existing = look ? await findExisting(writer.pool, object, values) : undefined;
    if (existing !== undefined) {
      const change = await updateIn(writer, writer.pool, {
        ...create,
        id: existing,
        values: ifExists === "use" ? [] : values,
      });
      if (change !== undefined) return change;
      continue;
    }
    try {
      return await insertRecord(writer, writer.pool, { ...create, values });
    } catch (error) {
      const taken = takenField(error, object);
      if (taken === undefined) throw translate(error, object);
      if (ifExists === "fail") throw await recordExists(writer.pool, object, values);
    }
  }
  throw new StepError(
    "record-contended",
    `${object.name}: the record was made and deleted again and again meanwhile.`,
    { retryable: true },
  );
}

async function insertRecord(
  writer: Writer,
  sql: Sql,
  {
    object,
    values,
    links,
    id,
  }: { object: CrmObject; values: readonly FieldValue[]; links?: readonly Link[] | undefined; id?: string },
): Promise<Change> {
  const statement = writer.begin();
  addCreate(optionsOf(writer, object, statement), {
    id: id ?? createId(),
    values,
    ...(links === undefined ? {} : { links }),
  });
  const change = await writer.commit(sql, statement);
  if (change === undefined) throw new Error(`${object.name}: nothing was created.`);
  return change;
}

async function updateIn(
  writer: Writer,
  sql: Sql,
  update: {
    object: CrmObject;
    id: string;
    values: readonly FieldValue[];
    modes?: Readonly<Record<string, WriteMode>> | undefined;
    links?: readonly Link[] | undefined;
    onlyIf?: RecordCondition | undefined;
  },
): Promise<Change | undefined> {
  const { object, id, values, modes, links, onlyIf } = update;
  const statement = writer.begin();
  const condition =
    onlyIf && filterSql(onlyIf, { statement, objects: writer.objects, object, alias: "r", at: "onlyIf" });
  addUpdate(optionsOf(writer, object, statement), {
    id,
    values,
    ...(modes === undefined ? {} : { modes }),
    ...(links === undefined ? {} : { links }),
    ...(condition === undefined ? {} : { onlyIf: condition }),
  });
  try {
    return await writer.commit(sql, statement);
  } catch (error) {
    if (takenField(error, object) !== undefined) throw await recordExists(writer.pool, object, values, id);
    throw translate(error, object);
  }
}

/** Throws StepError: `record-not-found`, `precondition-failed` with the record as it is. */
export async function updateRecord(
  writer: Writer,
  update: Values & { id: string; onlyIf?: RecordCondition | undefined },
): Promise<Change> {
  const { object, id } = update;
  const values = parseValues(object, update.values);
  const change = await updateIn(writer, writer.pool, { ...update, values });
  if (change !== undefined) return change;
  const statement = createStatement();
  const text = `select ${recordJson(object, "t")} as record from ${object.table} t where t.id = ${statement.param(id, "uuid")} and t.deleted_at is null`;
  const { rows } = await writer.pool.query<{ record: JsonObject }>(statement.query(text));
  if (rows[0] === undefined) throw notFound(object, id);
  throw new StepError("precondition-failed", `${object.name} ${id}: onlyIf does not hold for the record as it is.`, {
    details: { record: rows[0].record },
  });
}

/**
 * Changes the record that has the same values in the `match` fields, else makes it. Match fields that no
 * unique index guards are locked by their values, in a statement of its own before the one that reads
 * (DURABILITY.md §12): two at once make one record.
 */
export async function upsertRecord(writer: Writer, upsert: Values & { match: readonly string[] }): Promise<Change> {
  const { object, match } = upsert;
  const values = parseValues(object, upsert.values);
  const [only] = match;
  const unique = match.length === 1 ? object.fields.find((field) => field.name === only && field.unique) : undefined;
  if (unique !== undefined && hasMain(unique, values))
    return createRecord(writer, { ...upsert, ifExists: "update", first: "look" });
  try {
    return await inTransaction(writer.pool, async (sql) => {
      await lockMatch(sql, writer.workspace, object, matchText(match, upsert.values));
      const existing = await findMatch(sql, object, match, upsert.values);
      const locked: Writer = { ...writer, begin: () => writer.begin({ locked: true }) };
      if (existing === undefined) {
        requireFields(object, values);
        return insertRecord(locked, sql, { ...upsert, values });
      }
      const change = await updateIn(locked, sql, { ...upsert, id: existing, values });
      if (change === undefined)
        throw new StepError("record-contended", `${object.name} ${existing} was deleted meanwhile.`, {
          retryable: true,
        });
      return change;
    });
  } catch (error) {
    if (takenField(error, object) !== undefined) throw await recordExists(writer.pool, object, values);
    throw translate(error, object);
  }
}

function hasMain(field: CrmField, values: readonly FieldValue[]): boolean {
  const value = values.find((given) => given.field.name === field.name)?.value;
  if (field.info.main === undefined) return typeof value === "string" && value !== "";
  const main = (value as JsonObject | undefined)?.[field.info.main];
  return typeof main === "string" && main !== "";
}

async function lockMatch(sql: Sql, workspace: Workspace, object: CrmObject, values: string): Promise<void> {
  const text = "select pg_advisory_xact_lock(hashtextextended($1::text, 0))";
  await sql.query({ name: statementName(text), text, values: [`${workspace.id} ${object.name} ${values}`] });
}

/** One text for the values to match, the same for values that compare as the same. */
function matchText(match: readonly string[], values: JsonObject): string {
  return JSON.stringify(match.map((field) => [field, values[field] ?? null])).toLowerCase();
}

async function findMatch(
  sql: Sql,
  object: CrmObject,
  match: readonly string[],
  values: JsonObject,
): Promise<string | undefined> {
  const statement = createStatement();
  const conditions = match.flatMap((name) => {
    const value = values[name] ?? null;
    const field = object.field(name);
    if (field?.info.comparesAs !== "composite") return [matchSql(statement, object, [name], value)];
    return Object.entries((value ?? {}) as JsonObject).map(([sub, part]) =>
      matchSql(statement, object, [name, sub], part),
    );
  });
  const text = `select t.id from ${object.table} t where t.deleted_at is null and ${conditions.join(" and ")} order by t.created_at, t.id limit 1`;
  const { rows } = await sql.query<{ id: string }>(statement.query(text));
  return rows[0]?.id;
}

function matchSql(statement: Statement, object: CrmObject, path: readonly string[], value: unknown): string {
  const target = findTarget(object, path, "t", "match");
  return `${target.sql} is not distinct from ${target.parameter(statement.param(value, target.type))}`;
}

/** Undefined: there was no such record. */
export async function deleteRecord(
  writer: Writer,
  { object, id, permanently }: { object: CrmObject; id: string; permanently: boolean },
): Promise<Change | undefined> {
  const statement = writer.begin();
  addDelete(optionsOf(writer, object, statement), { id, permanently });
  return writer.commit(writer.pool, statement);
}

/** The id of a record that has one of the unique values. */
async function findExisting(sql: Sql, object: CrmObject, values: readonly FieldValue[]): Promise<string | undefined> {
  const statement = createStatement();
  const conditions = values
    .filter(({ field }) => field.unique && hasMain(field, values))
    .map(({ field, value }) => {
      const main = field.info.main === undefined ? value : (value as JsonObject)[field.info.main];
      const { parameter } = findTarget(object, [field.name], "t", "values");
      return `${uniqueExpression(field, "t")} = ${parameter(statement.param(main, "text"))}`;
    });
  if (conditions.length === 0) return undefined;
  const text = `select t.id from ${object.table} t where t.deleted_at is null and (${conditions.join(" or ")}) order by t.created_at, t.id limit 1`;
  const { rows } = await sql.query<{ id: string }>(statement.query(text));
  return rows[0]?.id;
}

async function recordExists(
  sql: Sql,
  object: CrmObject,
  values: readonly FieldValue[],
  except?: string,
): Promise<StepError> {
  const fields = values.filter(({ field }) => field.unique).map(({ field }) => field.name);
  const id = await findExisting(sql, object, values);
  const other = id === undefined || id === except ? "" : `, by the record ${id}`;
  const details: JsonObject = { fields, ...(id === undefined ? {} : { id }) };
  return new StepError("record-exists", `${object.name}: ${fields.join(" or ")} is taken${other}.`, { details });
}

export function notFound(object: CrmObject, id: string): StepError {
  return new StepError("record-not-found", `There is no ${object.name} ${id}.`);
}

function requireFields(object: CrmObject, values: readonly FieldValue[]): void {
  const given = new Map(values.map(({ field, value }) => [field.name, value]));
  const lacking = object.fields.filter((field) => field.required && (given.get(field.name) ?? null) === null);
  if (lacking.length === 0) return;
  throw new StepError(
    "invalid-values",
    `${object.name}: ${lacking.map((field) => field.name).join(", ")} must have a value.`,
  );
}

/** The object, when the error says that a unique value of its table is taken. */
function takenField(error: unknown, object: CrmObject): CrmObject | undefined {
  const state = sqlState(error);
  return state?.code === "23505" && state.schema !== "tandem" ? object : undefined;
}

/** A foreign key that leads nowhere is the caller's fault; deadlocks are repeated and not counted. */
function translate(error: unknown, object: CrmObject): unknown {
  const state = sqlState(error);
  if (state?.code !== "23503") return error;
  return new StepError(
    "related-record-not-found",
    `${object.name}: a record it refers to does not exist (${state.constraint ?? "relation"}).`,
  );
}
