import type { StepKinds } from "../../activities/step-kind.ts";
import type { Origin } from "../../crm/objects.ts";
import type { JsonObject } from "../../json.ts";
import type { Sql } from "../../sql.ts";
import { differing } from "../../triggers/record-event/match.ts";
import { deeper, givesOf, plainGivesOf, unwritable, type GivenEvent } from "./gives.ts";
import { findListeners, type Listeners } from "./listeners.ts";
import { firstMatch, isSettling, type Settling } from "./match-events.ts";
import { startRuns, type RunStart } from "./starts.ts";

/** A record waits to settle no longer than so many times its debounce. */
const mostWaits = 10;

interface Change {
  readonly workflowId: string;
  readonly recordId: string;
  readonly workspaceId: string;
  readonly object: string;
  readonly before: JsonObject | null;
  readonly after: JsonObject | null;
  readonly changedFields: readonly string[];
  readonly actor: JsonObject;
  readonly origin: Origin | null;
  readonly eventId: number;
}

type Collected = Change & Pick<Settling, "counts" | "debounceMs">;

/** Keeps what happened to records until they have settled: of each workflow and record one row. */
export async function collectChanges(sql: Sql, settling: readonly Settling[]): Promise<void> {
  const folded = [...foldByRecord(settling).values()];
  const following = folded.filter(({ counts }) => !counts);
  const counting = folded.filter(({ counts }) => counts);
  if (following.length > 0) await follow(sql, following);
  if (counting.length > 0) await beginOrLengthen(sql, counting);
}

/** SQL: a change as a row of the parameter. */
const given = `jsonb_to_recordset($1::jsonb) as q("workflowId" uuid, "recordId" uuid, "workspaceId" uuid, object text, before jsonb, after jsonb,
  "changedFields" text[], actor jsonb, origin jsonb, "eventId" bigint, "debounceMs" double precision)`;

/** SQL: what a later change makes of the row `d`. */
function merged(later: string): string {
  const depth = (row: string): string => `coalesce((${row}.origin ->> 'depth')::integer, -1)`;
  return `after = ${later}.after, actor = ${later}.actor, event_id = ${later}.event_id,
    changed_fields = array(select distinct unnest(d.changed_fields || ${later}.changed_fields) order by 1),
    origin = case when ${depth(later)} > ${depth("d")} then ${later}.origin else d.origin end`;
}

/** What does not count is what a record is like by the time that it has settled. */
async function follow(sql: Sql, changes: readonly Collected[]): Promise<void> {
  await sql.query({
    name: "follow_changes",
    text: `update tandem.debounces d set ${merged("l")}
      from (select q."workflowId" as workflow_id, q."recordId" as record_id, q.after, q.actor, q."eventId" as event_id,
          q."changedFields" as changed_fields, q.origin from ${given}) l
      where d.workflow_id = l.workflow_id and d.record_id = l.record_id`,
    values: [JSON.stringify(changes)],
  });
}

async function beginOrLengthen(sql: Sql, changes: readonly Collected[]): Promise<void> {
  const after = (waits: number): string => `clock_timestamp() + ${waits} * q."debounceMs" * interval '1 millisecond'`;
  await sql.query({
    name: "collect_changes",
    text: `insert into tandem.debounces as d (workflow_id, record_id, workspace_id, object, before, after, changed_fields, actor, origin, event_id, due_at, latest_due_at)
      select q."workflowId", q."recordId", q."workspaceId", q.object, q.before, q.after, q."changedFields", q.actor, q.origin, q."eventId",
        ${after(1)}, ${after(mostWaits)}
      from ${given} order by q."workflowId", q."recordId"
      on conflict (workflow_id, record_id) do update set ${merged("excluded")}, due_at = least(excluded.due_at, d.latest_due_at)`,
    values: [JSON.stringify(changes)],
  });
}

/**
 * Events of one record in one transaction come to one change, which begins with the first that counts:
 * those before it are of a wait that had begun earlier, if there is one.
 */
function foldByRecord(settling: readonly Settling[]): Map<string, Collected> {
  const folded = new Map<string, Collected>();
  for (const { workflowId, event, counts, debounceMs } of settling) {
    const { id: eventId, recordId, workspaceId, object, before, after, changedFields, actor, origin } = event;
    const record = `${workflowId} ${recordId}`;
    const isBegun = counts || folded.has(`${record} counting`);
    const key = isBegun ? `${record} counting` : record;
    const earlier = folded.get(key);
    folded.set(key, {
      workflowId,
      recordId,
      workspaceId,
      object,
      before: earlier === undefined ? before : earlier.before,
      after,
      changedFields: [...new Set([...(earlier?.changedFields ?? []), ...changedFields])],
      actor,
      origin: deeper(earlier?.origin ?? null, origin),
      eventId,
      counts: isBegun,
      debounceMs: Math.max(debounceMs, earlier?.debounceMs ?? 0),
    });
  }
  return folded;
}

/**
 * Starts runs for records that have settled, in the caller's transaction: a row goes and its run comes
 * together. The trigger is asked about the whole change, from first to last: a field that is again what
 * it was did not change. Gives how many had settled.
 */
export async function settleChanges(
  sql: Sql,
  { kinds, most, isPlain }: { kinds: StepKinds; most: number; isPlain: boolean },
): Promise<number> {
  const { rows } = await sql.query<Change>({
    name: "settle_changes",
    text: `delete from tandem.debounces d using (
        select workflow_id, record_id from tandem.debounces where due_at <= clock_timestamp() order by due_at limit $1::integer for update skip locked) s
      where d.workflow_id = s.workflow_id and d.record_id = s.record_id
      returning d.workflow_id as "workflowId", d.record_id as "recordId", d.workspace_id as "workspaceId", d.object, d.before, d.after,
        d.changed_fields as "changedFields", d.actor, d.origin, d.event_id as "eventId"`,
    values: [most],
  });
  if (rows.length === 0) return 0;
  const listeners = await findListeners(sql, { kinds }, [...new Set(rows.map(({ workspaceId }) => workspaceId))]);
  const starts = rows.flatMap((change) => startOf(change, listeners, isPlain));
  await startRuns(sql, { kinds }, starts);
  return rows.length;
}

function startOf(change: Change, listeners: Listeners, isPlain: boolean): RunStart[] {
  const { workflowId, recordId, eventId, origin, object, before, after, actor } = change;
  const event: GivenEvent = {
    id: eventId,
    recordId,
    object,
    before,
    after,
    changedFields: differing(change, change.changedFields),
    actor,
  };
  // Where its workflow is not active any more there is no run.
  const listening = listeners.of(change).find(([first]) => first?.armed.workflowId === workflowId) ?? [];
  const settling = listening.filter(isSettling);
  // Where it waits for nothing since, what waited is its affair all the same.
  const asked = settling.length > 0 ? settling : listening.filter(({ settings }) => settings.deliver === "each");
  const isSame = before !== null && after !== null && event.changedFields.length === 0 && !isMarked(before, after);
  const match = isSame ? undefined : firstMatch(asked, event);
  if (match === undefined) return [];
  const { listener, fault } = match;
  const gives = isPlain ? plainGivesOf(event) : givesOf(event);
  return [{ armed: listener.armed, gives, eventId, origin, fault: isPlain ? (fault ?? unwritable) : fault }];
}

/** Whether a record was deleted or brought back between the two. */
function isMarked(before: JsonObject, after: JsonObject): boolean {
  return (before["deletedAt"] ?? null) !== (after["deletedAt"] ?? null);
}
