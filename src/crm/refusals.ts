import { StepError } from "../errors.ts";
import type { JsonObject } from "../json.ts";
import { createStatement, literal, sqlState, type Sql, type Statement } from "../sql.ts";
import { nameOf, snakeCase } from "./ddl.ts";
import { comparable, uniqueExpression } from "./normalize.ts";
import type { CrmField, CrmObject } from "./objects.ts";
import { mainText, type FieldValue } from "./values.ts";

/** How often a change is tried that meets others; each time it is another one that was faster. */
const mostTries = 20;

/**
 * Does `work` until it gives something: undefined means that the world changed meanwhile. What Postgres
 * rolls back for the sake of others (40P01, 40001) is done again too.
 */
export async function untilSettled<T>(object: CrmObject, work: () => Promise<T | undefined>): Promise<T> {
  for (let tries = 1; tries <= mostTries; tries++) {
    try {
      const result = await work();
      if (result !== undefined) return result;
    } catch (error) {
      const code = sqlState(error)?.code ?? "";
      if (!["40P01", "40001"].includes(code) || tries === mostTries) throw refusalOf(error, object);
    }
  }
  throw contended(object);
}

export function contended(object: CrmObject): StepError {
  return new StepError("record-contended", `${object.name}: others changed the record again and again meanwhile.`, {
    retryable: true,
  });
}

/** Whether the error says that a unique value of a record is taken; one of the ledger is another matter. */
export function isTaken(error: unknown): boolean {
  const state = sqlState(error);
  return state?.code === "23505" && state.schema !== "tandem";
}

/** The same of one of these values, each by itself. */
export function isTakenBy(error: unknown, object: CrmObject, values: readonly FieldValue[]): boolean {
  const field = fieldOf(object, sqlState(error)?.constraint, "key");
  return isTaken(error) && values.some((value) => value.field === field);
}

/** What a database's error says about the change, as a StepError; any other error stays as it is. */
export function refusalOf(error: unknown, object: CrmObject): unknown {
  const state = sqlState(error);
  if (state === undefined || state.schema === "tandem") return error;
  const cause = { cause: error };
  if (state.code === "23503") {
    const field = fieldOf(object, state.constraint, "fkey");
    const place = field === undefined ? object.name : `${object.name}.${field.name}`;
    const sentence = `${place}: ${field === undefined ? "a record" : "the record"} it refers to does not exist.`;
    return new StepError("related-record-not-found", sentence, cause);
  }
  if (state.code === "23514") {
    const field = fieldOf(object, state.constraint, "required");
    if (field !== undefined) return mustHaveValue(object, field, cause);
    const together = fieldsOfGroup(object, state.constraint);
    if (together.length > 0) return mayHaveOne(object, together, cause);
  }
  // Text that Postgres cannot keep, numbers out of range, values longer than an index takes.
  if (["22P05", "22021", "22P02", "22003", "22008", "54000"].includes(state.code)) {
    const said = error instanceof Error ? error.message : state.code;
    return new StepError("invalid-values", `${object.name}: Postgres cannot keep a value (${said}).`, cause);
  }
  return error;
}

/** The field that a constraint is for. */
function fieldOf(object: CrmObject, constraint: string | undefined, suffix: string): CrmField | undefined {
  return object.fields.find(({ columnName }) => nameOf(object.tableName, columnName, suffix) === constraint);
}

/** The fields of the relation to several objects that a constraint is for. */
function fieldsOfGroup(object: CrmObject, constraint: string | undefined): CrmField[] {
  return object.fields.filter(({ relation }) => {
    const group = relation?.group ?? null;
    return group !== null && nameOf(object.tableName, snakeCase(group), "one_of") === constraint;
  });
}

function mayHaveOne(object: CrmObject, fields: readonly CrmField[], cause: { cause: unknown }): StepError {
  const names = fields.map(({ name }) => name);
  const details = {
    issues: names.map((name) => ({ path: `values.${name}`, message: "may not be set beside another of them" })),
  };
  const message = `${object.name}: of ${names.join(", ")} one may have a value, no more.`;
  return new StepError("invalid-values", message, { ...cause, details });
}

function mustHaveValue(object: CrmObject, { name }: CrmField, cause: { cause: unknown }): StepError {
  const details = { issues: [{ path: `values.${name}`, message: "must have a value" }] };
  return new StepError("invalid-values", `${object.name}: ${name} must have a value.`, { ...cause, details });
}

/** A record that has one of the unique values, and the fields that they stand in. */
export async function findTaken(
  sql: Sql,
  object: CrmObject,
  values: readonly FieldValue[],
): Promise<{ id: string; fields: string[] } | undefined> {
  return findSame(
    sql,
    object,
    values.filter(isUnique).map((value) => [value]),
  );
}

/** A record that has all values of one of the sets, and the fields that they stand in. */
async function findSame(
  sql: Sql,
  object: CrmObject,
  sets: ReadonlyArray<readonly FieldValue[]>,
): Promise<{ id: string; fields: string[] } | undefined> {
  if (sets.length === 0) return undefined;
  const statement = createStatement();
  const conditions = sets.map((set) => set.map((value) => sameSql(statement, value)).join(" and "));
  const fields = sets.map((set, i) => {
    const names = set.map(({ field }) => literal(field.name));
    return `case when ${conditions[i]} then array[${names.join(", ")}] else '{}' end`;
  });
  const text = `select t.id, ${fields.join(" || ")} as fields from ${object.table} t
    where t.deleted_at is null and (${conditions.map((condition) => `(${condition})`).join(" or ")}) order by t.created_at, t.id limit 1`;
  const { rows } = await sql.query<{ id: string; fields: string[] }>(statement.query(text));
  return rows[0];
}

/** SQL over the alias: that a record has one of the unique values. */
export function hasOneSql(statement: Statement, values: readonly FieldValue[], alias: string): string {
  return values.map((value) => sameSql(statement, value, alias)).join(" or ");
}

/** SQL over the alias, as the unique index has it. */
function sameSql(statement: Statement, { field, value }: FieldValue, alias = "t"): string {
  const text = mainText({ field, value });
  const wanted =
    text !== undefined && (field.info.main !== undefined || field.info.comparesAs === "text")
      ? comparable(field, statement.param(text, "text"))
      : statement.param(value, field.info.column);
  return `${uniqueExpression(field, alias)} = ${wanted}`;
}

/** Whether a value must be the only one of its kind: what is empty need not be. */
export function isUnique(value: FieldValue): boolean {
  return value.field.unique && hasValue(value);
}

function hasValue({ field, value }: FieldValue): boolean {
  return value !== null && (field.info.main === undefined ? value : (mainText({ field, value }) ?? "")) !== "";
}

/** The error that a unique value is taken, by which record. `except`: the record that was to be changed. */
export async function recordExists(
  sql: Sql,
  object: CrmObject,
  { values, except }: { readonly values: readonly FieldValue[]; readonly except?: string },
): Promise<StepError> {
  const alone = values.filter(isUnique);
  const taken = await findSame(sql, object, [...alone.map((value) => [value]), ...togetherOf(object, values)]);
  const fields = taken?.fields ?? namesOf(alone.map(({ field }) => field));
  const details: JsonObject = { fields, ...(taken === undefined ? {} : { id: taken.id }) };
  if (fields.length === 0) {
    const message = `${object.name}: there is a record with this id, or with the same fields that together are unique.`;
    return new StepError("record-exists", message, { details });
  }
  const other = taken === undefined || taken.id === except ? "" : `, by the record ${taken.id}`;
  const isAlone = fields.every((name) => object.field(name)?.unique === true);
  const what = isAlone ? `${fields.join(" or ")} is taken` : `${fields.join(" and ")} together are taken`;
  return new StepError("record-exists", `${object.name}: ${what}${other}.`, { details });
}

/** The values that together must be unique, where all of them are given. */
function togetherOf({ uniqueTogether }: CrmObject, values: readonly FieldValue[]): FieldValue[][] {
  return uniqueTogether.flatMap((fields) => {
    const set = values.filter((value) => fields.includes(value.field) && hasValue(value));
    return set.length === fields.length ? [set] : [];
  });
}

function namesOf(fields: readonly CrmField[]): string[] {
  return fields.map((field) => field.name);
}

export function notFound(object: CrmObject, id: string): StepError {
  return new StepError("record-not-found", `There is no ${object.name} ${id}.`);
}
