import { createId } from "../ids.ts";
import type { JsonObject } from "../json.ts";
import { createStatement, inTransaction, type Sql, type SqlPool } from "../sql.ts";
import type { Reason } from "./deliveries.ts";
import { addRuns, enqueueRuns, type NewRun } from "./enqueue.ts";

/** How long a gateway has a replay to itself after its last sign: then another goes on with it. */
const claimSeconds = 30;
const mostReasonsShown = 100;

/** Many deliveries that are replayed, as a person follows it. */
export interface Replay {
  readonly id: string;
  readonly status: "running" | "finished" | "cancelled";
  readonly total: number;
  readonly started: number;
  readonly refused: number;
  /** The first refusals. */
  readonly refusals: ReadonlyArray<{ readonly deliveryId: string; readonly reason: Reason }>;
  readonly createdAt: Date;
  readonly endedAt: Date | null;
}

/** A replay that this process works at. */
export interface ClaimedReplay {
  readonly id: string;
  readonly workspaceId: string;
  readonly filter: JsonObject;
  readonly force: boolean;
  /** The last delivery that is done. */
  readonly doneThrough: string | null;
}

/** What a delivery comes to when it is replayed: a run, or the reason why there is none. */
export type Replayed =
  | { readonly deliveryId: string; readonly run: NewRun }
  | { readonly deliveryId: string; readonly reason: Reason };

/** Keeps one delivery's run, with whose replay it is. */
export async function recordReplay(sql: Sql, deliveryId: string, run: NewRun): Promise<void> {
  const statement = createStatement();
  const p = statement.param;
  addRuns(statement, [run]);
  statement.with(
    "replay",
    `insert into tandem.delivery_replays (id, workspace_id, delivery_id, run_id)
     values (${p(createId(), "uuid")}, ${p(run.workspaceId, "uuid")}, ${p(deliveryId, "uuid")}, ${p(run.id, "uuid")})`,
  );
  await sql.query(statement.query("select 1"));
}

/** Keeps the wish to replay what a filter finds. */
export async function createReplay(
  sql: Sql,
  { workspaceId, filter, force, total }: { workspaceId: string; filter: object; force: boolean; total: number },
): Promise<string> {
  const id = createId();
  await sql.query(
    `insert into tandem.replays (id, workspace_id, filter, force, total, status, ended_at)
     values ($1, $2, $3, $4, $5::integer, case when $5::integer = 0 then 'finished' else 'running' end,
       case when $5::integer = 0 then now() end)`,
    [id, workspaceId, JSON.stringify(filter), force, total],
  );
  return id;
}

interface Of {
  readonly workspaceId: string;
  readonly id: string;
}

/** A replay with how far it is; undefined where the workspace has none of that id. */
export async function findReplay(sql: Sql, { workspaceId, id }: Of): Promise<Replay | undefined> {
  const { rows } = await sql.query<Replay>(
    `select p.id, p.status, p.total, p.started, p.refused, p.created_at as "createdAt", p.ended_at as "endedAt",
       coalesce((select jsonb_agg(jsonb_build_object('deliveryId', f.delivery_id, 'reason', f.reason) order by f.delivery_id)
         from (select r.delivery_id, r.reason from tandem.delivery_replays r where r.replay_id = p.id and r.reason is not null
           order by r.delivery_id limit ${mostReasonsShown}) f), '[]'::jsonb) as refusals
     from tandem.replays p where p.id = $1::uuid and p.workspace_id = $2::uuid`,
    [id, workspaceId],
  );
  return rows[0];
}

/** Ends a replay where it is; runs that it has started go on. False: it is not under way. */
export async function cancelReplay(sql: Sql, { workspaceId, id }: Of): Promise<boolean> {
  const { rowCount } = await sql.query(
    "update tandem.replays set status = 'cancelled', ended_at = now() where id = $1 and workspace_id = $2 and status = 'running'",
    [id, workspaceId],
  );
  return rowCount === 1;
}

/** Takes the oldest replay that nobody works at. */
export async function claimReplay(sql: Sql): Promise<ClaimedReplay | undefined> {
  const { rows } = await sql.query<ClaimedReplay>({
    name: "claim_replay",
    text: `update tandem.replays set claimed_until = now() + interval '${claimSeconds} seconds'
      where id = (select id from tandem.replays where status = 'running' and (claimed_until is null or claimed_until < now())
        order by id limit 1 for update skip locked)
      returning id, workspace_id as "workspaceId", filter, force, done_through as "doneThrough"`,
  });
  return rows[0];
}

/**
 * Commits what a batch of deliveries came to, and that they are done; without any, that all are. False:
 * the replay was cancelled, or another process has gone on from there: nothing is kept of the batch.
 */
export async function commitReplayed(
  pool: SqlPool,
  { id, workspaceId, doneThrough }: ClaimedReplay,
  batch: readonly Replayed[],
): Promise<boolean> {
  const runs = batch.flatMap((replayed) => ("run" in replayed ? [replayed.run] : []));
  return inTransaction(pool, async (sql) => {
    const { rowCount } = await sql.query(
      `update tandem.replays set started = started + $3::integer, refused = refused + $4::integer,
         done_through = coalesce($5::uuid, done_through), claimed_until = now() + interval '${claimSeconds} seconds',
         status = case when $5::uuid is null then 'finished' else status end, ended_at = case when $5::uuid is null then now() end
       where id = $1::uuid and status = 'running' and done_through is not distinct from $2::uuid`,
      [id, doneThrough, runs.length, batch.length - runs.length, batch.at(-1)?.deliveryId ?? null],
    );
    if (rowCount === 0) return false;
    await enqueueRuns(sql, runs);
    await insertReplayed(sql, { id, workspaceId }, batch);
    return true;
  });
}

/** Forgets replays that ended before then, once the deliveries that they started are forgotten. */
export async function forgetReplays(sql: Sql, before: Date): Promise<void> {
  await sql.query(
    `delete from tandem.replays p where p.ended_at < $1
       and not exists (select 1 from tandem.delivery_replays r where r.replay_id = p.id)`,
    [before],
  );
}

async function insertReplayed(sql: Sql, { id, workspaceId }: Of, batch: readonly Replayed[]): Promise<void> {
  const rows = batch.map((replayed) => ({
    id: createId(),
    deliveryId: replayed.deliveryId,
    runId: "run" in replayed ? replayed.run.id : null,
    reason: "run" in replayed ? null : replayed.reason,
  }));
  await sql.query(
    `insert into tandem.delivery_replays (id, workspace_id, delivery_id, replay_id, run_id, reason)
     select q.id, $2::uuid, q."deliveryId", $1::uuid, q."runId", q.reason
     from jsonb_to_recordset($3::jsonb) as q(id uuid, "deliveryId" uuid, "runId" uuid, reason jsonb)`,
    [id, workspaceId, JSON.stringify(rows)],
  );
}
