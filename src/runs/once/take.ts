import { inTransaction, type Sql, type SqlPool } from "../../sql.ts";
import { beginGated, commitGated, lockOpen, type RunKey } from "../ledger.ts";
import { addWait } from "../waits/open.ts";
import { holdOnce, lockOnce, type OnceDone, type OnceKey, type OnceStanding } from "./once-values.ts";

/** The step that asks for a value. */
export interface Taker {
  readonly key: RunKey;
  readonly path: string;
  /** Other steps of its run may be at work meanwhile. */
  readonly beside: boolean;
  /** It may send again what another sent and was not answered. */
  readonly resends: boolean;
}

/** What asking for a value came to. */
export type Taken =
  /** The step may act, under this Idempotency-Key. */
  | { readonly kind: "held"; readonly id: string; readonly key: string }
  | { readonly kind: "done"; readonly id: string; readonly done: OnceDone }
  /** Another step is at it: the run waits. */
  | { readonly kind: "waiting"; readonly waitId: string }
  | { readonly kind: "unsure"; readonly id: string; readonly runId: string };

/**
 * Gives a value to a step before it acts (DURABILITY.md §4), or says who has it. A request that was not
 * answered is handed on, with its key, where it may be sent again. Throws FencedError.
 */
export async function takeOnce(pool: SqlPool, once: OnceKey, taker: Taker): Promise<Taken> {
  return inTransaction(pool, async (sql) => {
    await lockOpen(sql, taker.key, "share");
    const standing = await lockOnce(sql, once, { runId: taker.key.runId, path: taker.path });
    switch (standing.kind) {
      case "own":
        return { kind: "held", id: standing.id, key: standing.key };
      case "free":
        await holdOnce(sql, standing, taker);
        return { kind: "held", id: standing.id, key: standing.key };
      case "done":
        return standing;
      case "busy":
        return { kind: "waiting", waitId: await waitForOnce(sql, standing.id, taker) };
      case "unsure":
        if (!(await adoptCall(sql, standing, taker))) return standing;
        await holdOnce(sql, standing, taker);
        return { kind: "held", id: standing.id, key: standing.key };
    }
  });
}

/** The stored request of the step that had the value becomes this step's, its sending still in doubt. */
async function adoptCall(
  sql: Sql,
  { runId, path }: Extract<OnceStanding, { kind: "unsure" }>,
  taker: Taker,
): Promise<boolean> {
  if (runId === "" || !taker.resends) return false;
  const { rowCount } = await sql.query({
    name: "adopt_call",
    text: `insert into tandem.outside_calls (run_id, path, key, request, progress, repeatable, sending_since)
      select $3::uuid, $4::text, c.key, c.request, c.progress, true, clock_timestamp() from tandem.outside_calls c
      where c.run_id = $1::uuid and c.path = $2::text and c.repeatable on conflict (run_id, path) do nothing`,
    values: [runId, path, taker.key.runId, taker.path],
  });
  return rowCount === 1;
}

/**
 * Opens a wait that is due when the value's holder is done with it. It also ends by itself, later each time,
 * since a holder may end without a word: cancelled, or with its process.
 */
async function waitForOnce(sql: Sql, id: string, { key, path, beside }: Taker): Promise<string> {
  const { rows } = await sql.query<{ earlier: number }>({
    name: "count_once_waits",
    text: `select count(*) as earlier from tandem.waits where run_id = $1::uuid and kind = 'once' and starts_with(id, $2::text)`,
    values: [key.runId, `${path}#`],
  });
  const earlier = rows[0]?.earlier ?? 0;
  const waitId = `${path}#once-${earlier + 1}`;
  const statement = beginGated(key);
  const seconds = statement.param(Math.min(15 * 2 ** earlier, 600), "integer");
  const until = `clock_timestamp() + ${seconds} * interval '1 second'`;
  addWait(statement, { path, waitId, kind: "once", until, beside, fence: key.fence });
  await commitGated(sql, statement);
  await sql.query({
    name: "wait_for_once",
    text: "update tandem.waits set once_id = $3::uuid where run_id = $1::uuid and id = $2::text",
    values: [key.runId, waitId, id],
  });
  return waitId;
}
