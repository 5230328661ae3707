import type { Sql } from "../../sql.ts";
import type { NewRun } from "../enqueue.ts";

/**
 * Which run stands for each that was stopped as a loop: of a workflow the first one in a chain. A chain
 * is what one run led to, whichever ways it went from there: a thousand last runs that each leave a
 * thousand events are stopped once. Gives the standing run by the id of each.
 */
export async function claimStops(sql: Sql, stops: readonly NewRun[]): Promise<ReadonlyMap<string, string>> {
  if (stops.length === 0) return new Map();
  const roots = await findRoots(sql, [...new Set(stops.map(originOf))]);
  const claims = stops.map((run) => ({ run, root: roots.get(originOf(run)) ?? originOf(run) }));
  const first = new Map(claims.toReversed().map(({ run, root }) => [`${root} ${run.workflowId}`, { run, root }]));
  const wanted = [...first.values()];
  const values = [
    wanted.map(({ root }) => root),
    wanted.map(({ run }) => run.workflowId),
    wanted.map(({ run }) => run.id),
  ];
  await sql.query({
    name: "claim_stops",
    text: `insert into tandem.loop_stops (root_run_id, workflow_id, run_id)
      select q.root, q.workflow, q.run from unnest($1::uuid[], $2::uuid[], $3::uuid[]) as q(root, workflow, run)
      order by q.root, q.workflow on conflict do nothing`,
    values,
  });
  const { rows } = await sql.query<{ root: string; workflow: string; run: string }>({
    name: "standing_stops",
    text: `select s.root_run_id as root, s.workflow_id as workflow, s.run_id as run from tandem.loop_stops s
      join unnest($1::uuid[], $2::uuid[]) as q(root, workflow) on s.root_run_id = q.root and s.workflow_id = q.workflow`,
    values: values.slice(0, 2),
  });
  const standing = new Map(rows.map(({ root, workflow, run }) => [`${root} ${workflow}`, run]));
  return new Map(claims.map(({ run, root }) => [run.id, standing.get(`${root} ${run.workflowId}`) ?? run.id]));
}

function originOf({ origin }: NewRun): string {
  return origin?.runId ?? "";
}

/** The run that each chain began with, as far as its runs are still kept. */
async function findRoots(sql: Sql, runIds: readonly string[]): Promise<Map<string, string>> {
  const { rows } = await sql.query<{ leaf: string; root: string }>({
    name: "chain_roots",
    text: `with recursive chain(leaf, id, above, steps) as (
        select r.id, r.id, (r.origin ->> 'runId')::uuid, 0 from tandem.runs r where r.id = any($1::uuid[])
        union all
        select c.leaf, r.id, (r.origin ->> 'runId')::uuid, c.steps + 1 from chain c join tandem.runs r on r.id = c.above
        where c.steps < 100
      )
      select distinct on (leaf) leaf, id as root from chain order by leaf, steps desc`,
    values: [runIds],
  });
  return new Map(rows.map(({ leaf, root }) => [leaf, root]));
}

/** Forgets stops as old as the runs that are forgotten. */
export async function forgetStops(sql: Sql, limit: Date): Promise<void> {
  await sql.query("delete from tandem.loop_stops where created_at < $1", [limit]);
}
