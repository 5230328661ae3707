import type { Json, JsonObject } from "../../json.ts";
import type { Sql } from "../../sql.ts";
import type { RunStatus } from "../run-list.ts";

/** A run that a step called, as it stands. */
export interface CalledRun {
  readonly id: string;
  readonly status: RunStatus;
  readonly over: boolean;
  readonly output: Json;
  readonly error: JsonObject | null;
}

/** The run that a step called; undefined: it has not called any yet. */
export async function findCalled(sql: Sql, runId: string, path: string): Promise<CalledRun | undefined> {
  const { rows } = await sql.query<CalledRun>({
    name: "find_called",
    text: `select id, status, ended_at is not null as over, output, error from tandem.runs
      where caller_run_id = $1::uuid and caller_path = $2::text`,
    values: [runId, path],
  });
  return rows[0];
}
