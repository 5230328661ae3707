import type { Sql } from "../../sql.ts";

/** SQL: the id of the workflow in Temporal that waits (`w` is tandem.waits): the run's, unless a loop's said so. */
export const waiterSql = "coalesce(w.waiter, w.run_id::text) as waiter";

/**
 * SQL: runs whose waits came due ask for a slot again where they hold none; `due` is a CTE with their `run_id`.
 * A run's row is changed in either case, so that whoever parks the run meanwhile does so before this, and is
 * seen here, or after it, and sees this (`park.ts`).
 */
export function askAgainSql(due: string): string {
  return `update tandem.runs r set due_at = case when r.status = 'waiting' then now() else r.due_at end
    from ${due} d where r.id = d.run_id`;
}

/** Waits settled in one statement, at most. */
const batch = 500;

/**
 * What a wait is for has happened: it is due. A run that holds no slot asks for one again. A wait that is
 * settled stays so.
 */
export async function makeDue(sql: Sql, { runId, waitId }: { runId: string; waitId: string }): Promise<void> {
  await sql.query({
    name: "make_wait_due",
    text: `with due as (
        update tandem.waits set due_at = least(due_at, now()) where run_id = $1::uuid and id = $2::text and settled_at is null
        returning run_id
      )
      ${askAgainSql("due")}`,
    values: [runId, waitId],
  });
}

/**
 * Settles due waits of runs that hold their slot, since other steps of them are at work: gives the
 * workflows that wait, whose doorbells are to be rung. Those of runs that hold none are settled when they are admitted.
 */
export async function settleBeside(sql: Sql): Promise<string[]> {
  const { rows } = await sql.query<{ waiter: string }>({
    name: "settle_beside",
    text: `with due as (
        select w.run_id, w.id from tandem.waits w join tandem.runs r on r.id = w.run_id
        where w.settled_at is null and w.beside and w.due_at <= now() and r.status = 'running'
        order by w.due_at limit ${batch} for no key update of w skip locked
      ), settled as (
        update tandem.waits w set settled_at = now(), rung_at = now() from due d
        where w.run_id = d.run_id and w.id = d.id and w.settled_at is null returning ${waiterSql}
      ) select distinct waiter from settled`,
  });
  return rows.map(({ waiter }) => waiter);
}

/**
 * Settles what is due of runs that were just given a slot, in the transaction that gives it: gives the
 * workflows that wait. A wait whose moment lies ahead stays, also where a step waits by itself: it was not that
 * which asked for the slot, but a workflow that was reset, and comes to that step again.
 */
export async function settleDue(sql: Sql, runIds: readonly string[]): Promise<string[]> {
  if (runIds.length === 0) return [];
  const { rows } = await sql.query<{ waiter: string }>({
    name: "settle_due",
    text: `with settled as (
        update tandem.waits w set settled_at = now(), rung_at = now()
        where w.run_id = any($1::uuid[]) and w.settled_at is null and (w.due_at <= now() or not w.beside and not exists (
          select 1 from tandem.waits s where s.run_id = w.run_id and s.settled_at is null and s.due_at <= now()))
        returning ${waiterSql}
      ) select distinct waiter from settled`,
    values: [runIds],
  });
  return rows.map(({ waiter }) => waiter);
}
