import type { Sql } from "../../sql.ts";

/** A wait as it stands. */
export interface FoundWait {
  readonly until: Date | null;
  /** It is over: its moment has come, or what it was for has happened. */
  readonly over: boolean;
}

/** A run's wait; undefined: there is none of this id. */
export async function findWait(sql: Sql, runId: string, waitId: string): Promise<FoundWait | undefined> {
  const { rows } = await sql.query<FoundWait>({
    name: "find_wait",
    text: `select until, settled_at is not null as over from tandem.waits where run_id = $1::uuid and id = $2::text`,
    values: [runId, waitId],
  });
  return rows[0];
}
