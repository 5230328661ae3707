import type { Origin } from "../../crm/objects.ts";
import type { JsonObject } from "../../json.ts";
import type { Sql } from "../../sql.ts";
import type { RecordEvent } from "../../triggers/record-event/event.ts";

/** An event on its way out of the outbox. */
export interface OutboxEvent extends RecordEvent {
  readonly id: number;
  readonly workspaceId: string;
  readonly recordId: string;
  readonly actor: JsonObject;
  /** The run that wrote; null: none did. */
  readonly origin: Origin | null;
}

/** Where an event waits, before it is read. */
export interface Waiting {
  readonly id: number;
  readonly workspaceId: string;
  readonly object: string;
}

/** Of a lane that has more, so many events go in one transaction at least. */
export const fewestOfLane = 20;

/** What the events of one transaction may weigh, as JSON: records of some megabytes must not fill a worker's memory. */
const mostBytes = 16 * 1024 * 1024;

/** SQL: about how many bytes of JSON a state is. What is stored small is so, or compressed a few times over. */
function weightSql(state: string): string {
  return `coalesce(case when pg_column_size(${state}) < 2000 then pg_column_size(${state}) else octet_length(${state}::text) end, 0)`;
}

/** Shards in which events wait, by number. */
export async function findShards(sql: Sql): Promise<number[]> {
  const { rows } = await sql.query<{ shard: number }>({
    name: "shards_with_events",
    text: `select s.shard from tandem.outbox_shards s where exists (select 1 from tandem.outbox o where o.shard = s.shard)
      order by s.shard`,
  });
  return rows.map(({ shard }) => shard);
}

/** Takes those of the shards that no other relay is at; they are held until the transaction ends. */
export async function lockShards(sql: Sql, shards: readonly number[]): Promise<number[]> {
  const { rows } = await sql.query<{ shard: number }>({
    name: "lock_shards",
    text: "select shard from tandem.outbox_shards where shard = any($1::smallint[]) order by shard for update skip locked",
    values: [shards],
  });
  return rows.map(({ shard }) => shard);
}

/**
 * The next events of these shards, by id. Lanes (what one object of one workspace has in a shard) are
 * taken from in turns, each in the order of its ids: however many events wait in one, the others' go
 * with the next transaction. Of heavy ones no more than a few. A statement after the lock, so that it sees
 * all that the relay before left.
 */
export async function findWaiting(sql: Sql, shards: readonly number[], most: number): Promise<Waiting[]> {
  const lane = "o.shard, o.workspace_id, o.object";
  const { rows } = await sql.query<Waiting>({
    name: "waiting_events",
    text: `with recursive lanes(shard, workspace_id, object) as (
        select n.shard, n.workspace_id, n.object from unnest($1::smallint[]) s(shard) cross join lateral (
          select ${lane} from tandem.outbox o where o.shard = s.shard order by ${lane} limit 1) n
        union all
        select n.shard, n.workspace_id, n.object from lanes l cross join lateral (
          select ${lane} from tandem.outbox o
          where o.shard = l.shard and (o.workspace_id, o.object) > (l.workspace_id, l.object) order by ${lane} limit 1) n
      ), taken as (
        select e.id, e.workspace_id, e.object from lanes l cross join lateral (
          select o.id, o.workspace_id, o.object, row_number() over (order by o.id) as position from (
            select o.id, o.workspace_id, o.object from tandem.outbox o
            where o.shard = l.shard and o.workspace_id = l.workspace_id and o.object = l.object
            order by o.id limit (select greatest($2::integer / count(*), ${fewestOfLane}) from lanes)) o) e
        order by e.position, e.id limit $2::integer
      ), weighed as (
        select t.id, t.workspace_id, t.object, w.bytes, sum(w.bytes) over (order by t.id) as total
        from taken t join tandem.outbox o on o.id = t.id cross join lateral (
          select ${weightSql("o.before")} + ${weightSql("o.after")} as bytes) w
      )
      select id, workspace_id as "workspaceId", object from weighed where total - bytes < ${mostBytes} order by id`,
    values: [shards, most],
  });
  return rows;
}

/** The events themselves, by id. */
export async function readEvents(sql: Sql, ids: readonly number[]): Promise<OutboxEvent[]> {
  if (ids.length === 0) return [];
  const { rows } = await sql.query<OutboxEvent>({
    name: "read_events",
    text: `select id, workspace_id as "workspaceId", object, record_id as "recordId", before, after, changed_fields as "changedFields",
        actor, origin from tandem.outbox where id = any($1::bigint[]) order by id`,
    values: [ids],
  });
  return rows;
}

/** A run that an event started. */
export interface Started {
  readonly eventId: number;
  readonly runId: string;
}

/** Moves events to the history, with the runs that they started. */
export async function moveEvents(sql: Sql, ids: readonly number[], started: readonly Started[]): Promise<void> {
  const columns = "id, workspace_id, object, record_id, kind, before, after, changed_fields, actor, origin, created_at";
  await sql.query({
    name: "move_events",
    text: `with taken as (
        delete from tandem.outbox where id = any($1::bigint[]) returning ${columns}
      ), started as (
        select s.event_id, array_agg(s.run_id order by s.run_id) as run_ids
        from unnest($2::bigint[], $3::uuid[]) as s(event_id, run_id) group by 1
      )
      insert into tandem.record_events (${columns}, run_ids)
      select ${columns}, coalesce(s.run_ids, '{}'::uuid[]) from taken t left join started s on s.event_id = t.id order by t.id`,
    values: [ids, started.map(({ eventId }) => eventId), started.map(({ runId }) => runId)],
  });
}
