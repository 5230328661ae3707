import type { Log } from "../log.ts";
import { inTransaction, isUnavailable, type Sql, type SqlPool } from "../sql.ts";
import { createLoop, type Loop } from "./loop.ts";

/** Most events that one transaction moves. */
const batch = 500;
const defaultPollMs = 400;

/**
 * Moves record events from the outbox to their history, for ever: the outbox is a queue without a
 * cursor, so no order of commits can hide an event (DURABILITY.md §10). Any number of relays may run.
 */
export function createRelay({ pool, log, pollMs = defaultPollMs }: { pool: SqlPool; log: Log; pollMs?: number }): Loop {
  return createLoop({
    work: "relaying record events",
    log,
    // A trickle of events is moved by the batch, not one by one: it is the backlog that hurries.
    round: async () => ((await relayAll(pool)) < batch ? pollMs : 0),
  });
}

/**
 * One round: a transaction for every shard that has events. Gives how many were moved. A shard that
 * fails does not keep the others; its error is thrown after them.
 */
export async function relayAll(pool: SqlPool): Promise<number> {
  const { rows } = await pool.query<{ shard: number }>({
    name: "shards_with_events",
    text: "select s.shard from tandem.outbox_shards s where exists (select 1 from tandem.outbox o where o.shard = s.shard)",
  });
  let moved = 0;
  const failures: unknown[] = [];
  for (const { shard } of rows) {
    try {
      moved += await relayShard(pool, shard);
    } catch (error) {
      if (isUnavailable(error)) throw error;
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
  return moved;
}

/**
 * Moves up to 500 events of one shard, in the order of their ids, in one transaction. Another relay that
 * is at this shard keeps it: then nothing is moved.
 */
export async function relayShard(pool: SqlPool, shard: number): Promise<number> {
  return inTransaction(pool, async (sql) => {
    if (!(await lockShard(sql, shard))) return 0;
    return moveEvents(sql, shard);
  });
}

async function lockShard(sql: Sql, shard: number): Promise<boolean> {
  const { rows } = await sql.query({
    name: "lock_shard",
    text: "select 1 from tandem.outbox_shards where shard = $1::smallint for update skip locked",
    values: [shard],
  });
  return rows.length > 0;
}

/** A statement after the lock, so that it sees all that the relay before it left. */
async function moveEvents(sql: Sql, shard: number): Promise<number> {
  const columns = "id, workspace_id, object, record_id, kind, before, after, changed_fields, actor, origin, created_at";
  const { rowCount } = await sql.query({
    name: "move_events",
    text: `with taken as (
        delete from tandem.outbox where id in (select id from tandem.outbox where shard = $1::smallint order by id limit ${batch}) returning ${columns}
      )
      insert into tandem.record_events (${columns}) select ${columns} from taken order by id`,
    values: [shard],
  });
  return rowCount ?? 0;
}
