import type { Sql } from "../sql.ts";

/** What waits and runs of one workflow. */
export interface WorkflowQueue {
  readonly workflowId: string;
  readonly key: string;
  readonly name: string;
  /** Since when it is paused, and why; null: it is not. */
  readonly paused: { readonly since: string; readonly note: string | null } | null;
  /** Runs that were not started yet: `ready` for a slot, and `blocked` by their concurrency key. */
  readonly queued: number;
  readonly ready: number;
  readonly blocked: number;
  /** Runs that wait for a moment and hold no slot; of them `due`, whose moment has come. */
  readonly waiting: number;
  readonly due: number;
  /** Of all that want a slot, the longest that one waits; null: none does. */
  readonly oldestWaitSeconds: number | null;
  /** Slots it holds, and the runs that hold them, the oldest hundred. */
  readonly held: number;
  readonly runIds: readonly string[];
}

/** How a workspace's slots are given out. */
export interface WorkspaceQueues {
  readonly limit: number;
  readonly held: number;
  readonly queued: number;
  readonly oldestWaitSeconds: number | null;
  /** Workflows with open runs and paused ones, those with the most queued first. */
  readonly workflows: readonly WorkflowQueue[];
}

const mostWorkflows = 200;
const mostRunIds = 100;

/** Reads what wants a slot and who holds one. Only counts indexes of what is open, however much that is. */
export async function readQueues(sql: Sql, workspaceId: string): Promise<WorkspaceQueues> {
  const limits = await sql.query<{ limit: number }>({
    name: "read_run_limit",
    text: `select run_limit as "limit" from tandem.workspaces where id = $1::uuid`,
    values: [workspaceId],
  });
  const found = await findQueues(sql, { workspaceId, workflowId: null });
  return {
    limit: limits.rows[0]?.limit ?? 0,
    held: found[0]?.totals.held ?? 0,
    queued: found[0]?.totals.queued ?? 0,
    oldestWaitSeconds: found[0]?.totals.oldestWaitSeconds ?? null,
    workflows: found.map(({ totals: _totals, ...queue }) => queue),
  };
}

/** One workflow's queue, also when it is empty; undefined: the workspace has no such workflow. */
export async function findWorkflowQueue(
  sql: Sql,
  which: { workspaceId: string; workflowId: string },
): Promise<WorkflowQueue | undefined> {
  const [found] = await findQueues(sql, which);
  if (found === undefined) return undefined;
  const { totals: _totals, ...queue } = found;
  return queue;
}

/** A workflow's queue, with the totals of all that were found. */
type Found = WorkflowQueue & {
  readonly totals: Pick<WorkspaceQueues, "held" | "queued" | "oldestWaitSeconds">;
};

async function findQueues(
  sql: Sql,
  { workspaceId, workflowId }: { workspaceId: string; workflowId: string | null },
): Promise<Found[]> {
  const { rows } = await sql.query<Found>({
    name: "find_queues",
    text: `with ${openSql("r.workspace_id = $1::uuid and ($2::uuid is null or r.workflow_id = $2) and")},
      queues as (
        select f.id as "workflowId", f.key, f.name,
          case when f.paused_at is not null then jsonb_build_object('since', f.paused_at, 'note', f.pause_note) end as paused,
          (coalesce(r.runs, 0) + coalesce(b.runs, 0))::integer as queued, coalesce(r.runs, 0)::integer as ready,
          coalesce(b.runs, 0)::integer as blocked, coalesce(a.runs, 0)::integer as waiting, coalesce(a.due, 0)::integer as due,
          greatest(r.wait, b.wait, a.wait) as "oldestWaitSeconds", coalesce(h.slots, 0)::integer as held,
          coalesce(h.ids[1:${mostRunIds}], '{}') as "runIds"
        from tandem.workflows f
          left join ready r on r.workflow_id = f.id left join blocked b on b.workflow_id = f.id
          left join asleep a on a.workflow_id = f.id left join held h on h.workflow_id = f.id
        where f.workspace_id = $1::uuid and case when $2::uuid is not null then f.id = $2
          else coalesce(r.workflow_id, b.workflow_id, a.workflow_id, h.workflow_id) is not null or f.paused_at is not null end
      )
      select q.*, jsonb_build_object('held', sum(q.held) over (), 'queued', sum(q.queued) over (),
        'oldestWaitSeconds', max(q."oldestWaitSeconds") over ()) as totals
      from queues q order by q.queued desc, q.key limit ${mostWorkflows}`,
    values: [workspaceId, workflowId],
  });
  return rows;
}

/** What waits and runs in the whole installation. */
export interface Pressure {
  readonly ready: Waiting;
  readonly blocked: Waiting;
  /** Ready but for the pause of their workflow. */
  readonly paused: Waiting;
  readonly held: number;
  readonly pausedWorkflows: number;
  /** Workspaces that hold as many slots as they may, those of no slots included. */
  readonly fullWorkspaces: number;
}

interface Waiting {
  readonly runs: number;
  readonly oldestSeconds: number;
}

/** Reads only what is open, and the limits. */
export async function readPressure(sql: Sql): Promise<Pressure> {
  const waiting = (from: string, condition: string): string =>
    `(select jsonb_build_object('runs', coalesce(sum(q.runs), 0), 'oldestSeconds', coalesce(max(q.wait), 0))
      from ${from} q join tandem.workflows f on f.id = q.workflow_id where ${condition})`;
  const { rows } = await sql.query<Pressure>({
    name: "read_pressure",
    text: `with ${openSql("")}
      select ${waiting("ready", "f.paused_at is null")} as ready, ${waiting("blocked", "true")} as blocked,
        ${waiting("ready", "f.paused_at is not null")} as paused,
        (select coalesce(sum(slots), 0)::integer from held) as held,
        (select count(*) from tandem.workflows where paused_at is not null) as "pausedWorkflows",
        (select count(*) from tandem.workspaces w left join (
           select f.workspace_id, sum(h.slots) as slots from held h join tandem.workflows f on f.id = h.workflow_id group by 1
         ) s on s.workspace_id = w.id where coalesce(s.slots, 0) >= w.run_limit) as "fullWorkspaces"`,
  });
  const [row] = rows;
  if (row === undefined) throw new Error("Nothing was counted.");
  return row;
}

/**
 * SQL: by workflow, CTEs of the runs that are ready for a slot, blocked by their concurrency key, asleep,
 * and that hold a slot. The oldest is the one with the lowest id: only that one's row is read.
 */
function openSql(scope: string): string {
  const queued = (name: string, condition: string): string => `${name} as (
        select o.workflow_id, o.runs, extract(epoch from now() - i.created_at)::float8 as wait from (
          select r.workflow_id, count(*) as runs, min(r.id::text)::uuid as oldest from tandem.runs r
          where ${scope} r.status = 'queued' and ${condition} group by r.workflow_id
        ) o join tandem.runs i on i.id = o.oldest
      )`;
  return `${queued("ready", "r.ready")}, ${queued("blocked", "r.concurrency_key is not null and r.ready is distinct from true")},
      asleep as (
        select r.workflow_id, count(*) as runs, count(*) filter (where r.due_at <= now()) as due,
          extract(epoch from now() - min(r.due_at) filter (where r.due_at <= now()))::float8 as wait
        from tandem.runs r where ${scope} r.status = 'waiting' group by r.workflow_id
      ), held as (
        select r.workflow_id, count(*) as slots, array_agg(r.id order by r.id) as ids
        from tandem.runs r where ${scope} r.status in ('starting', 'running') group by r.workflow_id
      )`;
}
