import { forgetOldTokens } from "../catalog/webhooks.ts";
import { forgetImports } from "../crm/transfer/imports.ts";
import { firstIdAt } from "../ids.ts";
import type { Log } from "../log.ts";
import { partitionedTables, partitionName } from "../migrations.ts";
import { forgetStops } from "./matching/loops.ts";
import { inTransaction, type Sql, type SqlPool } from "../sql.ts";
import { forgetAudit } from "../vault/audit.ts";
import { forgetOldValues } from "../vault/secret-values.ts";
import { forgetAlertMails } from "./alerts/store.ts";
import { forgetLaunches } from "./launches/forget.ts";
import { keepOnceListsSql, takeFromClosed } from "./once/settle.ts";
import { forgetEvents } from "./record-events.ts";
import { forgetReplays } from "./replays.ts";

const dayMs = 86_400_000;
const batch = 500;

/**
 * Forgets runs that closed longer ago than `days`, with their steps and the deliveries that started
 * them. A day's partitions are dropped whole when all its runs are that old, never by the day itself: a
 * run may wait for months. Of other days such runs are deleted in batches (DURABILITY.md §8).
 */
export async function forgetOldRuns(
  pool: SqlPool,
  { days, now = new Date() }: { days: number; now?: Date },
): Promise<{ days: number; runs: number }> {
  const limit = new Date(now.getTime() - days * dayMs);
  let dropped = 0;
  for (const day of await oldDays(pool, limit)) if (await dropDay(pool, day, limit)) dropped += 1;
  let runs = 0;
  for (let deleted = batch; deleted === batch; runs += deleted) deleted = await deleteRuns(pool, limit);
  await pool.query(
    "delete from tandem.deliveries where received_at < $1 and not exists (select 1 from tandem.runs r where r.id = run_id)",
    [limit],
  );
  await forgetStops(pool, limit);
  return { days: dropped, runs };
}

/**
 * Forgets old runs, record events, imports and replays once an hour, what a webhook's dedupe window no longer needs, and
 * values of secrets and addresses of webhooks that are no longer taken.
 */
export function createRetention({
  pool,
  log,
  days,
  auditDays,
}: {
  pool: SqlPool;
  log: Log;
  days: number;
  auditDays: number;
}): {
  start(): void;
  stop(): void;
} {
  let timer: NodeJS.Timeout | undefined;
  const sweep = async (): Promise<void> => {
    try {
      await takeFromClosed(pool);
      const { days: dropped, runs } = await forgetOldRuns(pool, { days });
      if (dropped + runs > 0)
        log.info({ droppedDays: dropped, runs }, `runs that closed more than ${days} days ago were forgotten`);
      const limit = new Date(Date.now() - days * dayMs);
      await forgetEvents(pool, limit);
      await forgetImports(pool, limit);
      await forgetLaunches(pool, limit);
      await forgetAlertMails(pool, limit);
      await forgetReplays(pool, limit);
      await forgetOldValues(pool);
      await forgetAudit(pool, new Date(Date.now() - auditDays * dayMs));
      await forgetOldTokens(pool);
      await pool.query("delete from tandem.webhook_keys where created_at < now() - interval '7 days'");
    } catch (error) {
      log.warn({ err: error }, "old runs could not be forgotten yet; it is tried again in an hour");
    }
  };
  return {
    start() {
      timer = setInterval(() => void sweep(), dayMs / 24);
    },
    stop() {
      clearInterval(timer);
    },
  };
}

/** Days that have partitions and lie whole before the limit. */
async function oldDays(sql: Sql, limit: Date): Promise<Date[]> {
  const { rows } = await sql.query<{ name: string }>(
    `select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'tandem.step_results'::regclass order by 1`,
  );
  return rows.flatMap(({ name }) => {
    const [, year, month, day] = /_(\d{4})(\d{2})(\d{2})$/.exec(name) ?? [];
    if (year === undefined) return [];
    const date = new Date(`${year}-${month}-${day}T00:00:00Z`);
    return date.getTime() + dayMs <= limit.getTime() ? [date] : [];
  });
}

/** False: a run of that day is open, or closed after the limit. */
async function dropDay(pool: SqlPool, day: Date, limit: Date): Promise<boolean> {
  const range = [firstIdAt(day), firstIdAt(new Date(day.getTime() + dayMs))];
  return inTransaction(pool, async (sql) => {
    await sql.query("set local lock_timeout = '1s'");
    const { rows } = await sql.query<{ kept: boolean }>(
      "select exists (select 1 from tandem.runs where id >= $1::uuid and id < $2::uuid and (ended_at is null or ended_at >= $3)) as kept",
      [...range, limit],
    );
    if (rows[0]?.kept !== false) return false;
    await sql.query(keepOnceListsSql("(select id from tandem.runs where id >= $1::uuid and id < $2::uuid)"), range);
    for (const table of ["waits", "questions", "run_answers", "run_lists"])
      await sql.query(`delete from tandem.${table} where run_id >= $1::uuid and run_id < $2::uuid`, range);
    await sql.query("delete from tandem.runs where id >= $1::uuid and id < $2::uuid", range);
    for (const table of partitionedTables) await sql.query(`drop table if exists ${partitionName(table, day)}`);
    return true;
  });
}

async function deleteRuns(sql: Sql, limit: Date): Promise<number> {
  const { rows } = await sql.query<{ deleted: number }>(
    `with old as (
        delete from tandem.runs where id in (select id from tandem.runs where ended_at < $1 order by ended_at limit ${batch} for update skip locked) returning id
      ), once as (${keepOnceListsSql("old")}
      ), results as (delete from tandem.step_results s using old where s.run_id = old.id
      ), attempts as (delete from tandem.step_attempts a using old where a.run_id = old.id
      ), pages as (delete from tandem.step_lists l using old where l.run_id = old.id
      ), calls as (delete from tandem.outside_calls c using old where c.run_id = old.id
      ), lists as (delete from tandem.run_lists l using old where l.run_id = old.id
      ), questions as (delete from tandem.questions q using old where q.run_id = old.id
      ), answers as (delete from tandem.run_answers a using old where a.run_id = old.id
      ), waits as (delete from tandem.waits w using old where w.run_id = old.id)
      select count(*)::integer as deleted from old`,
    [limit],
  );
  return rows[0]?.deleted ?? 0;
}
