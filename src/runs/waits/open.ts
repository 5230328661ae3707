import type { Sql, Statement } from "../../sql.ts";
import { beginGated, commitGated, openStatuses, type RunKey } from "../ledger.ts";

/** Something that a step of a run waits for. */
export interface NewWait {
  /** The step's path in the run. */
  readonly path: string;
  readonly waitId: string;
  readonly kind: "retry" | "timer" | "question" | "call" | "once";
  /** SQL: the moment at which it is over by itself; `null::timestamptz`: never. */
  readonly until: string;
  /** Other steps of the run may be at work meanwhile: the run keeps its slot until they wait, too. */
  readonly beside: boolean;
  readonly fence: number;
}

/** A step's wait for something other than its next try: it has one at most. */
export function waitIdOf(path: string, kind: "timer" | "question" | "call"): string {
  return `${path}#${kind}`;
}

/**
 * Adds a wait to a statement that has the CTE `gate`, and lets the run wait in the same (DURABILITY.md §7).
 * A wait that is there stays as it is. The CTE `waiting` has a row where it is new. The try under way came to
 * nothing but the wait, and is no try, unless the wait is for the next one.
 */
export function addWait(statement: Statement, wait: NewWait): void {
  const p = statement.param;
  statement.with(
    "waiting",
    `insert into tandem.waits (run_id, id, kind, until, due_at, beside)
     select g.run_id, ${p(wait.waitId, "text")}, ${p(wait.kind, "text")}, m.until, m.until, ${p(wait.beside, "boolean")}
     from gate g, (select ${wait.until} as until) m on conflict (run_id, id) do nothing returning run_id, due_at`,
  );
  if (wait.kind !== "retry") addNoTry(statement, wait.path);
  if (wait.beside) {
    // The run may have been parked since the step began, when the others had nothing but waits. Not where a value
    // of `once` is asked for, whose transactions hold the run's row together: they are told of it otherwise.
    if (wait.kind !== "once")
      statement.with(
        "sooner",
        `update tandem.runs r set due_at = case when r.status = 'waiting' then least(r.due_at, w.due_at) else r.due_at end
         from waiting w where r.id = w.run_id`,
      );
    return;
  }
  // Asked of the row itself, since the gate may have been shut while this waited for it.
  statement.with(
    "paused",
    `update tandem.runs r set status = 'waiting', due_at = w.due_at from waiting w
     where r.id = w.run_id and r.fence = ${p(wait.fence, "integer")} and r.status in ${openStatuses}`,
  );
}

function addNoTry(statement: Statement, path: string): void {
  statement.with(
    "no_try",
    `delete from tandem.step_attempts a using gate g
     where a.run_id = g.run_id and a.path = ${statement.param(path, "text")} and a.ended_at is null`,
  );
}

/** Lets a step wait until a moment. Gives the wait's id. Throws FencedError. */
export async function waitUntil(
  sql: Sql,
  key: RunKey,
  { path, until, beside }: { path: string; until: Date; beside: boolean },
): Promise<string> {
  const statement = beginGated(key);
  const waitId = waitIdOf(path, "timer");
  const moment = statement.param(until, "timestamptz");
  addWait(statement, { path, waitId, kind: "timer", until: moment, beside, fence: key.fence });
  await commitGated(sql, statement);
  return waitId;
}
