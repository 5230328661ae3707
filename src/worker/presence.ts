import { createId } from "../ids.ts";
import type { JsonObject } from "../json.ts";
import type { Log } from "../log.ts";
import type { SqlPool } from "../sql.ts";

const everyMs = 2_000;

/**
 * Keeps this worker's row in tandem.workers fresh: how a gateway, which speaks to Postgres only, knows
 * that workers live and what they say of Temporal and mail.
 */
export function createPresence(parts: { pool: SqlPool; log: Log; state(): Promise<JsonObject> }): {
  id: string;
  start(): void;
  stop(): Promise<void>;
} {
  const { pool, log } = parts;
  const id = createId();
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  async function report(): Promise<void> {
    try {
      const state = await parts.state();
      await pool.query({
        name: "report_presence",
        text: `insert into tandem.workers (id, state) values ($1, $2) on conflict (id) do update set seen_at = now(), state = excluded.state`,
        values: [id, JSON.stringify(state)],
      });
      await pool.query({
        name: "forget_workers",
        text: "delete from tandem.workers where seen_at < now() - interval '1 minute'",
      });
    } catch (error) {
      log.debug({ err: error }, "this worker could not report itself");
    }
    if (!stopped) timer = setTimeout(() => void report(), everyMs);
  }

  return {
    id,
    start() {
      void report();
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await pool
        .query({ name: "leave", text: "delete from tandem.workers where id = $1", values: [id] })
        .catch(() => {});
    },
  };
}
