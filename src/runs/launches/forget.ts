import type { Sql } from "../../sql.ts";

/** Forgets launches that were over before the limit and of whose runs none is left. */
export async function forgetLaunches(sql: Sql, limit: Date): Promise<number> {
  const { rowCount } = await sql.query(
    `delete from tandem.launches l where l.ended_at < $1
       and not exists (select 1 from tandem.runs r where r.launched_by ->> 'launch' = l.id::text and r.launched_by is not null)`,
    [limit],
  );
  return rowCount ?? 0;
}
