import type { StepKinds } from "../activities/step-kind.ts";
import type { Log } from "../log.ts";
import { inTransaction, isUnavailable, type Sql, type SqlPool } from "../sql.ts";
import { createLoop, type Loop } from "./loop.ts";
import { collectChanges } from "./matching/debounces.ts";
import { collectEvents } from "./matching/event-lists.ts";
import { givesOf, plainGivesOf, unwritable } from "./matching/gives.ts";
import { findListeners } from "./matching/listeners.ts";
import { matchEvents, type Match } from "./matching/match-events.ts";
import { fewestOfLane, findShards, findWaiting, lockShards, moveEvents, readEvents } from "./matching/outbox.ts";
import { startRuns, type RunStart } from "./matching/starts.ts";
import { withFewer } from "./matching/with-fewer.ts";

/** Most events that one transaction moves. */
const batch = 500;
/** Shards of one transaction: all, since a trickle touches them all; of a backlog few, so that other relays have some too. */
const shardsAtOnce = { trickle: 16, backlog: 4 } as const;
const defaultPollMs = 400;
/** Rings that come closer together are answered by one round: a trickle is moved by the batch. */
const quietMs = 20;

export interface RelayParts {
  readonly pool: SqlPool;
  readonly log: Log;
  readonly kinds: StepKinds;
  readonly pollMs?: number;
  /** Called after a commit that started runs. */
  runsStarted?(): void;
}

/** What a round did. */
export interface Relayed {
  readonly events: number;
  readonly runs: number;
}

/**
 * Moves record events from the outbox to their history, for ever, and starts the runs that they are
 * waited for by: the outbox is a queue without a cursor, so no order of commits can hide an event
 * (DURABILITY.md §10). Any number of relays may run.
 */
export function createRelay(parts: RelayParts): Loop {
  const { log, pollMs = defaultPollMs } = parts;
  let endedAt = 0;
  let behind = false;
  let pending: NodeJS.Timeout | undefined;
  const loop = createLoop({
    work: "relaying record events",
    log,
    // It is the backlog that hurries: a lane that has more gave at least so many.
    async round() {
      const { events } = await relayAll(parts, behind ? "backlog" : "trickle");
      behind = events >= batch;
      endedAt = Date.now();
      return events >= fewestOfLane ? 0 : pollMs;
    },
  });
  return {
    ...loop,
    ring() {
      const wait = endedAt + quietMs - Date.now();
      if (wait <= 0) loop.ring();
      else pending ??= setTimeout(ringLate, wait).unref();
    },
    async stop() {
      clearTimeout(pending);
      await loop.stop();
    },
  };

  function ringLate(): void {
    pending = undefined;
    loop.ring();
  }
}

/**
 * One round: every shard that has events, some at a time. A shard that fails does not keep the others;
 * its error is thrown after them.
 */
export async function relayAll(
  parts: Omit<RelayParts, "log" | "pollMs">,
  pace: keyof typeof shardsAtOnce = "trickle",
): Promise<Relayed> {
  const size = shardsAtOnce[pace];
  const shards = await findShards(parts.pool);
  let [events, runs] = [0, 0];
  const failures: unknown[] = [];
  for (let from = 0; from < shards.length; from += size) {
    try {
      const moved = await relayTogether(parts, shards.slice(from, from + size));
      [events, runs] = [events + moved.events, runs + moved.runs];
    } catch (error) {
      if (isUnavailable(error)) throw error;
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
  return { events, runs };
}

async function relayTogether(parts: Omit<RelayParts, "log">, shards: readonly number[]): Promise<Relayed> {
  const moved = await withFewer(batch, (attempt) =>
    inTransaction(parts.pool, async (sql) => {
      const held = await lockShards(sql, shards);
      return held.length === 0 ? { events: 0, runs: 0 } : relayHeld(sql, { ...parts, ...attempt, shards: held });
    }),
  );
  if (moved.runs > 0) parts.runsStarted?.();
  return moved;
}

/**
 * Moves up to 500 events of one shard, in the order of their ids, in one transaction. Another relay that
 * is at this shard keeps it: then nothing is moved.
 */
export async function relayShard(parts: Omit<RelayParts, "log" | "pollMs">, shard: number): Promise<number> {
  return (await relayTogether(parts, [shard])).events;
}

interface Holding {
  readonly kinds: StepKinds;
  readonly shards: readonly number[];
  readonly most: number;
  readonly isPlain: boolean;
}

/** The runs of events, and that they left the outbox, commit as one: an event starts a workflow once, for ever. */
async function relayHeld(sql: Sql, { kinds, shards, most, isPlain }: Holding): Promise<Relayed> {
  const waiting = await findWaiting(sql, shards, most);
  if (waiting.length === 0) return { events: 0, runs: 0 };
  const listeners = await findListeners(sql, { kinds }, [...new Set(waiting.map(({ workspaceId }) => workspaceId))]);
  // What nobody listens to is not even read.
  const heard = waiting.filter((event) => listeners.of(event).length > 0);
  const events = await readEvents(
    sql,
    heard.map(({ id }) => id),
  );
  const { runs, listed, settling } = matchEvents(events, listeners);
  const started = await startRuns(
    sql,
    { kinds },
    [...runs, ...(isPlain ? listed : [])].map((match) => startOf(match, isPlain)),
  );
  if (!isPlain) await collectChanges(sql, settling);
  if (!isPlain) await collectEvents(sql, listed);
  await moveEvents(
    sql,
    waiting.map(({ id }) => id),
    started,
  );
  return { events: waiting.length, runs: started.length };
}

function startOf({ listener, event, fault }: Match, isPlain: boolean): RunStart {
  return {
    armed: listener.armed,
    gives: isPlain ? plainGivesOf(event) : givesOf(event),
    eventId: event.id,
    origin: event.origin,
    fault: isPlain ? (fault ?? unwritable) : fault,
  };
}
