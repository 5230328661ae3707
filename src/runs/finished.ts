import type { Json, JsonObject } from "../json.ts";
import type { SqlPool } from "../sql.ts";
import type { RunAnswer } from "./answers.ts";
import type { RunStatus } from "./run-list.ts";

/** A run that is over, or has answered. */
export interface FinishedRun {
  readonly id: string;
  readonly status: RunStatus;
  readonly output: Json;
  readonly error: JsonObject | null;
  /** What a step of it answers, whether it is over or not; null: none has. */
  readonly answer: RunAnswer | null;
}

/** Waits for runs to be over, for any number of askers by one question at a time. */
export interface FinishedRuns {
  /**
   * The run, as soon as it is over or has answered; undefined when the time has passed, `signal` was aborted, or too many
   * wait already.
   */
  wait(runId: string, options: { withinMs: number; signal: AbortSignal }): Promise<FinishedRun | undefined>;
  /** Lets all who wait go, and those who come afterwards. */
  stop(): void;
}

interface Waiter {
  readonly runId: string;
  readonly since: number;
  settle(run?: FinishedRun): void;
}

/** How often is asked, by how long the youngest waits: quick runs are not held up, long ones cost little. */
const paces = [
  { untilMs: 1_000, everyMs: 20 },
  { untilMs: 5_000, everyMs: 100 },
  { untilMs: Infinity, everyMs: 250 },
] as const;

/** A watch over runs; `most` wait at once. No connection is held while they do. */
export function createFinishedRuns(pool: SqlPool, { most = 1_000 } = {}): FinishedRuns {
  const waiters = new Set<Waiter>();
  let next: { readonly timer: NodeJS.Timeout; readonly at: number } | undefined;
  let looking = false;
  let stopped = false;

  const look = async (): Promise<void> => {
    next = undefined;
    looking = true;
    // Postgres away is no end of a run: it is asked again.
    const over = await findFinished(
      pool,
      [...waiters].map(({ runId }) => runId),
    ).catch(() => []);
    looking = false;
    const byId = new Map(over.map((run) => [run.id, run]));
    for (const waiter of waiters) {
      const run = byId.get(waiter.runId);
      if (run !== undefined) waiter.settle(run);
    }
    plan();
  };
  /** Who comes now does not wait at the pace of those who have waited long. */
  const plan = (): void => {
    if (looking || stopped || waiters.size === 0) return;
    const at = performance.now() + paceOf(waiters);
    if (next !== undefined && next.at <= at) return;
    clearTimeout(next?.timer);
    next = { at, timer: setTimeout(() => void look(), at - performance.now()) };
  };

  return {
    wait(runId, { withinMs, signal }) {
      if (stopped || signal.aborted || waiters.size >= most) return Promise.resolve(undefined);
      return new Promise((resolve) => {
        const leave = (): void => waiter.settle();
        const limit = setTimeout(leave, withinMs);
        const waiter: Waiter = {
          runId,
          since: performance.now(),
          settle(run) {
            waiters.delete(waiter);
            clearTimeout(limit);
            signal.removeEventListener("abort", leave);
            resolve(run);
          },
        };
        signal.addEventListener("abort", leave);
        waiters.add(waiter);
        plan();
      });
    },
    stop() {
      stopped = true;
      clearTimeout(next?.timer);
      for (const waiter of waiters) waiter.settle();
    },
  };
}

function paceOf(waiters: ReadonlySet<Waiter>): number {
  const age = Math.min(...[...waiters].map(({ since }) => performance.now() - since));
  return paces.find(({ untilMs }) => age < untilMs)?.everyMs ?? 250;
}

async function findFinished(pool: SqlPool, runIds: readonly string[]): Promise<FinishedRun[]> {
  if (runIds.length === 0) return [];
  const { rows } = await pool.query<FinishedRun>({
    name: "find_finished",
    text: `select r.id, r.status, r.output, r.error,
        case when a.run_id is not null then jsonb_build_object('status', a.status, 'headers', a.headers, 'text', a.body) end as answer
      from tandem.runs r left join tandem.run_answers a on a.run_id = r.id
      where r.id = any($1::uuid[]) and (r.ended_at is not null or a.run_id is not null)`,
    values: [runIds],
  });
  return rows;
}
