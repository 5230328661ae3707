import type { Sql } from "../../../src/sql.ts";

/**
 * What activities of a run leave, by the table that it is in: of whose run a row is (`$1`), and what of it is
 * theirs alone. Others answer questions, settle waits and move events meanwhile.
 */
const traces: ReadonlyArray<{ from: string; row: string; of: string }> = [
  { from: "step_results", row: "to_jsonb(t)", of: "run_id" },
  { from: "step_attempts", row: "to_jsonb(t)", of: "run_id" },
  { from: "step_lists", row: "to_jsonb(t)", of: "run_id" },
  { from: "outside_calls", row: "to_jsonb(t)", of: "run_id" },
  { from: "once_values", row: "to_jsonb(t)", of: "run_id" },
  { from: "run_answers", row: "to_jsonb(t)", of: "run_id" },
  { from: "waits", row: "jsonb_build_object('id', id, 'kind', kind, 'until', until)", of: "run_id" },
  { from: "questions", row: "jsonb_build_object('id', id, 'path', path)", of: "run_id" },
  { from: "outbox", row: "to_jsonb(t)", of: "(origin->>'runId')::uuid" },
  { from: "runs", row: "jsonb_build_object('fence', fence, 'error', error, 'output', output)", of: "id" },
  { from: "runs", row: "jsonb_build_object('called', id)", of: "caller_run_id" },
];

/** All that a run's activities left in the database, as text: the same while they change nothing. */
export async function traceOf(sql: Sql, runId: string): Promise<string> {
  const parts = traces.map(
    ({ from, row, of }) => `select '${from}' as kind, ${row} as row from tandem.${from} t where ${of} = $1::uuid`,
  );
  const { rows } = await sql.query<{ kind: string; row: object }>({
    name: "trace_of_run",
    text: `${parts.join(" union all ")} order by 1, 2`,
    values: [runId],
  });
  return rows.map(({ kind, row }) => `${kind} ${JSON.stringify(row)}`).join("\n");
}
