import { inTransaction, type Sql, type SqlPool } from "../sql.ts";

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
  /** It waited and goes on: its workflow is there and is rung; otherwise a workflow is started. */
  readonly resumed: boolean;
}

/** How long a dispatcher has to start what it admitted, before anybody starts it again. */
const leaseSeconds = 15;

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
 * dispatcher is at it.
 */
export async function admit(
  pool: SqlPool,
  request: { workspaceId: string; owner: string; most: number },
): Promise<Admitted[]> {
  return inTransaction(pool, async (sql) => {
    const { rows } = await sql.query<{ limit: number }>({
      name: "lock_workspace",
      text: `select run_limit as limit from tandem.workspaces where id = $1::uuid for update skip locked`,
      values: [request.workspaceId],
    });
    const workspace = rows[0];
    if (workspace === undefined) return [];
    await judgeKeys(sql, request.workspaceId);
    const admitted = await giveSlots(sql, { ...request, limit: workspace.limit });
    await settleWaits(
      sql,
      admitted.filter((run) => run.resumed).map((run) => run.runId),
    );
    return admitted;
  });
}

/**
 * Decides for runs with a concurrency key whether the key lets them go: of each key at most `limit`
 * open runs are ready. Only under the workspace's lock, so that nobody else decides meanwhile.
 */
async function judgeKeys(sql: Sql, workspaceId: string): Promise<void> {
  await sql.query({
    name: "judge_keys",
    text: `with unjudged as (
        select id, concurrency_key, concurrency_limit from tandem.runs
        where workspace_id = $1::uuid and status = 'queued' and ready is null order by id limit 1000
      ), keys as (
        select concurrency_key as key, min(concurrency_limit) as most from unjudged group by 1
      ), chosen as (
        select n.id from keys k,
          lateral (
            select count(*) as taken from (
              select 1 from tandem.runs o where o.workspace_id = $1::uuid and o.concurrency_key = k.key and o.ready
                and o.status in ('queued', 'starting', 'running', 'waiting') limit k.most) t
          ) t,
          lateral (
            select o.id from tandem.runs o where o.workspace_id = $1::uuid and o.concurrency_key = k.key
              and o.status = 'queued' and o.ready is distinct from true
            order by o.id limit greatest(k.most - t.taken, 0)
          ) n
      )
      update tandem.runs r set ready = exists (select 1 from chosen c where c.id = r.id)
      where r.id in (select id from unjudged union select id from chosen)`,
    values: [workspaceId],
  });
}

/**
 * Runs get slots in turns between workflows: whose workflow holds fewer slots goes first, within a
 * workflow resumed ones, then manual ones, then the oldest.
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
      ), free as (
        select least(greatest($2::integer - (select coalesce(sum(slots), 0) from held), 0), $3::integer)::integer as slots
      ), queues(workflow_id) as (
        (select r.workflow_id from tandem.runs r where r.workspace_id = $1::uuid and r.status = 'queued' and r.ready
         order by r.workflow_id limit 1)
        union all
        select (select r.workflow_id from tandem.runs r where r.workspace_id = $1::uuid and r.status = 'queued' and r.ready
                  and r.workflow_id > q.workflow_id order by r.workflow_id limit 1)
        from queues q where q.workflow_id is not null
      ), candidates as (
        select d.id, d.workflow_id, 0 as priority, true as resumed from (
          select r.id, r.workflow_id from tandem.runs r
          where r.workspace_id = $1::uuid and r.status = 'waiting' and r.due_at <= now() and r.cancel_requested_at is null
          order by r.due_at limit (select slots from free)) d
        union all
        select n.id, q.workflow_id, n.priority, false from queues q,
          lateral (select r.id, r.priority from tandem.runs r
            where r.workspace_id = $1::uuid and r.workflow_id = q.workflow_id and r.status = 'queued' and r.ready
            order by r.priority, r.id limit (select slots from free)) n
        where q.workflow_id is not null
      ), turns as (
        select c.id, c.resumed, coalesce(h.slots, 0) + row_number() over (partition by c.workflow_id order by c.priority, c.id) as turn
        from candidates c left join held h using (workflow_id)
      ), chosen as (
        select id, resumed from turns order by turn, id limit (select slots from free)
      )
      update tandem.runs r set status = case when c.resumed then 'running' else 'starting' end, due_at = null,
        started_at = coalesce(r.started_at, clock_timestamp()),
        lease_owner = case when c.resumed then null else $4::text end,
        lease_until = case when c.resumed then null else clock_timestamp() + $5::integer * interval '1 second' end
      from chosen c, tandem.workflows f where r.id = c.id and f.id = r.workflow_id
      returning r.id as "runId", r.fence, r.version_id as "versionId", r.workspace_id as "workspaceId", r.workflow_id as "workflowId",
        f.key as "workflowKey", f.name as "workflowName", r.trigger->>'kind' as "triggerKind", c.resumed`,
    values: [workspaceId, limit, most, owner, leaseSeconds],
  });
  return rows;
}

async function settleWaits(sql: Sql, runIds: readonly string[]): Promise<void> {
  if (runIds.length === 0) return;
  await sql.query({
    name: "settle_waits",
    text: `update tandem.waits set settled_at = now(), rung_at = now() where run_id = any($1::uuid[]) and settled_at is null`,
    values: [runIds],
  });
}

/** Commits that the workflows of these runs were started. */
export async function markStarted(sql: Sql, runIds: readonly string[]): Promise<void> {
  if (runIds.length === 0) return;
  await sql.query({
    name: "mark_started",
    text: `update tandem.runs set status = 'running', lease_owner = null, lease_until = null where id = any($1::uuid[]) and status = 'starting'`,
    values: [runIds],
  });
}

/** Runs whose start somebody leased and did not finish: taken over with a lease of one's own. */
export async function takeOverStarts(sql: Sql, owner: string): Promise<Admitted[]> {
  const { rows } = await sql.query<Admitted>({
    name: "take_over_starts",
    text: `update tandem.runs r set lease_owner = $1::text, lease_until = clock_timestamp() + $2::integer * interval '1 second'
      from tandem.workflows f
      where f.id = r.workflow_id and r.id in (
        select id from tandem.runs where status = 'starting' and lease_until < now() limit 100 for update skip locked)
      returning r.id as "runId", r.fence, r.version_id as "versionId", r.workspace_id as "workspaceId", r.workflow_id as "workflowId",
        f.key as "workflowKey", f.name as "workflowName", r.trigger->>'kind' as "triggerKind", false as resumed`,
    values: [owner, leaseSeconds],
  });
  return rows;
}

/** Settled waits that their runs have not read yet, rung longer than two seconds ago. */
export async function unreadWaits(sql: Sql): Promise<string[]> {
  const { rows } = await sql.query<{ runId: string }>({
    name: "unread_waits",
    text: `update tandem.waits w set rung_at = now()
      from tandem.runs r
      where r.id = w.run_id and r.status in ('starting', 'running', 'waiting')
        and w.settled_at is not null and w.read_at is null and w.rung_at < now() - interval '2 seconds'
      returning w.run_id as "runId"`,
  });
  return rows.map((row) => row.runId);
}
