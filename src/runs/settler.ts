import type { StepKinds } from "../activities/step-kind.ts";
import type { Log } from "../log.ts";
import { inTransaction, type Sql, type SqlPool } from "../sql.ts";
import { createLoop, type Loop } from "./loop.ts";
import { settleChanges } from "./matching/debounces.ts";
import { closeLists, deliverList } from "./matching/event-lists.ts";
import { withFewer } from "./matching/with-fewer.ts";

/** Most records that one transaction settles: few, since each may weigh some megabytes. */
const batch = 20;
const longestRestMs = 400;
/** Where another settler is at what is due. */
const shortestRestMs = 10;

export interface SettlerParts {
  readonly pool: SqlPool;
  readonly log: Log;
  readonly kinds: StepKinds;
  /** Called after a commit that started runs. */
  runsStarted?(): void;
}

/**
 * Starts the runs that wait for records to settle and for lists to grow, when they are due, for ever.
 * What waits is rows: any number of settlers may run, and each may die at any line.
 */
export function createSettler(parts: SettlerParts): Loop {
  return createLoop({
    work: "starting runs for records that have settled",
    log: parts.log,
    async round() {
      if (await settleAll(parts)) parts.runsStarted?.();
      return untilNext(parts.pool);
    },
  });
}

/** One round: all that is due now. Gives whether anything was. */
export async function settleAll({ pool, kinds }: Omit<SettlerParts, "log">): Promise<boolean> {
  let any = false;
  for (let settled = batch; settled === batch; any ||= settled > 0)
    settled = await withFewer(batch, (attempt) =>
      inTransaction(pool, (sql) => settleChanges(sql, { kinds, ...attempt })),
    );
  await closeLists(pool);
  while (await withFewer(1, ({ isPlain }) => inTransaction(pool, (sql) => deliverList(sql, { kinds, isPlain }))))
    any = true;
  return any;
}

/** Milliseconds until the next is due, and no more than until it is looked again. */
async function untilNext(sql: Sql): Promise<number> {
  const { rows } = await sql.query<{ ms: number | null }>({
    name: "next_to_settle",
    text: `select (extract(epoch from least((select min(due_at) from tandem.debounces), (select min(due_at) from tandem.event_lists))
      - clock_timestamp()) * 1000)::double precision as ms`,
  });
  return Math.min(Math.max(rows[0]?.ms ?? longestRestMs, shortestRestMs), longestRestMs);
}
