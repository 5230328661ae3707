import { FencedError } from "../errors.ts";
import type { PathSegment } from "../definition/expressions.ts";
import type { RetryPolicy, Verdict } from "../definition/plan.ts";
import type { Json, JsonObject } from "../json.ts";
import type { Sql } from "../sql.ts";
import { workspaceColumns, type Workspace } from "../workspace.ts";
import { beginGated, commitGated, openStatuses, type RunKey, type StepFailure } from "./ledger.ts";
import { triggerDocument } from "./lists.ts";
import { knownParts, knownRows, loadRowsText, partsOf, type KnownRow, type LoadedRow } from "./known-rows.ts";
import type { RunFacts } from "./lookup.ts";
import type { Needs } from "./needs.ts";
import { addWait } from "./waits/open.ts";
import { waitForSlot } from "./waits/park.ts";

/** What an attempt or a block knows of its run from one statement. */
export interface LoadedRun {
  readonly id: string;
  readonly workspace: Workspace;
  readonly workflowId: string;
  readonly workflowKey: string;
  readonly depth: number;
  /** It holds no slot: whatever is to begin in it waits for one first (`waits/park.ts`). */
  readonly waiting: boolean;
  /** Whether other runs may wait for this one's concurrency key. */
  readonly keyed: boolean;
  readonly facts: RunFacts;
  readonly trigger: ReadonlyMap<string, Json>;
}

interface RunColumns {
  workspace: Workspace;
  workflowId: string;
  workflowKey: string;
  depth: number;
  waiting: boolean;
  keyed: boolean;
  settings: JsonObject;
  startedAt: Date;
  scheduledAt: Date | null;
  lastSuccessAt: Date | null;
  launchedBy: Json;
  triggerParts: Json[][];
}

const runColumns = (subs: string): string => `${workspaceColumns} as workspace, r.workflow_id as "workflowId",
  f.key as "workflowKey", r.depth, r.status = 'waiting' as waiting, r.concurrency_key is not null as keyed, r.settings, r.started_at as "startedAt",
  r.scheduled_at as "scheduledAt", r.last_success_at as "lastSuccessAt", r.launched_by as "launchedBy",
  ${partsOf(triggerDocument(subs), subs)} as "triggerParts"`;
const runJoins = `join tandem.workspaces w on w.id = r.workspace_id join tandem.workflows f on f.id = r.workflow_id`;

function loadedRun(runId: string, row: RunColumns, subs: ReadonlyArray<readonly PathSegment[]>): LoadedRun {
  const { workspace, workflowId, workflowKey, depth, waiting, keyed } = row;
  return {
    id: runId,
    workspace,
    workflowId,
    workflowKey,
    depth,
    waiting,
    keyed,
    facts: {
      settings: row.settings,
      run: {
        id: runId,
        startedAt: row.startedAt.toISOString(),
        scheduledAt: row.scheduledAt?.toISOString() ?? null,
        lastSuccess: { scheduledAt: row.lastSuccessAt?.toISOString() ?? null },
        launchedBy: row.launchedBy,
      },
      workspace: { timeZone: workspace.timeZone, currency: workspace.currency },
    },
    trigger: knownParts(subs, row.triggerParts),
  };
}

/** The run, and what is sealed of steps at these paths: where a block begins. Undefined: not open under this fence. */
export async function loadRun(
  sql: Sql,
  key: RunKey,
  { trigger, paths }: { trigger: Needs["trigger"]; paths: readonly string[] },
): Promise<{ run: LoadedRun; verdicts: Map<string, Verdict> } | undefined> {
  const { rows } = await sql.query<RunColumns & { verdicts: { [path: string]: Verdict } | null }>({
    name: "load_run",
    text: `select ${runColumns("$3::jsonb")},
             (select jsonb_object_agg(s.path, s.verdict) from tandem.step_results s
               where s.run_id = r.id and s.path = any($4::text[])) as verdicts
           from tandem.runs r ${runJoins}
           where r.id = $1::uuid and r.fence = $2::integer and r.status in ${openStatuses}`,
    values: [key.runId, key.fence, JSON.stringify(trigger), paths],
  });
  const row = rows[0];
  if (row === undefined) return undefined;
  return { run: loadedRun(key.runId, row, trigger), verdicts: new Map(Object.entries(row.verdicts ?? {})) };
}

/** What is sealed of steps at these paths. */
export async function loadVerdicts(
  sql: Sql,
  runId: string,
  paths: readonly string[],
): Promise<Array<[string, Verdict]>> {
  if (paths.length === 0) return [];
  const { rows } = await sql.query<{ path: string; verdict: Verdict }>({
    name: "load_verdicts",
    text: `select path, verdict from tandem.step_results where run_id = $1::uuid and path = any($2::text[])`,
    values: [runId, paths],
  });
  return rows.map(({ path, verdict }) => [path, verdict]);
}

/** How an ordinary attempt begins. */
export type Beginning =
  | { readonly kind: "sealed"; readonly verdict: Verdict; readonly outcome: string | null }
  /** The step waits for something, or for a slot: the run must wait for this first. */
  | { readonly kind: "waiting"; readonly waitId: string }
  | {
      readonly kind: "begun";
      /** Number of this try's row. */
      readonly attempt: number;
      /** Tries before this one that count against the user's retries. */
      readonly counted: number;
      readonly run: LoadedRun;
      readonly rows: Map<string, KnownRow>;
    };

/**
 * Begins an ordinary attempt in one statement: answers with what is sealed, else commits the attempt's
 * row and loads what the step's expressions name. Throws FencedError.
 */
export async function beginAttempt(sql: Sql, key: RunKey, path: string, needs: Needs): Promise<Beginning> {
  const { rows } = await sql.query<
    RunColumns & {
      verdict: Verdict | null;
      outcome: string | null;
      waitId: string | null;
      attempt: number | null;
      counted: number;
      loaded: LoadedRow[];
    }
  >({
    name: "begin_attempt",
    text: `with gate as (
        select r.id as run_id, r.status from tandem.runs r where r.id = $1::uuid and r.fence = $2::integer and r.status in ${openStatuses}
      ), sealed as (
        select s.verdict, s.outcome from tandem.step_results s where s.run_id = $1::uuid and s.path = $3::text
      ), waiting as (
        select w.id, w.due_at, w.beside from tandem.waits w where w.run_id = $1::uuid and w.id like $6::text and w.settled_at is null
      ), paused as (
        -- A run that was started anew while it waited gives its slot back.
        update tandem.runs r set status = 'waiting', due_at = w.due_at from gate g, waiting w
        where r.id = g.run_id and r.status in ('starting', 'running') and r.fence = $2::integer and not w.beside
          and not exists (select 1 from sealed)
      ), before as (
        select coalesce(max(a.number), 0) as number, count(*) filter (where a.counts) as counted
        from tandem.step_attempts a where a.run_id = $1::uuid and a.path = $3::text
      ), attempt as (
        insert into tandem.step_attempts (run_id, path, number)
        select g.run_id, $3::text, b.number + 1 from gate g, before b
        where g.status <> 'waiting' and not exists (select 1 from sealed) and not exists (select 1 from waiting)
        returning number
      )
      select ${runColumns("$4::jsonb")}, (select verdict from sealed) as verdict, (select outcome from sealed) as outcome,
        (select id from waiting limit 1) as "waitId", (select number from attempt) as attempt,
        (select counted from before)::integer as counted,
        coalesce((select jsonb_agg(to_jsonb(l)) from (${loadRowsText("$1::uuid", "$5::jsonb")}) l), '[]'::jsonb) as loaded
      from gate g join tandem.runs r on r.id = g.run_id ${runJoins}`,
    values: [
      key.runId,
      key.fence,
      path,
      JSON.stringify(needs.trigger),
      JSON.stringify(needs.rows),
      `${path.replace(/[\\%_]/g, "\\$&")}#%`,
    ],
  });
  const row = rows[0];
  if (row === undefined) throw new FencedError(`The run ${key.runId} is not open under fence ${key.fence}.`);
  if (row.verdict !== null) return { kind: "sealed", verdict: row.verdict, outcome: row.outcome };
  if (row.waitId !== null) return { kind: "waiting", waitId: row.waitId };
  if (row.waiting) return { kind: "waiting", waitId: await waitForSlot(sql, key, path) };
  if (row.attempt === null) throw new Error(`No attempt row was made for ${path} of run ${key.runId}.`);
  return {
    kind: "begun",
    attempt: row.attempt,
    counted: row.counted,
    run: loadedRun(key.runId, row, needs.trigger),
    rows: knownRows(needs.rows, row.loaded),
  };
}

/** What follows a failed try that the policy lets be repeated. */
export type NextTry =
  | { readonly kind: "soon"; readonly inMs: number }
  | { readonly kind: "wait"; readonly waitId: string };

/** A pause that is kept while holding the run's slot; a longer one gives the slot back (§3, §7). */
const shortPauseMs = 2_000;

/** The pause before the next try, in milliseconds, after `counted` tries of the target. */
export function pauseAfter(policy: RetryPolicy, counted: number): number {
  return Math.min(
    policy.initialIntervalMs * policy.backoffCoefficient ** Math.max(counted - 1, 0),
    policy.maximumIntervalMs,
  );
}

/**
 * Commits that a try of the target failed. When the next one lies more than two seconds ahead the run
 * begins to wait, in the same statement, and gives up its slot.
 */
export async function failAttempt(
  sql: Sql,
  key: RunKey,
  failed: {
    path: string;
    attempt: number;
    error: StepFailure;
    startedAt: Date;
    pauseMs: number;
    /** False: the target was not asked; by default it was. */
    counts?: boolean;
    beside?: boolean;
  },
): Promise<NextTry> {
  const statement = beginGated(key);
  const p = statement.param;
  const waitId = `${failed.path}#${failed.attempt}`;
  const waits = failed.pauseMs > shortPauseMs;
  const [path, number, error] = [p(failed.path, "text"), p(failed.attempt, "integer"), p(failed.error, "jsonb")];
  const counts = p(failed.counts ?? true, "boolean");
  // The quick lane writes no row before its attempt: then this inserts it.
  statement.with(
    "attempt",
    `insert into tandem.step_attempts (run_id, path, number, started_at, ended_at, counts, error)
     select g.run_id, ${path}, ${number}, ${p(failed.startedAt, "timestamptz")}, clock_timestamp(), ${counts}, ${error} from gate g
     on conflict (run_id, path, number) do update set ended_at = excluded.ended_at, counts = ${counts}, error = excluded.error`,
  );
  if (waits) {
    const until = `clock_timestamp() + ${p(failed.pauseMs, "double precision")} * interval '1 millisecond'`;
    addWait(statement, {
      path: failed.path,
      waitId,
      kind: "retry",
      until,
      beside: failed.beside === true,
      fence: key.fence,
    });
  }
  await commitGated(sql, statement);
  return waits ? { kind: "wait", waitId } : { kind: "soon", inMs: failed.pauseMs };
}

/**
 * Whether the wait is over; says, committed, that the run has read it, or which workflow waits for it. A
 * wait that is not there is over.
 */
export async function readWait(
  sql: Sql,
  { runId, waitId, waiter }: { runId: string; waitId: string; waiter?: string | undefined },
): Promise<boolean> {
  const { rows } = await sql.query<{ settled: boolean }>({
    name: "read_wait",
    text: `with w as (
        update tandem.waits set read_at = coalesce(read_at, now()) where run_id = $1::uuid and id = $2::text and settled_at is not null returning 1
      ), waiting as (
        update tandem.waits set waiter = $3::text
        where run_id = $1::uuid and id = $2::text and settled_at is null and waiter is distinct from $3::text
      ) select exists (select 1 from w) or not exists (select 1 from tandem.waits where run_id = $1::uuid and id = $2::text) as settled`,
    values: [runId, waitId, waiter ?? null],
  });
  return rows[0]?.settled === true;
}
