import { recordJson } from "../crm/objects.ts";
import { matchingSql, type Selection } from "../crm/selection.ts";
import { FencedError } from "../errors.ts";
import { isJsonObject, textOf, type Json, type JsonObject } from "../json.ts";
import { beginGated, isLedgerConflict } from "../runs/ledger.ts";
import { addListPage, findListEnd, pageBytes, pageItems, readListPage } from "../runs/step-lists.ts";
import { createStatement, type Statement } from "../sql.ts";
import type { StepContext, StepOutcome } from "./step-kind.ts";

/** The output's list. */
const name = "records";

interface Search {
  readonly selection: Selection;
  readonly fields: readonly string[] | undefined;
}

/** How far the list is. */
interface End {
  /** Number of the next page, and index of its first item. */
  readonly page: number;
  readonly count: number;
  /** Id of the last record; undefined: there is none yet. */
  readonly last: string | undefined;
}

/**
 * Finds all records that match, in the order of their ids: each at most once, and one that matches all
 * the while exactly once. More than a page of them is written page by page, each in a statement of its
 * own, and goes from table to ledger without passing here; an attempt goes on after the last page that
 * is there, whoever wrote it.
 */
export async function searchAll(context: StepContext, search: Search): Promise<StepOutcome> {
  const { sql, run, path, signal } = context;
  let end = await findEnd(context);
  if (end.page === 0) {
    const records = await readFirst(context, search);
    if (records.length <= pageItems) return outcomeOf(records, records.length, records[0]);
  }
  for (let next: End | undefined = end; next !== undefined; next = await writePage(context, search, end)) {
    signal.throwIfAborted();
    end = next;
  }
  const { count } = end;
  const first = await readListPage(sql, { runId: run.id, path, name, index: 0 });
  return { ...outcomeOf({ count }, count, first?.items[0]), lists: { [name]: count } };
}

async function findEnd({ sql, run, path }: StepContext): Promise<End> {
  const end = await findListEnd(sql, { runId: run.id, path, name });
  return end === undefined ? { page: 0, count: 0, last: undefined } : { ...end, last: idOf(end.last) };
}

function outcomeOf(records: Json, total: number, first: Json | undefined): StepOutcome {
  return { output: { records, first: first ?? null, total, totalIsEstimate: false }, outcome: `${total} found` };
}

/** The first page and one record more. */
async function readFirst({ sql }: StepContext, search: Search): Promise<JsonObject[]> {
  const statement = createStatement();
  addFound(statement, search, { after: undefined, limit: pageItems + 1 });
  const { text, values } = statement.query("select f.record from found f order by f.id");
  const { rows } = await sql.query<{ record: JsonObject }>(text, values);
  return rows.map(({ record }) => record);
}

/** Writes the records after the end, as many as a page takes. Undefined: there are none. */
async function writePage(context: StepContext, search: Search, end: End): Promise<End | undefined> {
  const { sql, run, path, fence } = context;
  const statement = beginGated({ runId: run.id, fence });
  addFound(statement, search, { after: end.last, limit: pageItems });
  statement.with(
    "sized",
    `select f.id, f.record, row_number() over (order by f.id) as position,
       sum(octet_length(f.record::text)) over (order by f.id) as bytes from found f`,
  );
  statement.with("kept", `select s.id, s.record from sized s where s.bytes <= ${pageBytes} or s.position = 1`);
  addListPage(
    statement,
    { path, name, page: end.page, first: end.count },
    "select jsonb_agg(k.record order by k.id) as items from kept k having count(*) > 0",
  );
  const { text, values } = statement.query(
    `select exists (select 1 from gate) as open, (select count(*)::integer from kept) as count,
       (select k.id from kept k order by k.id desc limit 1) as last`,
  );
  try {
    const { rows } = await sql.query<{ open: boolean; count: number; last: string | null }>(text, values);
    const [written] = rows;
    if (written?.open !== true) throw new FencedError("The run is not open any more: nothing is searched for it.");
    return written.last === null
      ? undefined
      : { page: end.page + 1, count: end.count + written.count, last: written.last };
  } catch (error) {
    // Another attempt wrote this page: the next one goes on after it.
    if (isLedgerConflict(error)) return findEnd(context);
    throw error;
  }
}

/** Adds the CTE `found`: the records after an id, with the fields that are asked for. */
function addFound(
  statement: Statement,
  { selection, fields }: Search,
  { after, limit }: { after: string | undefined; limit: number },
): void {
  const { object } = selection;
  const shown = fields === undefined ? object.fields : object.fields.filter((field) => fields.includes(field.name));
  const beyond = after === undefined ? "" : ` and t.id > ${statement.param(after, "uuid")}`;
  statement.with(
    "found",
    `select t.id, ${recordJson({ ...object, fields: shown }, "t")} as record from ${object.table} t
     where ${matchingSql(statement, selection)}${beyond} order by t.id limit ${limit}`,
  );
}

function idOf(record: Json): string {
  const id = isJsonObject(record) ? textOf(record["id"]) : undefined;
  if (id === undefined) throw new Error("The last record of a search has no id.");
  return id;
}
