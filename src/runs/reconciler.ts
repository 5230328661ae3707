import type { Log } from "../log.ts";
import type { Sql, SqlPool } from "../sql.ts";
import { cancelOrphans } from "./calls/cancel.ts";
import { closeAs, releaseKey } from "./close.ts";
import { openStatuses, unendedStatuses } from "./ledger.ts";
import { createLoop, type Loop } from "./loop.ts";
import { closeQuestions } from "./questions/store.ts";

/** What Temporal knows of a run's workflow. `fence`: the one that it was started under, where that is known. */
export type WorkflowState =
  | { readonly kind: "open"; readonly fence: number | undefined; readonly stuck: boolean }
  | {
      readonly kind: "closed";
      readonly fence: number | undefined;
      readonly as: "completed" | "failed" | "cancelled" | "terminated" | "timed-out";
      readonly reason?: string;
    }
  | { readonly kind: "not-found" };

/** What the reconciler needs of Temporal: answers about one workflow, never a visibility query, which lags. */
export interface Witness {
  describe(runId: string): Promise<WorkflowState>;
  cancel(runId: string): Promise<void>;
  terminate(runId: string, reason: string): Promise<void>;
}

interface OpenRun {
  readonly id: string;
  readonly fence: number;
  readonly status: "running" | "waiting";
  readonly stuck: boolean;
}

const everyMs = 2_000;
/** An open run is looked at again after this long. */
const lookAgainSeconds = 10;
const batch = 50;
const together = 8;

/**
 * Mends what the ledger and Temporal disagree on (DURABILITY.md §6): carries cancels to the workflows,
 * closes runs whose workflow a person ended in the Web UI, starts again those whose workflow is gone,
 * and ends workflows whose run is closed.
 */
export function createReconciler(parts: { pool: SqlPool; witness: Witness; log: Log }): Loop {
  const { pool, witness, log } = parts;
  let nextSweep = 0;

  async function compareAll(): Promise<void> {
    await cancelOrphans(pool);
    await each(await cancelling(pool), (run) => carryCancel(run));
    await each(await toLookAt(pool), (run) => compare(run));
    await each(await closedToConfirm(pool), (id) => confirmClosed(id));
    if (Date.now() >= nextSweep) {
      nextSweep = Date.now() + 10_000;
      await sweepKeys(pool);
      await closeQuestions(pool);
    }
  }

  async function carryCancel(run: { id: string; fence: number }): Promise<void> {
    const state = await witness.describe(run.id);
    if (state.kind === "open") return witness.cancel(run.id);
    await closeAs(pool, { runId: run.id, fence: run.fence, status: "cancelled", error: null });
    await releaseKey(pool, run.id);
  }

  async function compare(run: OpenRun): Promise<void> {
    const state = await witness.describe(run.id);
    if (state.kind !== "not-found" && (state.fence ?? run.fence) < run.fence) return supersede(run, state);
    if (state.kind === "open") {
      if (state.stuck !== run.stuck) await setStuck(pool, run.id, state.stuck);
      return;
    }
    if (state.kind === "not-found") {
      log.warn(
        { runId: run.id },
        "Temporal does not know an open run: it is started again, and what is sealed is not repeated",
      );
      return startAgain(pool, run);
    }
    const cancelled = state.as === "cancelled";
    const reason = state.reason === undefined ? "" : ` (${state.reason})`;
    const error = cancelled
      ? null
      : { code: `workflow-${state.as}`, message: `The run's workflow was ended in Temporal: ${state.as}${reason}.` };
    await closeAs(pool, { runId: run.id, fence: run.fence, status: cancelled ? "cancelled" : "failed", error });
    await releaseKey(pool, run.id);
  }

  /**
   * A run was started anew, since Temporal did not know its workflow, and that was there after all: it can
   * change nothing any more, and stands in the new one's way.
   */
  async function supersede(run: OpenRun, state: WorkflowState): Promise<void> {
    log.warn({ runId: run.id }, "a run's workflow is older than its last start: it is ended and another one started");
    if (state.kind === "open") await witness.terminate(run.id, "The run was started anew");
    await startAgain(pool, run);
  }

  async function confirmClosed(id: string): Promise<void> {
    const state = await witness.describe(id);
    if (state.kind === "open") await witness.terminate(id, "The run is closed in Tandem's ledger");
  }

  async function each<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
    for (let from = 0; from < items.length; from += together) {
      await Promise.all(items.slice(from, from + together).map(work));
    }
  }

  return createLoop({
    work: "comparing runs with Temporal",
    log,
    async round() {
      await compareAll();
      return everyMs;
    },
  });
}

async function cancelling(sql: Sql): Promise<{ id: string; fence: number }[]> {
  const { rows } = await sql.query<{ id: string; fence: number }>({
    name: "cancelling_runs",
    text: `select id, fence from tandem.runs
      where cancel_requested_at is not null and status in ${openStatuses} order by cancel_requested_at limit ${batch}`,
  });
  return rows;
}

/** Open runs not looked at lately; marks them as looked at, so that several workers share the work. */
async function toLookAt(sql: Sql): Promise<OpenRun[]> {
  const { rows } = await sql.query<OpenRun>({
    name: "runs_to_look_at",
    text: `update tandem.runs set checked_at = now() where id in (
        select id from tandem.runs where status in ('running', 'waiting') and cancel_requested_at is null
          and coalesce(checked_at, started_at) < now() - interval '${lookAgainSeconds} seconds'
        order by coalesce(checked_at, started_at) limit ${batch} for update skip locked)
      returning id, fence, status, stuck`,
  });
  return rows;
}

/** Runs that something other than their own workflow closed more than 30 seconds ago, each once. */
async function closedToConfirm(sql: Sql): Promise<string[]> {
  const { rows } = await sql.query<{ id: string }>({
    name: "closed_to_confirm",
    text: `update tandem.runs set checked_at = now() where id in (
        select id from tandem.runs
        where ended_at between now() - interval '1 hour' and now() - interval '30 seconds'
          and started_at is not null and coalesce(checked_at, started_at) < ended_at
        order by ended_at limit ${batch} for update skip locked)
      returning id`,
  });
  return rows.map((row) => row.id);
}

/** A waiting run keeps waiting; its new workflow reads the wait from the ledger. */
async function startAgain(sql: Sql, run: OpenRun): Promise<void> {
  await sql.query({
    name: "start_again",
    text: `update tandem.runs set fence = fence + 1, status = 'starting', lease_until = now() - interval '1 second'
      where id = $1::uuid and fence = $2::integer and status in ('running', 'waiting')`,
    values: [run.id, run.fence],
  });
}

async function setStuck(sql: Sql, runId: string, stuck: boolean): Promise<void> {
  await sql.query({
    name: "set_stuck",
    text: "update tandem.runs set stuck = $2::boolean where id = $1::uuid",
    values: [runId, stuck],
  });
}

/** Judges again the head of a line whose key has room: a release that was lost with its process. */
async function sweepKeys(sql: Sql): Promise<void> {
  const head = (beyond: string): string =>
    `select q.id, q.workspace_id, q.concurrency_key, q.concurrency_limit from tandem.runs q
        where q.concurrency_key is not null and q.status = 'queued' and q.ready is distinct from true${beyond}
        order by q.workspace_id, q.concurrency_key, q.id limit 1`;
  await sql.query({
    name: "sweep_keys",
    text: `with recursive heads as (
        (${head("")})
        union all
        select n.* from heads h, lateral (${head(" and (q.workspace_id, q.concurrency_key) > (h.workspace_id, h.concurrency_key)")}) n
      )
      update tandem.runs r set ready = null from heads h
      where r.id = h.id and r.status = 'queued' and r.ready = false and (
        select count(*) from (
          select 1 from tandem.runs o
          where o.workspace_id = h.workspace_id and o.concurrency_key = h.concurrency_key and o.ready
            and o.status in ${unendedStatuses} limit h.concurrency_limit) t
      ) < h.concurrency_limit`,
  });
}
