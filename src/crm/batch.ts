import { StepError, type Issue } from "../errors.ts";
import type { RecordCondition } from "../definition/conditions.ts";
import type { Json, JsonObject } from "../json.ts";
import { inTransaction, type Sql } from "../sql.ts";
import { firstOfEach, foldRows, prepareRows, type BatchKind, type BatchRow } from "./batch-rows.ts";
import { lockMatches, matchersOf, toStatementRow } from "./batch-locks.ts";
import { addBatch } from "./batch-statement.ts";
import { checkModes, type WriteModes } from "./modes.ts";
import type { CrmField, CrmObject } from "./objects.ts";
import { contended, isTaken, notFound, recordExists, refusalOf, untilSettled } from "./refusals.ts";
import { findMissing } from "./related.ts";
import { invalidValues } from "./values.ts";
import { writeOptionsOf, type Writer } from "./writer.ts";

/** Why a row of a batch was not written. */
export interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly issues?: readonly Issue[];
}

/** What became of a row. */
export interface RowOutcome {
  readonly outcome: "created" | "updated" | "unchanged" | "refused";
  readonly id: string | null;
  /** The record as it is then; null where it was refused, or not asked for. */
  readonly record: JsonObject | null;
  readonly changedFields: readonly string[];
  readonly refusal?: Refusal;
}

export interface Batch {
  readonly object: CrmObject;
  /** Fields by name, as a single write takes them; a row may have an `id`. */
  readonly rows: readonly JsonObject[];
  readonly modes?: WriteModes | undefined;
  /** What must hold of a record that is there, in the statement that changes it; else its row is refused. */
  readonly onlyIf?: RecordCondition | undefined;
  /** Whether outcomes have their records; default: they have. */
  readonly records?: boolean | undefined;
  /** All rows or none: the first refusal is thrown, with the row's place as `index`. */
  readonly atomic?: boolean | undefined;
  /** Runs first in the transaction: what it locks stays as it is until the end. */
  before?(sql: Sql): Promise<void>;
  /** Runs in the same transaction, after the rows: what it writes commits with them. */
  andThen?(sql: Sql, outcomes: readonly RowOutcome[]): Promise<void>;
}

/** Makes a record of each row, in one statement. */
export async function createRecords(writer: Writer, batch: Batch): Promise<RowOutcome[]> {
  return writeBatch(writer, batch, { create: true });
}

/** Changes the record that each row names by its `id`, in one statement. */
export async function updateRecords(writer: Writer, batch: Batch): Promise<RowOutcome[]> {
  return writeBatch(writer, batch, { match: ["id"], create: false });
}

/**
 * Changes the record that has a row's values in the `match` fields, else makes it; all rows in one
 * statement. Without match fields a row is matched by its `id`, else by its first unique field that has
 * a value. Rows about the same record count in their order; where each only replaces, as one change.
 */
export async function upsertRecords(
  writer: Writer,
  batch: Batch & { readonly match: readonly string[] },
): Promise<RowOutcome[]> {
  return writeBatch(writer, batch, { match: batch.match, create: true });
}

/** A batch on its way. */
interface Work {
  readonly writer: Writer;
  readonly sql: Sql;
  readonly batch: Batch;
  readonly kind: BatchKind;
  /** What became of a row, by its place. */
  readonly outcomes: Map<number, RowOutcome>;
}

async function writeBatch(writer: Writer, batch: Batch, kind: BatchKind): Promise<RowOutcome[]> {
  const issues = checkModes(batch.object, batch.modes ?? {}, "modes");
  if (issues.length > 0) throw invalidValues(issues);
  const { rows, refused } = prepareRows(batch, kind);
  const write = async (sql: Sql): Promise<RowOutcome[]> => {
    await batch.before?.(sql);
    const work: Work = { writer, sql, batch, kind, outcomes: new Map() };
    for (const [n, error] of refused) settle(work, [n], refusedBy(error));
    const related = await refuseUnrelated(work, rows);
    const folded = foldRows(related, batch.modes);
    await lockMatches(sql, { workspace: writer.workspace, object: batch.object }, folded);
    await writeRounds(work, folded);
    const outcomes = batch.rows.map((_row, n) => outcomeOf(work, n));
    await batch.andThen?.(sql, outcomes);
    return outcomes;
  };
  return untilSettled(batch.object, () => inTransaction(writer.pool, write, writer));
}

function outcomeOf({ outcomes }: Work, n: number): RowOutcome {
  const outcome = outcomes.get(n);
  if (outcome === undefined) throw new Error(`Row ${n} of a batch was not settled.`);
  return outcome;
}

function settle({ batch, outcomes }: Work, members: readonly number[], outcome: RowOutcome): void {
  const { refusal } = outcome;
  if (batch.atomic === true && refusal !== undefined) {
    const issues = (refusal.issues ?? []).map(({ path, message }): JsonObject => ({ path, message }));
    throw new StepError(refusal.code, `[${members[0]}] ${refusal.message}`, {
      details: { index: members[0] ?? 0, issues },
    });
  }
  for (const n of members) outcomes.set(n, outcome);
}

function refusedBy({ code, message, details }: StepError): RowOutcome {
  const issues = details["issues"];
  const refusal = { code, message, ...(Array.isArray(issues) ? { issues: issues.flatMap(issueOf) } : {}) };
  return { outcome: "refused", id: null, record: null, changedFields: [], refusal };
}

function issueOf(value: Json): Issue[] {
  const { path, message } = (value ?? {}) as { path?: Json; message?: Json };
  return typeof path === "string" && typeof message === "string" ? [{ path, message }] : [];
}

/** One relation that leads nowhere would make the whole statement fail. */
async function refuseUnrelated(work: Work, rows: readonly BatchRow[]): Promise<BatchRow[]> {
  const { writer, sql, batch } = work;
  const { object } = batch;
  const missing = await findMissing(sql, writer.objects, { object, values: rows.flatMap(({ values }) => values) });
  if (missing.size === 0) return [...rows];
  return rows.filter(({ values, members }) => {
    const lost = values.find(({ field, value }) => typeof value === "string" && missing.has(`${field.name} ${value}`));
    if (lost === undefined) return true;
    const sentence = `${object.name}.${lost.field.name}: the record it refers to does not exist.`;
    settle(work, members, refusedBy(new StepError("related-record-not-found", sentence)));
    return false;
  });
}

/** Each round writes one row of each record; what others were faster with comes again. */
async function writeRounds(work: Work, rows: readonly BatchRow[]): Promise<void> {
  let pending = rows;
  for (let fruitless = 0; pending.length > 0;) {
    const settled = work.outcomes.size;
    const { now, later } = firstOfEach(pending);
    pending = [...(await writeRows(work, now)), ...later];
    fruitless = work.outcomes.size > settled ? 0 : fruitless + 1;
    if (fruitless > mostTries) throw contended(work.batch.object);
  }
}

/** Writes rows; where one of them makes the statement fail, each half by itself, until it is alone. */
async function writeRows(work: Work, rows: readonly BatchRow[]): Promise<BatchRow[]> {
  const { sql, batch } = work;
  await sql.query("savepoint batch");
  try {
    const found = await runStatement(work, rows);
    await sql.query("release savepoint batch");
    return await settleRows(work, rows, found);
  } catch (error) {
    const refusal = isTaken(error) ? error : refusalOf(error, batch.object);
    if (!isTaken(error) && !(refusal instanceof StepError && refusal !== error)) throw error;
    await sql.query("rollback to savepoint batch");
    const [row] = rows;
    if (row === undefined || rows.length > 1) {
      const half = Math.ceil(rows.length / 2);
      return [...(await writeRows(work, rows.slice(0, half))), ...(await writeRows(work, rows.slice(half)))];
    }
    settle(work, row.members, refusedBy(refusal instanceof StepError ? refusal : await taken(work, row)));
    return [];
  }
}

async function taken({ sql, batch }: Work, { values, id }: BatchRow): Promise<StepError> {
  return recordExists(sql, batch.object, { values, ...(id === null ? {} : { except: id }) });
}

interface Found {
  readonly n: number;
  readonly id: string;
  readonly outcome: "created" | "updated" | "unchanged" | "held" | null;
  readonly record: JsonObject | null;
  readonly changedFields: string[] | null;
}

async function runStatement({ writer, sql, batch }: Work, rows: readonly BatchRow[]): Promise<Found[]> {
  const { object, modes = {}, onlyIf, records = true } = batch;
  const statement = writer.begin({ locked: true });
  addBatch(writeOptionsOf(writer, object, statement), {
    rows: rows.map(toStatementRow),
    matchers: matchersOf(rows),
    fields: fieldsOf(object, rows),
    modes,
    onlyIf,
    records,
  });
  // Without a name: batches have any set of fields, and a prepared statement stays with its session.
  const { text, values } = statement.query(
    `select n, id, outcome, record, changed_fields as "changedFields" from changed`,
  );
  return (await sql.query<Found>(text, values)).rows;
}

/** In the object's order, so that the same fields make the same statement. */
function fieldsOf(object: CrmObject, rows: readonly BatchRow[]): CrmField[] {
  const named = new Set(rows.flatMap(({ values }) => values.map(({ field }) => field.name)));
  return object.fields.filter(({ name }) => named.has(name));
}

/** How often a row is tried that neither finds a record nor makes one. */
const mostTries = 3;

/** Gives the rows that are to be tried again. */
async function settleRows(work: Work, rows: readonly BatchRow[], found: readonly Found[]): Promise<BatchRow[]> {
  const byPlace = new Map(found.map((each) => [each.n, each]));
  const again: BatchRow[] = [];
  for (const row of rows) {
    const { outcome = null, id = null, record = null, changedFields = null } = byPlace.get(row.members[0] ?? 0) ?? {};
    if (outcome === "held") settle(work, row.members, refusedBy(isHeld(work, id ?? "")));
    else if (outcome !== null) settle(work, row.members, { outcome, id, record, changedFields: changedFields ?? [] });
    else if (id === null && row.newId === null) settle(work, row.members, refusedBy(notMade(work, row)));
    else if (id !== null || row.tries < mostTries) again.push({ ...row, tries: row.tries + 1 });
    else settle(work, row.members, refusedBy(await taken(work, row)));
  }
  return again;
}

/** Why a row's record stays as it is. */
function isHeld({ batch }: Work, id: string): StepError {
  return new StepError(
    "precondition-failed",
    `${batch.object.name} ${id}: onlyIf does not hold for the record as it is.`,
  );
}

/** Why a row without a record makes none. */
function notMade({ batch, kind }: Work, { id, lacking }: BatchRow): StepError {
  if (!kind.create) return notFound(batch.object, id ?? "");
  return invalidValues(lacking.map((name) => ({ path: name, message: "must have a value" })));
}
