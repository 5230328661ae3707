import { z } from "zod";
import type { Sql } from "../sql.ts";
import { openStatuses } from "./ledger.ts";

/** What a worker last said of itself and of what it reaches; processes of another release may say more. */
const workerState = z.object({
  temporal: z.looseObject({ up: z.boolean() }).optional(),
  mail: z.looseObject({ up: z.boolean() }).optional(),
  queues: z.unknown().optional(),
});
export type WorkerState = z.output<typeof workerState>;

/** Whether the installation is made, and what its workers report. */
export interface InstallationStatus {
  /** Migrated, and its workspace, key and templates are there. */
  readonly made: boolean;
  /** Workers seen within the last ten seconds, the latest first. */
  readonly workers: ReadonlyArray<{ readonly id: string; readonly seenAt: Date; readonly state: WorkerState }>;
}

/** Throws when Postgres cannot be reached. */
export async function readStatus(sql: Sql): Promise<InstallationStatus> {
  const { rows: found } = await sql.query<{ migrated: boolean }>(
    "select to_regclass('tandem.workers') is not null as migrated",
  );
  if (found[0]?.migrated !== true) return { made: false, workers: [] };
  const { rows } = await sql.query<{ made: boolean; workers: Array<{ id: string; seenAt: string; state: unknown }> }>(
    `select exists (select 1 from tandem.installation) as made,
       coalesce((select jsonb_agg(jsonb_build_object('id', id, 'seenAt', seen_at, 'state', state) order by seen_at desc)
         from tandem.workers where seen_at > now() - interval '10 seconds'), '[]'::jsonb) as workers`,
  );
  const row = rows[0];
  return {
    made: row?.made === true,
    workers: (row?.workers ?? []).map(({ id, seenAt, state }) => ({
      id,
      seenAt: new Date(seenAt),
      state: workerState.catch({}).parse(state),
    })),
  };
}

/** What waits to be done: open runs by status, and record events that no relay has read. */
export interface Backlog {
  readonly runs: ReadonlyMap<string, number>;
  readonly outbox: number;
  /** Seconds that the oldest unread event waits; 0 when there is none. */
  readonly outboxAgeSeconds: number;
}

/** Reads only what is open and unread. */
export async function readBacklog(sql: Sql): Promise<Backlog> {
  const { rows } = await sql.query<{ runs: { [status: string]: number } | null; outbox: number; age: number }>(
    `select (select jsonb_object_agg(status, total) from (
         select 'queued' as status, count(*) as total from tandem.runs where status = 'queued'
         union all
         select status, count(*) from tandem.runs where status in ${openStatuses} group by status) open) as runs,
       (select count(*) from tandem.outbox) as outbox,
       (select coalesce(extract(epoch from clock_timestamp() - min(created_at)), 0)::float8 from tandem.outbox) as age`,
  );
  const row = rows[0];
  return { runs: new Map(Object.entries(row?.runs ?? {})), outbox: row?.outbox ?? 0, outboxAgeSeconds: row?.age ?? 0 };
}
