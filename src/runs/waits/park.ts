import { inTransaction, type Sql, type SqlPool } from "../../sql.ts";
import { beginGated, commitGated, lockOpen, type RunKey } from "../ledger.ts";
import { askAgainSql } from "./due.ts";

/** A wait that was settled and is not read by then may belong to a workflow that is gone. */
const soonReadSeconds = 10;

/**
 * Gives back the slot of a run all of whose steps beside one another wait. Not where one of the waits is
 * over: then its step goes on. The run's row is locked before the waits are read, by a statement of its
 * own: what happens to a wait meanwhile comes before, and is read, or after, and finds the run waiting.
 * True: the run waits. Throws FencedError when the run is not open under this fence.
 */
export async function parkRun(pool: SqlPool, key: RunKey): Promise<boolean> {
  return inTransaction(pool, async (sql) => {
    const { status } = await lockOpen(sql, key);
    if (status === "waiting") {
      // Parked by another of its workflows, which did not know of the waits that came since.
      await sql.query({
        name: "park_with_others",
        text: `update tandem.runs r set due_at = least(r.due_at, w.due_at)
          from (select min(due_at) as due_at from tandem.waits where run_id = $1::uuid and settled_at is null) w
          where r.id = $1::uuid and w.due_at < coalesce(r.due_at, 'infinity')`,
        values: [key.runId],
      });
      return true;
    }
    const { rowCount } = await sql.query({
      name: "park_run",
      text: `update tandem.runs r set status = 'waiting', due_at = w.due_at
        from (select min(due_at) as due_at, count(*) as waiting from tandem.waits
          where run_id = $1::uuid and settled_at is null) w
        where r.id = $1::uuid and w.waiting > 0 and (w.due_at > now()) is not false and not exists (
          select 1 from tandem.waits s
          where s.run_id = $1::uuid and s.read_at is null and s.settled_at > now() - interval '${soonReadSeconds} seconds')`,
      values: [key.runId],
    });
    return rowCount === 1;
  });
}

/** A wait for a slot: of a step, or of a block by the step it begins with. */
function slotWaitId(path: string): string {
  return `${path}#slot`;
}

/**
 * A step is to begin in a run that holds no slot, since the others of its steps wait: it waits for one, from
 * now on. Throws FencedError.
 */
export async function waitForSlot(sql: Sql, key: RunKey, path: string): Promise<string> {
  const waitId = slotWaitId(path);
  const statement = beginGated(key);
  statement.with(
    "waiting",
    `insert into tandem.waits as w (run_id, id, kind, due_at, beside)
     select g.run_id, ${statement.param(waitId, "text")}, 'slot', now(), true from gate g
     on conflict (run_id, id) do update set due_at = now(), settled_at = null, read_at = null, rung_at = null
     returning run_id`,
  );
  statement.with("asking", askAgainSql("waiting"));
  await commitGated(sql, statement);
  return waitId;
}
