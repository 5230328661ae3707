import type { Sql } from "../sql.ts";

/** Runs that one dispatcher has started and that no worker has taken up yet. */
export interface StartWindow {
  /** How many more may be started now. */
  free(): number;
  add(runId: string): void;
  /** A worker has taken it up, or it could not be started. */
  remove(runId: string): void;
  /** Looks for those that another process's worker took up. */
  lookAfter(sql: Sql): Promise<void>;
}

/**
 * So many wait at Temporal for a worker at most: enough that a worker always finds one, few enough that
 * who comes next waits for no more than them, however many are queued. Turns between workflows are taken
 * here; Temporal's queue is first come, first served.
 */
const mostAhead = 8;
/** One that nobody here has taken up by then may be with another process's worker: the ledger tells. */
export const doubtfulMs = 50;
/** One of which nothing is known by then holds up nobody any more. */
const givenUpMs = 5_000;

/** `roomMade` is called when there is room again after there was none, or little. */
export function createStartWindow({ roomMade }: { roomMade(): void }): StartWindow {
  const started = new Map<string, number>();
  let lookedAt = 0;

  function remove(runId: string): void {
    if (started.delete(runId) && started.size < mostAhead) roomMade();
  }

  return {
    free: () => Math.max(mostAhead - started.size, 0),
    add: (runId) => void started.set(runId, Date.now()),
    remove,
    async lookAfter(sql) {
      const now = Date.now();
      if (now < lookedAt + doubtfulMs) return;
      lookedAt = now;
      const doubtful = [...started].filter(([, since]) => since < now - doubtfulMs).map(([runId]) => runId);
      if (doubtful.length === 0) return;
      const taken = new Set(await findTaken(sql, doubtful));
      for (const runId of doubtful)
        if (taken.has(runId) || (started.get(runId) ?? now) < now - givenUpMs) remove(runId);
    },
  };
}

/** Those that have come to a step, or are over, or wait for something. */
async function findTaken(sql: Sql, runIds: readonly string[]): Promise<string[]> {
  const { rows } = await sql.query<{ id: string }>({
    name: "runs_taken_up",
    text: `select q.id from unnest($1::uuid[]) q(id) left join tandem.runs r on r.id = q.id and r.status in ('starting', 'running')
      where r.id is null or exists (select 1 from tandem.step_results s where s.run_id = q.id)
        or exists (select 1 from tandem.step_attempts a where a.run_id = q.id)`,
    values: [runIds],
  });
  return rows.map(({ id }) => id);
}
