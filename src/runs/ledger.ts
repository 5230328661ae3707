import { FencedError } from "../errors.ts";
import type { Verdict } from "../definition/plan.ts";
import type { Json, JsonObject } from "../json.ts";
import { createStatement, sqlState, type Sql, type Statement } from "../sql.ts";
import { leftovers } from "./leftovers.ts";
import { addCompleted, closedColumns } from "./schedules/last-success.ts";
import type { Seal } from "./seal.ts";
import { addStepLists, splitRow, withoutLongLists } from "./step-lists.ts";

export type Lane = "quick" | "ordinary";

/** The run an attempt works for, under the fence it started with. */
export interface RunKey {
  readonly runId: string;
  readonly fence: number;
}

export interface StepFailure {
  readonly code: string;
  readonly message: string;
  readonly [detail: string]: Json;
}

/** One row of the ledger: how a step came out. Written once, never changed. */
export interface StepRow {
  readonly path: string;
  readonly kind: string;
  readonly status: "done" | "failed" | "skipped" | "already-done" | "outcome-unknown";
  readonly outcome: string | null;
  readonly verdict: Verdict;
  readonly input: Json | null;
  readonly output: Json | null;
  readonly error: StepFailure | null;
  /** Tries at the target, this one included. */
  readonly attempts: number;
  /** Number of this try's own row in step_attempts; null in the quick lane, which writes none. */
  readonly attempt: number | null;
  readonly lane: Lane;
  readonly startedAt: Date;
  readonly endedAt: Date;
  /** Of a row that closes an item of a loop: path of the loop, and the item's number. */
  readonly itemOf?: string;
  readonly item?: number;
  /** What the step's code printed. */
  readonly log?: string;
  /** Lists of the output that are kept as pages, with their lengths. */
  readonly lists?: Readonly<Record<string, number>>;
  /** Adds what else is committed with the row. */
  readonly also?: (statement: Statement) => void;
}

/** What is known of a row before its step is done: whose it is, and of which try. */
export type OwnRow = Pick<StepRow, "path" | "attempts" | "attempt" | "lane" | "startedAt">;

/** How a run ends, as the ledger keeps it. */
export interface RunEnd {
  readonly status: "completed" | "failed";
  readonly output: Json | null;
  readonly error: JsonObject | null;
}

/** Statuses in which a run may still change records. */
export const openStatuses = "('starting', 'running', 'waiting')";

/** Statuses of a run that is not over: it may be open, or is still to be. */
export const unendedStatuses = "('queued', 'starting', 'running', 'waiting')";

const columns =
  "run_id, path, kind, status, outcome, verdict, input, output, error, attempts, lane, started_at, ended_at, item_of, item, log, lists";
const rowShape = `path text, kind text, status text, outcome text, verdict jsonb, input jsonb, output jsonb,
  error jsonb, attempts integer, lane text, "startedAt" timestamptz, "endedAt" timestamptz,
  "itemOf" text, item integer, log text, lists jsonb`;
const rowColumns = `q.path, q.kind, q.status, q.outcome, q.verdict, q.input, q.output, q.error, q.attempts, q.lane, q."startedAt", q."endedAt", q."itemOf", q.item, q.log, q.lists`;

/** A statement whose CTE `gate` has a row only while the run is open under this fence. */
export function beginGated(key: RunKey, options: { locked?: boolean } = {}): Statement {
  const statement = createStatement();
  const lock = options.locked === true ? " for share" : "";
  statement.with(
    "gate",
    `select r.id as run_id from tandem.runs r
     where r.id = ${statement.param(key.runId, "uuid")} and r.fence = ${statement.param(key.fence, "integer")}
       and r.status in ${openStatuses}${lock}`,
  );
  return statement;
}

/**
 * Locks the row of a run that is open under this fence until the transaction ends: with "share" others that
 * work for the run may do the same meanwhile. Throws FencedError.
 */
export async function lockOpen(
  sql: Sql,
  key: RunKey,
  lock: "share" | "no key update" = "no key update",
): Promise<{ readonly status: string }> {
  const { rows } = await sql.query<{ status: string }>({
    name: `lock_open_for_${lock.replaceAll(" ", "_")}`,
    text: `select status from tandem.runs where id = $1::uuid and fence = $2::integer and status in ${openStatuses} for ${lock}`,
    values: [key.runId, key.fence],
  });
  if (rows[0] === undefined) throw new FencedError(`The run ${key.runId} is not open under fence ${key.fence}.`);
  return rows[0];
}

/**
 * The seal of a step that changes records: its result, and the results of the steps before it that
 * changed nothing and are not sealed yet (`riders`), commit with the change (DURABILITY.md §5).
 */
export function createSeal(
  key: RunKey,
  row: Omit<StepRow, "status" | "outcome" | "verdict" | "output" | "endedAt">,
  riders: readonly StepRow[] = [],
): Seal {
  const split = riders.map(splitRow);
  const ridden = split.map((rider) => rider.row);
  return {
    begin: (options) => beginGated(key, options),
    async commit(sql, statement, { from, output, outcome, lists = "null" }) {
      const p = statement.param;
      const own = `select g.run_id, ${p(row.path, "text")}, ${p(row.kind, "text")}, 'done', (${outcome})::text, '{"kind":"done"}'::jsonb,
          ${p(withoutLongLists(row.input), "jsonb")}, (${output})::jsonb, null::jsonb, ${p(row.attempts, "integer")}, ${p(row.lane, "text")},
          ${p(row.startedAt, "timestamptz")}, clock_timestamp(), null::text, null::integer, null::text, (${lists})::jsonb
        from gate g, ${from}`;
      const others =
        ridden.length === 0
          ? ""
          : `select g.run_id, ${rowColumns} from gate g, jsonb_to_recordset(${p(ridden, "jsonb")}) as q(${rowShape})
             where exists (select 1 from ${from}) union all `;
      statement.with(
        "sealed",
        `insert into tandem.step_results (${columns}) ${others}${own} returning path, output, outcome`,
      );
      addStepLists(statement, split, `exists (select 1 from ${from})`);
      endAttempt(statement, row);
      const query = statement.query(
        `select exists (select 1 from gate) as open, s.output, s.outcome
         from (values (1)) one left join sealed s on s.path = ${p(row.path, "text")}`,
      );
      const { rows } = await sql.query<{ open: boolean; output: Json; outcome: string | null }>(query);
      const result = rows[0];
      if (result === undefined || !result.open) throw new FencedError(fencedSentence);
      return result.output === null && result.outcome === null
        ? undefined
        : { output: result.output, outcome: result.outcome };
    },
  };
}

/**
 * Seals finished steps in one statement and, with `end`, closes the run in the same. Throws FencedError
 * when the run is not open under this fence; a unique violation when another attempt sealed first.
 */
export async function sealRows(sql: Sql, key: RunKey, rows: readonly StepRow[], end?: RunEnd): Promise<void> {
  if (rows.length === 0 && end === undefined) return;
  const statement = beginGated(key);
  if (rows.length > 0) {
    const split = rows.map(splitRow);
    const kept = split.map(({ row }) => row);
    statement.with(
      "sealed",
      `insert into tandem.step_results (${columns}) select g.run_id, ${rowColumns}
       from gate g, jsonb_to_recordset(${statement.param(kept, "jsonb")}) as q(${rowShape})`,
    );
    addStepLists(statement, split);
    for (const row of rows) {
      endAttempt(statement, row);
      row.also?.(statement);
    }
  }
  // Rows that come with an end are of a block, which keeps no rows of tries: `leftovers` ends no try that these end.
  if (end !== undefined) addClose(statement, key, end);
  await commitGated(sql, statement);
}

/** Carries out a statement that has the CTE `gate`. Throws FencedError where the gate was shut: then it did nothing. */
export async function commitGated(sql: Sql, statement: Statement): Promise<void> {
  const { rows } = await sql.query<{ open: boolean }>(statement.query("select exists (select 1 from gate) as open"));
  if (rows[0]?.open !== true) throw new FencedError(fencedSentence);
}

function addClose(statement: Statement, key: RunKey, end: RunEnd): void {
  const p = statement.param;
  statement.with(
    "closed",
    `update tandem.runs r set status = ${p(end.status, "text")}, output = ${p(end.output, "jsonb")}, error = ${p(end.error, "jsonb")},
       ended_at = statement_timestamp(), checked_at = statement_timestamp(), fence = r.fence + 1, due_at = null, lease_owner = null, lease_until = null, stuck = false
     from gate g where r.id = g.run_id returning r.id, ${closedColumns}`,
  );
  for (const { name, body } of leftovers(p(key.runId, "uuid"))) statement.with(name, body);
  if (end.status === "completed") addCompleted(statement);
}

/** Marks the try's own row as ended by its target. */
export function endAttempt(statement: Statement, row: Pick<StepRow, "path" | "attempt" | "error">): void {
  if (row.attempt === null) return;
  const p = statement.param;
  statement.with(
    "attempt",
    `update tandem.step_attempts a set ended_at = clock_timestamp(), counts = true, error = ${p(row.error, "jsonb")}
     from gate g where a.run_id = g.run_id and a.path = ${p(row.path, "text")} and a.number = ${p(row.attempt, "integer")}`,
  );
}

/** Whether the error says that another attempt has sealed the step: read its result and go on from it. */
export function isLedgerConflict(error: unknown): boolean {
  const state = sqlState(error);
  return state?.code === "23505" && state.schema === "tandem" && /^step_(results|lists)/.test(state.table ?? "");
}

const fencedSentence = "The run is closed, cancelled or was started anew: this attempt may change nothing any more.";
