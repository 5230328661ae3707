import type { Sql } from "../../sql.ts";
import { isoOf } from "../run-list.ts";
import type { NewWait } from "./open.ts";

/** Something that a run waits for, as people read it. */
export interface OpenWait {
  /** The step that waits. */
  readonly path: string;
  /** Its next try, a moment, an answer, a called run, a value that another run holds, or a slot. */
  readonly kind: NewWait["kind"] | "slot";
  readonly since: string;
  /** The moment at which it is over by itself; null: it is over when what it is for has happened. */
  readonly until: string | null;
  readonly questionId: string | null;
  readonly calledRunId: string | null;
}

/** A loop may wait with each of its items: people look at the first ones. */
const mostShown = 200;

/** What a run waits for now, the oldest first. */
export async function listWaits(sql: Sql, runId: string): Promise<OpenWait[]> {
  const { rows } = await sql.query<Omit<OpenWait, "since" | "until"> & { since: Date; until: Date | null }>({
    name: "list_waits",
    text: `select p.path, w.kind, w.created_at as since, w.until, q.id as "questionId", c.id as "calledRunId"
      from tandem.waits w
      join tandem.runs r on r.id = w.run_id and r.ended_at is null
      cross join lateral (select regexp_replace(w.id, '#[^#]*$', '') as path) p
      left join tandem.questions q on w.kind = 'question' and q.run_id = w.run_id and q.path = p.path
      left join tandem.runs c on w.kind = 'call' and c.caller_run_id = w.run_id and c.caller_path = p.path
      where w.run_id = $1::uuid and w.settled_at is null order by w.created_at, w.id limit ${mostShown}`,
    values: [runId],
  });
  return rows.map((row) => ({ ...row, since: row.since.toISOString(), until: isoOf(row.until) }));
}
