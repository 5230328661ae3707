/**
 * SQL: what ends with a run, whoever closes it: its tries that were broken off, and what it waited for. Common
 * table expressions beside a CTE `closed`, which has the run's `id` where it was closed; `runId` is a placeholder.
 */
export function leftovers(runId: string): ReadonlyArray<{ readonly name: string; readonly body: string }> {
  return [
    {
      name: "broken_off",
      body: `update tandem.step_attempts a set ended_at = statement_timestamp() from closed c
        where a.run_id = c.id and a.run_id = ${runId} and a.ended_at is null`,
    },
    {
      name: "forgotten",
      body: `update tandem.waits w set settled_at = statement_timestamp(), read_at = statement_timestamp() from closed c
        where w.run_id = c.id and w.run_id = ${runId} and w.settled_at is null`,
    },
  ];
}

/** The same within a statement that is written out. */
export function leftoversSql(runId: string): string {
  return leftovers(runId)
    .map(({ name, body }) => `${name} as (${body})`)
    .join(", ");
}
