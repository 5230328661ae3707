import type { Json } from "../../json.ts";
import type { Sql, Statement } from "../../sql.ts";
import { splitLists, type ListCounts } from "../step-lists.ts";
import { makeDue } from "../waits/due.ts";
import type { OnceDone } from "./once-values.ts";

/** What a step's end makes of the value that it held. */
export type OnceEnd =
  /** It was done, and is never done again. */
  | {
      readonly kind: "done";
      readonly outcome: string | null;
      readonly output: Json;
      readonly lists?: ListCounts;
    }
  /** The target did nothing. */
  | { readonly kind: "free" }
  /** The target may have acted. */
  | { readonly kind: "unsure" };

/** Adds to the statement that seals a step what becomes of the value that it holds. */
export function addOnceEnd(statement: Statement, id: string, end: OnceEnd): void {
  const p = statement.param;
  const kept = end.kind === "done" ? splitLists(end.output) : undefined;
  const done =
    end.kind === "done" && kept !== undefined
      ? `, outcome = ${p(end.outcome, "text")}, output = ${p(kept.output, "jsonb")}, lists = ${p(listsOf(end.lists, kept.lists), "jsonb")}`
      : "";
  const freed = end.kind === "free" ? ", generation = o.generation + 1, run_id = null, path = null" : "";
  statement.with(
    "once_ended",
    `update tandem.once_values o set state = ${p(end.kind, "text")}, changed_at = now()${done}${freed}
     from gate g where o.id = ${p(id, "uuid")} and o.state = 'held' and o.run_id = g.run_id`,
  );
}

function listsOf(written: ListCounts | undefined, kept: ListCounts | null): ListCounts | null {
  return written === undefined && kept === null ? null : { ...written, ...kept };
}

/**
 * Adds to the statement that seals a step as done already the long lists that the earlier one gave: its
 * run's, or what was kept of them when that was forgotten.
 */
export function addListsOf(statement: Statement, done: OnceDone & { readonly id: string }, to: string): void {
  const { id, runId, path, lists } = done;
  if (lists === null) return;
  const p = statement.param;
  statement.with(
    "lists_again",
    `insert into tandem.step_lists (run_id, path, name, page, first, items)
     select g.run_id, ${p(to, "text")}, l.name, l.page, l.first, l.items from gate g, (
       select name, page, first, items from tandem.step_lists where run_id = ${p(runId, "uuid")} and path = ${p(path, "text")}
       union all
       select name, page, first, items from tandem.once_lists where once_id = ${p(id, "uuid")}) l`,
  );
}

/** SQL that keeps the long lists of what was done once, before the runs are forgotten whose ids `runs` has. */
export function keepOnceListsSql(runs: string): string {
  return `insert into tandem.once_lists (once_id, workflow_id, name, page, first, items)
    select o.id, o.workflow_id, l.name, l.page, l.first, l.items from ${runs} f
      join tandem.once_values o on o.run_id = f.id and o.lists is not null and o.state = 'done'
      join tandem.step_lists l on l.run_id = o.run_id and l.path = o.path
    for share of o`;
}

/** Keeps what a step that changed records gave, in the transaction that changed them and locked the value. */
export async function keepDone(
  sql: Sql,
  id: string,
  step: { runId: string; path: string; outcome: string | null; output: Json },
): Promise<void> {
  await sql.query({
    name: "keep_once_done",
    text: `update tandem.once_values set state = 'done', run_id = $2::uuid, path = $3::text, outcome = $4::text, output = $5::jsonb,
        lists = (select s.lists from tandem.step_results s where s.run_id = $2::uuid and s.path = $3::text),
        changed_at = now() where id = $1::uuid`,
    values: [id, step.runId, step.path, step.outcome, JSON.stringify(step.output)],
  });
}

/** Makes a value done, with this output, or free for the next that asks. */
export async function settleOnce(
  sql: Sql,
  id: string,
  { as, output }: { as: "done" | "not-done"; output: Json },
): Promise<void> {
  await sql.query({
    name: "settle_once",
    text: `with forgotten as (delete from tandem.once_lists where once_id = $1::uuid)
      update tandem.once_values set changed_at = now(), lists = null,
        state = case when $2::boolean then 'done' else 'free' end, outcome = case when $2 then 'settled by hand' end,
        output = case when $2 then $3::jsonb end, generation = case when $2 then generation else generation + 1 end
      where id = $1::uuid`,
    values: [id, as === "done", JSON.stringify(output)],
  });
}

/**
 * Takes values from runs that are over and can be asked of: later, when they are forgotten, nobody could say
 * whether they had acted.
 */
export async function takeFromClosed(sql: Sql): Promise<void> {
  await sql.query(
    `with closed as (
        select v.id, v.run_id, exists (select 1 from tandem.outside_calls c
          where c.run_id = v.run_id and c.path = v.path and c.sending_since is not null) as doubtful
        from tandem.once_values v join tandem.runs r on r.id = v.run_id where v.state = 'held' and r.ended_at is not null
      )
      update tandem.once_values o set changed_at = now(), state = case when c.doubtful then 'unsure' else 'free' end,
        generation = case when c.doubtful then o.generation else o.generation + 1 end
      from closed c where o.id = c.id and o.state = 'held' and o.run_id = c.run_id`,
  );
}

/** Lets the steps that wait for a value look again, after what became of it was committed. */
export async function wakeOnce(sql: Sql, id: string): Promise<void> {
  const { rows } = await sql.query<{ runId: string; waitId: string }>({
    name: "find_once_waits",
    text: `select run_id as "runId", id as "waitId" from tandem.waits where once_id = $1::uuid and settled_at is null`,
    values: [id],
  });
  for (const wait of rows) await makeDue(sql, wait);
}
