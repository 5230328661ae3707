import type { StepKinds } from "../../activities/step-kind.ts";
import { findArmedTriggers } from "../../catalog/triggers.ts";
import type { Origin } from "../../crm/objects.ts";
import { durationMs } from "../../definition/schema.ts";
import { createId } from "../../ids.ts";
import type { Sql } from "../../sql.ts";
import { happeningOf } from "../../triggers/record-event/event.ts";
import { recordEventSettings } from "../../triggers/record-event/settings.ts";
import { listPageSize } from "../enqueue.ts";
import { deeper, unwritable } from "./gives.ts";
import { recordEventKind } from "./listeners.ts";
import type { Match } from "./match-events.ts";
import { startRuns } from "./starts.ts";

/** A list that has so many is closed, whether or not more are coming. */
const mostEvents = 10_000;
/** Where the trigger names no debounce, events that come closer together than this are of one list. */
const quietMs = 2_000;
/** A list grows no longer than this, or than ten times its quiet. */
const longestMs = 30_000;

interface Collecting {
  readonly id: string;
  readonly workflowId: string;
  readonly triggerId: string;
  readonly workspaceId: string;
  readonly events: number;
  readonly origin: Origin | null;
  readonly quietMs: number;
  readonly longestMs: number;
}

/** Puts events on their triggers' lists; their rows are still in the outbox. */
export async function collectEvents(sql: Sql, listed: readonly Match[]): Promise<void> {
  if (listed.length === 0) return;
  const lists = [...groupByTrigger(listed).values()];
  const { rows } = await sql.query<{ id: string; workflowId: string; triggerId: string }>({
    name: "collect_events",
    text: `insert into tandem.event_lists as l (id, workflow_id, trigger_id, workspace_id, events, origin, due_at, latest_due_at)
      select q.id, q."workflowId", q."triggerId", q."workspaceId", q.events, q.origin,
        clock_timestamp() + case when q.events >= ${mostEvents} then 0 else q."quietMs" end * interval '1 millisecond',
        clock_timestamp() + q."longestMs" * interval '1 millisecond'
      from jsonb_to_recordset($1::jsonb) as q(id uuid, "workflowId" uuid, "triggerId" text, "workspaceId" uuid, events integer, origin jsonb,
        "quietMs" double precision, "longestMs" double precision)
      order by q."workflowId", q."triggerId"
      on conflict (workflow_id, trigger_id) where closed_at is null do update set events = l.events + excluded.events,
        due_at = case when l.events + excluded.events >= ${mostEvents} then clock_timestamp() else least(excluded.due_at, l.latest_due_at) end,
        origin = case when coalesce((excluded.origin ->> 'depth')::integer, -1) > coalesce((l.origin ->> 'depth')::integer, -1) then excluded.origin else l.origin end
      returning id, workflow_id as "workflowId", trigger_id as "triggerId"`,
    values: [JSON.stringify(lists)],
  });
  const idOf = new Map(rows.map(({ id, workflowId, triggerId }) => [`${workflowId} ${triggerId}`, id]));
  await sql.query({
    name: "list_events",
    text: `insert into tandem.event_list_items (list_id, event_id, item)
      select q.list, o.id, jsonb_build_object('object', o.object, 'event', q.event, 'record', coalesce(o.after, o.before), 'before', o.before,
        'changedFields', to_jsonb(o.changed_fields), 'actor', o.actor, 'eventId', o.id)
      from unnest($1::uuid[], $2::bigint[], $3::text[]) as q(list, id, event) join tandem.outbox o on o.id = q.id`,
    values: [
      listed.map((match) => idOf.get(keyOf(match))),
      listed.map(({ event }) => event.id),
      listed.map(({ event }) => happeningOf(event)),
    ],
  });
}

function keyOf({ listener: { armed } }: Match): string {
  return `${armed.workflowId} ${armed.triggerId}`;
}

function groupByTrigger(listed: readonly Match[]): Map<string, Collecting> {
  const groups = new Map<string, Collecting>();
  for (const match of listed) {
    const { armed, settings } = match.listener;
    const earlier = groups.get(keyOf(match));
    const quiet = settings.debounce === undefined ? quietMs : durationMs(settings.debounce);
    groups.set(keyOf(match), {
      id: earlier?.id ?? createId(),
      workflowId: armed.workflowId,
      triggerId: armed.triggerId,
      workspaceId: armed.workspace.id,
      events: (earlier?.events ?? 0) + 1,
      origin: deeper(earlier?.origin ?? null, match.event.origin),
      quietMs: quiet,
      longestMs: Math.max(longestMs, 10 * quiet),
    });
  }
  return groups;
}

/** Closes lists that are due: what comes now begins others, so that nobody waits while their runs are made. */
export async function closeLists(sql: Sql): Promise<void> {
  await sql.query({
    name: "close_lists",
    text: `update tandem.event_lists set closed_at = clock_timestamp() where id in (
      select id from tandem.event_lists where due_at <= clock_timestamp() and closed_at is null order by due_at limit 100 for update skip locked)`,
  });
}

interface ClosedList {
  readonly id: string;
  readonly workflowId: string;
  readonly triggerId: string;
  readonly origin: Origin | null;
}

/**
 * Makes the run of one closed list, in the caller's transaction. Its items go to the run's pages as they
 * are, in the order of their events, without coming here. Gives whether there was a list.
 */
export async function deliverList(
  sql: Sql,
  { kinds, isPlain }: { kinds: StepKinds; isPlain: boolean },
): Promise<boolean> {
  const { rows } = await sql.query<ClosedList>({
    name: "deliver_list",
    text: `delete from tandem.event_lists where id = (
        select id from tandem.event_lists where closed_at is not null order by closed_at limit 1 for update skip locked)
      returning id, workflow_id as "workflowId", trigger_id as "triggerId", origin`,
  });
  const list = rows[0];
  if (list === undefined) return false;
  const { workflowId, triggerId } = list;
  const [armed] = await findArmedTriggers(sql, { kind: recordEventKind, workflowId, triggerId });
  // Where its workflow is not active any more, or its trigger wants no lists now, there is no run.
  const isWanted = recordEventSettings.safeParse(armed?.trigger).data?.deliver === "list";
  const id = createId();
  if (armed === undefined || !isWanted || isPlain)
    await sql.query("delete from tandem.event_list_items where list_id = $1::uuid", [list.id]);
  if (armed === undefined || !isWanted) return true;
  const { count, eventId } = isPlain ? { count: 0, eventId: 0 } : await moveItems(sql, list.id, id);
  const fault = isPlain ? unwritable : undefined;
  const start = { armed, id, gives: {}, eventId, origin: list.origin, fault, keptLists: { events: count } };
  await startRuns(sql, { kinds }, [start]);
  return true;
}

async function moveItems(sql: Sql, listId: string, runId: string): Promise<{ count: number; eventId: number }> {
  const { rows } = await sql.query<{ count: number; eventId: number | null }>({
    name: "move_list_items",
    text: `with taken as (
        delete from tandem.event_list_items where list_id = $1::uuid returning event_id, item
      ), numbered as (
        select event_id, item, row_number() over (order by event_id) - 1 as position from taken
      ), pages as (
        insert into tandem.run_lists (run_id, name, page, items)
        select $2::uuid, 'events', position / ${listPageSize}, jsonb_agg(item order by position) from numbered group by position / ${listPageSize}
      )
      select count(*) as count, max(event_id) as "eventId" from taken`,
    values: [listId, runId],
  });
  return { count: rows[0]?.count ?? 0, eventId: rows[0]?.eventId ?? 0 };
}
