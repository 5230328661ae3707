import type { Log } from "../log.ts";
import { inTransaction, isUnavailable, type Sql, type SqlPool } from "../sql.ts";

/** Most events that one transaction moves. */
const batch = 500;
const defaultPollMs = 400;
const longestBackoffMs = 5_000;

/** What moves record events from the outbox to their history. */
export interface Relay {
  start(): void;
  /** Says that events may be waiting; without it they are found by polling. */
  ring(): void;
  /** Resolves when the round it is in has ended. */
  stop(): Promise<void>;
}

/**
 * Moves record events to their history, for ever: the outbox is a queue without a cursor, so no order
 * of commits can hide an event (DURABILITY.md §10). Any number of relays may run.
 */
export function createRelay({
  pool,
  log,
  pollMs = defaultPollMs,
}: {
  pool: SqlPool;
  log: Log;
  pollMs?: number;
}): Relay {
  let stopping = false;
  let rung = false;
  let wake: (() => void) | undefined;
  let loop: Promise<void> = Promise.resolve();

  async function run(): Promise<void> {
    let failures = 0;
    while (!stopping) {
      rung = false;
      let moved = 0;
      try {
        moved = await relayAll(pool);
        if (failures > 0) log.info("record events are relayed again");
        failures = 0;
      } catch (error) {
        if (failures === 0) log.warn({ err: error }, describeFailure(error));
        failures += 1;
      }
      if (failures > 0) await pause(Math.min(pollMs * 2 ** (failures - 1), longestBackoffMs));
      // A trickle of events is moved by the batch, not one by one: it is the backlog that hurries.
      else if (moved < batch && !rung) await pause(pollMs);
    }
  }

  /** Waits, but no longer than until the bell rings. */
  function pause(ms: number): Promise<void> {
    if (stopping) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(finish, ms);
      function finish(): void {
        clearTimeout(timer);
        resolve();
      }
      wake = finish;
    });
  }

  return {
    start() {
      loop = run();
    },
    ring() {
      rung = true;
      wake?.();
    },
    async stop() {
      stopping = true;
      wake?.();
      await loop;
    },
  };
}

function describeFailure(error: unknown): string {
  return isUnavailable(error)
    ? "Postgres is away: record events wait in the outbox"
    : "the relay could not finish a round: record events wait in the outbox and are tried again";
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
