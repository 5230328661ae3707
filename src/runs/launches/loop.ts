import type { StepKinds } from "../../activities/step-kind.ts";
import { StepError } from "../../errors.ts";
import type { Log } from "../../log.ts";
import { isUnavailable, type Sql, type SqlPool } from "../../sql.ts";
import { ringDispatcher } from "../doorbell.ts";
import { createLoop, type Loop } from "../loop.ts";
import { expandLaunch, failLaunch } from "./expand.ts";

const pollMs = 500;
/** Launches that take turns in one round. */
const together = 20;

/**
 * Carries launches over many records out, a page of each in turn. Any number of processes may do so at
 * once: a launch is in the hands of one at a time.
 */
export function createLaunchLoop({ pool, kinds, log }: { pool: SqlPool; kinds: StepKinds; log: Log }): Loop {
  async function expand(id: string): Promise<boolean> {
    try {
      const expansion = await expandLaunch(pool, kinds, id);
      if (expansion === "more" || expansion === "over") ringDispatcher(pool);
      return expansion === "more";
    } catch (error) {
      if (error instanceof StepError) await failLaunch(pool, id, error);
      else if (isUnavailable(error)) throw error;
      else {
        log.warn({ err: error, launch: id }, "a launch could not go on; it is tried again in 5 seconds");
        await putOff(pool, id);
      }
      return false;
    }
  }

  return createLoop({
    work: "carrying launches out",
    log,
    async round() {
      let isMore = false;
      for (const id of await dueLaunches(pool)) isMore = (await expand(id)) || isMore;
      return isMore ? 0 : pollMs;
    },
  });
}

async function dueLaunches(sql: Sql): Promise<string[]> {
  const { rows } = await sql.query<{ id: string }>({
    name: "due_launches",
    text: `select id from tandem.launches where status = 'starting' and due_at <= now() order by due_at limit ${together}`,
  });
  return rows.map(({ id }) => id);
}

async function putOff(sql: Sql, id: string): Promise<void> {
  await sql.query("update tandem.launches set due_at = now() + interval '5 seconds' where id = $1::uuid", [id]);
}
