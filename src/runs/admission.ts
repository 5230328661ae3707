import { inTransaction, type Sql, type SqlPool } from "../sql.ts";
import { judgeKeys } from "./judge.ts";
import { leaseSeconds } from "./leases.ts";
import { lastSuccessSql } from "./schedules/last-success.ts";
import { settleDue } from "./waits/due.ts";

/** A run that was given a slot. */
export interface Admitted {
  readonly runId: string;
  readonly fence: number;
  readonly versionId: string;
  readonly workspaceId: string;
  readonly workflowId: string;
  readonly workflowKey: string;
  readonly workflowName: string;
  readonly triggerKind: string;
  /** The record that its trigger gives. */
  readonly recordId: string | null;
  /** It waited and goes on: its workflow is there and is rung; otherwise a workflow is started. */
  readonly resumed: boolean;
}

/** What one look at a workspace came to. */
export interface Admission {
  readonly admitted: readonly Admitted[];
  /** Workflows whose waits are over: they are to be rung. */
  readonly waiters: readonly string[];
  /** There are more runs to judge than one look takes. */
  readonly more: boolean;
  /** The cancel of runs was asked for, to make room for newer ones. */
  readonly cancelling: boolean;
}

const nothing: Admission = { admitted: [], waiters: [], more: false, cancelling: false };

/**
 * Workspaces in which something wants to run. Each index is gone through from one workspace to the next,
 * so that it takes as long as there is work, however many workspaces there are.
 */
export async function workspacesWithWork(sql: Sql): Promise<string[]> {
  const { rows } = await sql.query<{ id: string }>({
    name: "workspaces_with_work",
    text: `with recursive ${workspacesSql("ready", "r.status = 'queued' and r.ready")},
      ${workspacesSql("unjudged", "r.status = 'queued' and r.ready is null")},
      ${workspacesSql("waiting", "r.status = 'waiting' and r.due_at is not null")}
      select id from ready where id is not null
      union select id from unjudged where id is not null
      union select w.id from waiting w where exists (
        select 1 from tandem.runs r where r.workspace_id = w.id and r.status = 'waiting' and r.due_at <= now())`,
  });
  return rows.map((row) => row.id);
}

/** SQL: a CTE of the workspaces with runs of a kind that an index by workspace serves; the last is null. */
function workspacesSql(name: string, condition: string): string {
  const next = (beyond: string): string =>
    `(select r.workspace_id from tandem.runs r where ${condition}${beyond} order by r.workspace_id limit 1)`;
  return `${name}(id) as (${next("")}
        union all select ${next(" and r.workspace_id > p.id")} from ${name} p where p.id is not null)`;
}

/**
 * Gives out a workspace's free slots, in one transaction under a lock on its row: two dispatchers that
 * count and then admit would overshoot (DURABILITY.md §7). At most `most` runs; empty when another
 * dispatcher is at it. Whoever enqueues runs in the workspace, for however long, is neither waited for nor
 * kept waiting: only its row's key is theirs.
 */
export async function admit(
  pool: SqlPool,
  request: { workspaceId: string; owner: string; most: number },
): Promise<Admission> {
  return inTransaction(pool, async (sql) => {
    const { rows } = await sql.query<{ limit: number }>({
      name: "lock_workspace",
      text: `select run_limit as limit from tandem.workspaces where id = $1::uuid for no key update skip locked`,
      values: [request.workspaceId],
    });
    const workspace = rows[0];
    if (workspace === undefined) return nothing;
    const judged = await judgeKeys(sql, request.workspaceId);
    // Asked only to judge: of hundreds of workspaces few are given slots at a time.
    if (request.most === 0) return { ...judged, admitted: [], waiters: [] };
    const admitted = await giveSlots(sql, { ...request, limit: workspace.limit });
    const waiters = await settleDue(
      sql,
      admitted.filter((run) => run.resumed).map((run) => run.runId),
    );
    return { ...judged, admitted, waiters };
  });
}

/**
 * Runs get slots in turns between workflows: whose workflow holds fewer slots goes first, within a
 * workflow resumed ones, then called and manual ones, then the oldest. A paused workflow gets none. A run
 * that was called in the slot of its caller has it already.
 */
async function giveSlots(
  sql: Sql,
  { workspaceId, owner, most, limit }: { workspaceId: string; owner: string; most: number; limit: number },
): Promise<Admitted[]> {
  const { rows } = await sql.query<Admitted>({
    name: "give_slots",
    text: `with recursive held as (
        select workflow_id, count(*) as slots from tandem.runs
        where workspace_id = $1::uuid and status in ('starting', 'running') group by 1
      ), paused as (
        select id from tandem.workflows where workspace_id = $1::uuid and paused_at is not null
      ), called as (
        select r.id from tandem.runs r
        where r.workspace_id = $1::uuid and r.status = 'queued' and r.ready and r.inherits_slot
          and r.workflow_id not in (select id from paused)
        order by r.id
      ), inheriting as (
        select id from called order by id limit $3::integer
      ), free as (
        select least(
          greatest($2::integer - (select coalesce(sum(slots), 0) from held) - (select count(*) from called), 0),
          $3::integer - (select count(*) from inheriting))::integer as slots
      ), ${workflowsSql("queues", "r.status = 'queued' and r.ready")},
      ${workflowsSql("sleepers", "r.status = 'waiting'")},
      candidates as (
        select d.id, s.workflow_id, 0 as priority, true as resumed from sleepers s,
          lateral (select r.id from tandem.runs r
            where r.workspace_id = $1::uuid and r.workflow_id = s.workflow_id and r.status = 'waiting' and r.due_at <= now()
              and r.cancel_requested_at is null
            order by r.due_at limit (select slots from free)) d
        where s.workflow_id is not null and s.workflow_id not in (select id from paused)
        union all
        select n.id, q.workflow_id, n.priority, false from queues q,
          lateral (select r.id, r.priority from tandem.runs r
            where r.workspace_id = $1::uuid and r.workflow_id = q.workflow_id and r.status = 'queued' and r.ready
              and not r.inherits_slot
            order by r.priority, r.id limit (select slots from free)) n
        where q.workflow_id is not null and q.workflow_id not in (select id from paused)
      ), turns as (
        select c.id, c.resumed, coalesce(h.slots, 0) + row_number() over (partition by c.workflow_id order by c.priority, c.id) as turn
        from candidates c left join held h using (workflow_id)
      ), chosen as (
        (select id, resumed from turns order by turn, id limit (select slots from free))
        union all
        select id, false from inheriting
      )
      update tandem.runs r set status = case when c.resumed then 'running' else 'starting' end, due_at = null,
        started_at = coalesce(r.started_at, clock_timestamp()), last_success_at = ${lastSuccessSql("r")},
        lease_owner = case when c.resumed then null else $4::text end,
        lease_until = case when c.resumed then null else clock_timestamp() + $5::integer * interval '1 second' end
      from chosen c, tandem.workflows f
      -- One that was cancelled in this moment stays so.
      where r.id = c.id and f.id = r.workflow_id and r.cancel_requested_at is null
        and r.status = case when c.resumed then 'waiting' else 'queued' end
      returning r.id as "runId", r.fence, r.version_id as "versionId", r.workspace_id as "workspaceId", r.workflow_id as "workflowId",
        f.key as "workflowKey", f.name as "workflowName", r.trigger->>'kind' as "triggerKind", r.record_id as "recordId", c.resumed`,
    values: [workspaceId, limit, most, owner, leaseSeconds],
  });
  return rows;
}

/** SQL: a CTE of the workspace's workflows with runs of a kind that an index by workflow serves; the last is null. */
function workflowsSql(name: string, condition: string): string {
  const next = (beyond: string): string =>
    `(select r.workflow_id from tandem.runs r where r.workspace_id = $1::uuid and ${condition}${beyond} order by r.workflow_id limit 1)`;
  return `${name}(workflow_id) as (${next("")}
        union all select ${next(" and r.workflow_id > p.workflow_id")} from ${name} p where p.workflow_id is not null)`;
}
