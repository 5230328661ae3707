import { loopOf, pathsOf, planNodes, type Plan, type PlanStep } from "../definition/plan.ts";
import { isJsonObject, type Json } from "../json.ts";
import { statementName, type Sql } from "../sql.ts";
import type { ListCounts } from "./step-lists.ts";
import { isoOf, summaryColumns, toSummary, type RunSummary, type SummaryRow, type Times } from "./run-list.ts";
import { listWaits, type OpenWait } from "./waits/list.ts";

/** A run with everything that it did. */
export interface RunDetail extends RunSummary {
  /** Of its long lists only how many items each has. */
  readonly trigger: Json;
  readonly settings: Json;
  /** What it shares with the runs that wait for one another; null: nothing. */
  readonly concurrency: { readonly key: string; readonly limit: number; readonly whenBusy: string } | null;
  readonly output: Json;
  /** What it waits for now. */
  readonly waits: readonly OpenWait[];
  readonly steps: readonly StepDetail[];
}

export interface StepDetail {
  /** The step's address in the run. */
  readonly path: string;
  readonly kind: string;
  /** `running`: no outcome yet; its attempts say how far it is. */
  readonly status: "done" | "failed" | "skipped" | "already-done" | "outcome-unknown" | "running";
  readonly outcome: string | null;
  readonly lane: "quick" | "ordinary";
  readonly startedAt: string;
  readonly endedAt: string | null;
  readonly attempts: readonly StepAttempt[];
  readonly input: Json;
  readonly output: Json;
  /** Lists of the output that are kept as pages: in their places it has `{ count }`. */
  readonly lists: readonly StepList[];
  readonly error: Json;
  /** What its code printed. */
  readonly log: string | null;
  /** Of a loop: how many of its items are how far. */
  readonly items: ItemCounts | null;
}

/** Items of a loop, counted. Those that are none of the last three are not over. */
export interface ItemCounts {
  readonly total: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly filtered: number;
}

export interface StepList {
  /** Ledger path of the row that has it: the step's own, or of what it hands out. */
  readonly path: string;
  /** Keys of the output that lead to it, with dots between them. */
  readonly name: string;
  readonly count: number;
}

export interface StepAttempt {
  readonly number: number;
  readonly startedAt: string;
  readonly endedAt: string | null;
  readonly error: Json;
}

/**
 * One run with its steps in the order in which they came out, without those in items of loops; undefined when
 * the workspace has no such run.
 */
export async function findRun(
  sql: Sql,
  { workspaceId, runId }: { workspaceId: string; runId: string },
): Promise<RunDetail | undefined> {
  const text = `select ${summaryColumns}, r.trigger, r.settings, r.output, v.plan,
      case when r.concurrency_key is not null then jsonb_build_object('key', substr(r.concurrency_key, strpos(r.concurrency_key, ':') + 1),
        'limit', r.concurrency_limit, 'whenBusy', r.when_busy) end as concurrency
    from tandem.runs r join tandem.workflows w on w.id = r.workflow_id join tandem.workflow_versions v on v.id = r.version_id
    where r.id = $2::uuid and r.workspace_id = $1::uuid`;
  const { rows } = await sql.query<
    SummaryRow & Omit<RunDetail, keyof RunSummary | "steps" | "waits"> & { plan: Plan | null }
  >({
    name: statementName(text),
    text,
    values: [workspaceId, runId],
  });
  const row = rows[0];
  if (row === undefined) return undefined;
  const { plan, trigger, settings, concurrency, output, ...summary } = row;
  const steps = plan === null ? [] : await readSteps(sql, runId, { plan, steps: plan.steps, prefix: "" });
  const waits = await listWaits(sql, runId);
  return { ...toSummary(summary), trigger, settings, concurrency, output, waits, steps };
}

type ResultRow = Times<Omit<StepDetail, "attempts" | "lists" | "items">, "startedAt" | "endedAt"> & {
  attempts: number;
  lists: ListCounts | null;
};
type AttemptRow = Times<StepAttempt, "startedAt" | "endedAt"> & { path: string };

/** Steps of the plan, or of an item of a loop in it, as they came out. */
export async function readSteps(
  sql: Sql,
  runId: string,
  { plan, steps, prefix }: { plan: Plan; steps: readonly PlanStep[]; prefix: string },
): Promise<StepDetail[]> {
  const paths = pathsOf(steps, prefix);
  const results = await sql.query<ResultRow>({
    name: "read_step_results",
    text: `select path, kind, status, outcome, lane, started_at as "startedAt", ended_at as "endedAt", attempts, input, output, lists, error, log
      from tandem.step_results where run_id = $1::uuid and path = any($2::text[]) order by ordinal`,
    values: [runId, paths],
  });
  const attempts = await sql.query<AttemptRow>({
    name: "read_step_attempts",
    text: `select path, number, started_at as "startedAt", ended_at as "endedAt", error
      from tandem.step_attempts where run_id = $1::uuid and path = any($2::text[]) order by path, number`,
    values: [runId, paths],
  });
  const attemptsOf = groupByPath(attempts.rows);
  const done = results.rows.map((row) => toStep(row, attemptsOf.get(row.path) ?? []));
  const sealed = new Set(results.rows.map((row) => row.path));
  const kinds = new Map(planNodes(plan).map((step) => [prefix + step.id, step.kind]));
  const running = [...attemptsOf]
    .filter(([path]) => !sealed.has(path))
    .map(([path, tries]) => toRunningStep(path, tries, kinds.get(path) ?? "unknown"));
  return withLoops(sql, runId, foldOutputs([...done, ...running]));
}

/** A loop is one step: that it was opened shows in how many items it has, and when shows as its start. */
async function withLoops(sql: Sql, runId: string, steps: readonly StepDetail[]): Promise<StepDetail[]> {
  const opened = new Map<string, { items: ItemCounts; startedAt: string }>();
  for (const { path, kind, status, startedAt } of steps) {
    if (kind !== "open" || status !== "done") continue;
    const loop = loopOf(path);
    opened.set(loop, { items: await countItems(sql, runId, loop), startedAt });
  }
  const shown = new Set(steps.map(({ path }) => path));
  return steps.flatMap((step) => {
    if (step.kind !== "open") return [{ ...step, ...opened.get(step.path) }];
    const loop = loopOf(step.path);
    if (shown.has(loop) || step.status !== "done")
      return shown.has(loop) ? [] : [{ ...step, path: loop, kind: "iterator" }];
    const running = { status: "running", outcome: null, endedAt: null, input: null, output: null, lists: [] } as const;
    return [{ ...step, ...running, path: loop, kind: "iterator", items: opened.get(loop)?.items ?? null }];
  });
}

async function countItems(sql: Sql, runId: string, loop: string): Promise<ItemCounts> {
  const { rows } = await sql.query<ItemCounts>({
    name: "count_loop_items",
    text: `select (select (s.verdict->>'count')::integer from tandem.step_results s where s.run_id = $1::uuid and s.path = $2::text || '.open') as total,
        count(*) filter (where status = 'done')::integer as succeeded, count(*) filter (where status = 'failed')::integer as failed,
        count(*) filter (where status = 'skipped')::integer as filtered
      from tandem.step_results where run_id = $1::uuid and item_of = $2::text`,
    values: [runId, loop],
  });
  return rows[0] ?? { total: 0, succeeded: 0, failed: 0, filtered: 0 };
}

/**
 * What a block hands out is a row of its own in the ledger (`<block>.output`); people read it as part of
 * the block: beside the branch taken, or in the place of what the failed step would have given.
 */
function foldOutputs(steps: readonly StepDetail[]): StepDetail[] {
  const handedOut = new Map(steps.filter((step) => step.kind === "output").map((step) => [step.path, step]));
  return steps
    .filter((step) => step.kind !== "output" || step.status !== "done")
    .map((step) => {
      const given = handedOut.get(`${step.path}.output`);
      if (given === undefined) return step;
      const { output, lists } = given;
      return {
        ...step,
        lists: [...step.lists, ...lists],
        output: step.kind === "branch" && isJsonObject(step.output) ? { ...step.output, output } : output,
      };
    });
}

function toStep({ attempts, lists, ...row }: ResultRow, tries: readonly AttemptRow[]): StepDetail {
  const startedAt = row.startedAt.toISOString();
  const endedAt = isoOf(row.endedAt);
  // The quick lane keeps no row for a try that succeeded or failed for good: the result is that try.
  const own: StepAttempt[] =
    tries.length >= attempts ? [] : [{ number: attempts, startedAt, endedAt, error: row.error }];
  const counts = Object.entries(lists ?? {}).map(([name, count]) => ({ path: row.path, name, count }));
  return { ...row, startedAt, endedAt, lists: counts, items: null, attempts: [...tries.map(toAttempt), ...own] };
}

function toRunningStep(path: string, tries: readonly AttemptRow[], kind: string): StepDetail {
  const attempts = tries.map(toAttempt);
  return {
    path,
    kind,
    status: "running",
    outcome: null,
    lane: "ordinary",
    startedAt: attempts[0]?.startedAt ?? new Date(0).toISOString(),
    endedAt: null,
    attempts,
    input: null,
    output: null,
    lists: [],
    error: attempts.findLast((attempt) => attempt.error !== null)?.error ?? null,
    log: null,
    items: null,
  };
}

function groupByPath(rows: readonly AttemptRow[]): Map<string, AttemptRow[]> {
  const groups = new Map<string, AttemptRow[]>();
  for (const row of rows) {
    const group = groups.get(row.path);
    if (group === undefined) groups.set(row.path, [row]);
    else group.push(row);
  }
  return groups;
}

function toAttempt({ number, startedAt, endedAt, error }: AttemptRow): StepAttempt {
  return { number, startedAt: startedAt.toISOString(), endedAt: isoOf(endedAt), error };
}
