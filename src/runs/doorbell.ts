import pg from "pg";
import type { Log } from "../log.ts";
import type { Sql } from "../sql.ts";

/** What a bell says: nothing but "look". Polling is the truth; a lost ring costs one poll's wait. */
export const channels = {
  dispatcher: "tandem_dispatcher",
  relay: "tandem_relay",
  /** Triggers were armed, or switched on or off. */
  triggers: "tandem_triggers",
  launches: "tandem_launches",
  /** A schedule is to be paused or resumed, previewed or filled back. */
  schedules: "tandem_schedules",
} as const;

export type Channel = (typeof channels)[keyof typeof channels];

const quietMs = 20;

/**
 * A bell for one channel. `ring` is called after a commit, never inside a transaction (a NOTIFY there
 * makes all commits queue), and rings at once, then at most once in 20 ms. It never throws.
 */
export function createBell(sql: Sql, channel: Channel): { ring(): void } {
  let quietUntil = 0;
  let pending: NodeJS.Timeout | undefined;
  const notify = (): void => {
    pending = undefined;
    quietUntil = Date.now() + quietMs;
    sql.query({ name: `bell_${channel}`, text: `select pg_notify('${channel}', '')` }).catch(() => {});
  };
  return {
    ring() {
      if (pending !== undefined) return;
      const wait = quietUntil - Date.now();
      if (wait <= 0) notify();
      else pending = setTimeout(notify, wait).unref();
    },
  };
}

const bells = new WeakMap<Sql, Map<Channel, ReturnType<typeof createBell>>>();

/** Rings a channel's bell, of which every pool has one. */
export function ring(pool: Sql, channel: Channel): void {
  const ofPool = bells.get(pool) ?? new Map<Channel, ReturnType<typeof createBell>>();
  bells.set(pool, ofPool);
  const bell = ofPool.get(channel) ?? createBell(pool, channel);
  ofPool.set(channel, bell);
  bell.ring();
}

/** Tells the workers' dispatchers that runs may be waiting for them. */
export function ringDispatcher(pool: Sql): void {
  ring(pool, channels.dispatcher);
}

/** Tells the workers' relays that records were changed. */
export function ringRelay(pool: Sql): void {
  ring(pool, channels.relay);
}

/**
 * Listens on a session of its own (`url` must reach Postgres without a pooler), for ever: a broken
 * session is opened again, and its handlers are called once then, since rings may have been missed.
 */
export function listen(
  url: string,
  handlers: Partial<Record<Channel, () => void>>,
  log: Log,
): { stop(): Promise<void> } {
  let stopped = false;
  let client: pg.Client | undefined;
  let retry: NodeJS.Timeout | undefined;

  const connect = async (): Promise<void> => {
    const next = new pg.Client({ connectionString: url, application_name: "tandem-listen", keepAlive: true });
    client = next;
    next.on("notification", ({ channel }) => handlers[channel as Channel]?.());
    next.on("error", () => {});
    next.on("end", again);
    try {
      await next.connect();
      for (const channel of Object.keys(handlers)) await next.query(`listen ${channel}`);
      for (const handle of Object.values(handlers)) handle();
    } catch (error) {
      log.debug({ err: error }, "could not listen; polling goes on");
      await next.end().catch(() => {});
    }
  };
  const again = (): void => {
    if (stopped || retry !== undefined) return;
    retry = setTimeout(() => {
      retry = undefined;
      void connect();
    }, 500);
  };
  void connect();

  return {
    async stop() {
      stopped = true;
      clearTimeout(retry);
      await client?.end().catch(() => {});
    },
  };
}
