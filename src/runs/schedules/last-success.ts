import type { Statement } from "../../sql.ts";

/**
 * SQL: the last moment before the run's own whose run completed, looked up when the run is first let go.
 * Not sooner: of those that wait for one another each begins where the one before it ended.
 */
export function lastSuccessSql(run: string): string {
  return `case when ${run}.scheduled_at is null or ${run}.started_at is not null then ${run}.last_success_at else (
    select max(f.at) from tandem.firings f
    where f.workflow_id = ${run}.workflow_id and f.trigger_id = ${run}.trigger ->> 'id' and f.completed and f.at < ${run}.scheduled_at) end`;
}

/** SQL: what `addCompleted` must know of the closed run. The trigger's document is read of a schedule's run only. */
export const closedColumns = `r.workflow_id, r.scheduled_at, case when r.scheduled_at is not null then r.trigger ->> 'id' end as trigger_id`;

/** Marks the moment of the run that the CTE `closed` completes. Runs are forgotten sooner than moments. */
export function addCompleted(statement: Statement): void {
  statement.with(
    "moment",
    `update tandem.firings f set completed = true from closed c
     where c.scheduled_at is not null and f.workflow_id = c.workflow_id and f.trigger_id = c.trigger_id and f.at = c.scheduled_at`,
  );
}
