import { z } from "zod";
import { createId } from "../../ids.ts";
import type { Json, JsonObject } from "../../json.ts";
import type { Sql } from "../../sql.ts";
import type { ScheduleKey } from "./firings.ts";

const moment = z.iso.datetime({ offset: true });

/** A schedule that is considered: its settings, and the zone where they name none. */
const previewRequest = z.object({ settings: z.record(z.string(), z.json()), timeZone: z.string() });
const backfillRequest = z.object({ from: moment, to: moment });

/** What only a worker can do, as it has to ask Temporal. */
export type Wish = { readonly id: string; readonly createdAt: Date } & (
  | { readonly kind: "preview"; readonly settings: JsonObject; readonly timeZone: string }
  | ({ readonly kind: "backfill"; readonly from: Date; readonly to: Date } & ScheduleKey)
);

/** How a wish came out. */
export type WishOutcome =
  | { readonly status: "done"; readonly answer: JsonObject }
  | { readonly status: "failed"; readonly answer: { readonly code: string; readonly message: string } };

/** Whoever asked for a preview has stopped waiting after this long, in seconds. */
const previewSeconds = 10;
/** What a worker took and did not finish is taken by another after this long, in seconds. */
const claimSeconds = 30;

/** Commits a wish; gives its id. The worker is rung by the caller. */
export async function addWish(
  sql: Sql,
  wish: { workspaceId: string } & (
    | { kind: "preview"; request: z.input<typeof previewRequest> }
    | ({ kind: "backfill"; request: z.input<typeof backfillRequest> } & ScheduleKey)
  ),
): Promise<string> {
  const id = createId();
  const schedule = wish.kind === "backfill" ? wish : { workflowId: null, triggerId: null };
  await sql.query({
    name: "add_schedule_wish",
    text: `insert into tandem.schedule_wishes (id, workspace_id, kind, workflow_id, trigger_id, request)
      values ($1::uuid, $2::uuid, $3::text, $4::uuid, $5::text, $6::jsonb)`,
    values: [id, wish.workspaceId, wish.kind, schedule.workflowId, schedule.triggerId, JSON.stringify(wish.request)],
  });
  return id;
}

/** Takes the oldest wish that nobody works on, previews first; a worker that dies leaves it to the next. */
export async function claimWish(sql: Sql): Promise<Wish | undefined> {
  const { rows } = await sql.query<{
    id: string;
    kind: "preview" | "backfill";
    workflowId: string;
    triggerId: string;
    request: Json;
    createdAt: Date;
  }>({
    name: "claim_schedule_wish",
    text: `update tandem.schedule_wishes set claimed_until = now() + interval '${claimSeconds} seconds' where id = (
        select id from tandem.schedule_wishes where status = 'waiting' and (claimed_until is null or claimed_until < now())
          and (kind <> 'preview' or created_at > now() - interval '${previewSeconds} seconds')
        order by kind = 'backfill', created_at limit 1 for update skip locked)
      returning id, kind, workflow_id as "workflowId", trigger_id as "triggerId", request, created_at as "createdAt"`,
  });
  const row = rows[0];
  if (row === undefined) return undefined;
  const { id, kind, createdAt, workflowId, triggerId } = row;
  if (kind === "preview") return { id, kind, createdAt, ...previewRequest.parse(row.request) };
  const { from, to } = backfillRequest.parse(row.request);
  return { id, kind, createdAt, workflowId, triggerId, from: new Date(from), to: new Date(to) };
}

/** Gives a wish back that could not be done now; somebody takes it in a second. */
export async function returnWish(sql: Sql, id: string): Promise<void> {
  await sql.query({
    name: "return_schedule_wish",
    text: "update tandem.schedule_wishes set claimed_until = now() + interval '1 second' where id = $1::uuid and status = 'waiting'",
    values: [id],
  });
}

/** Commits how the wish came out; the first answer stays. */
export async function endWish(sql: Sql, id: string, { status, answer }: WishOutcome): Promise<void> {
  await sql.query({
    name: "end_schedule_wish",
    text: `update tandem.schedule_wishes set status = $2::text, answer = $3::jsonb, ended_at = now()
      where id = $1::uuid and status = 'waiting'`,
    values: [id, status, JSON.stringify(answer)],
  });
}

/** A wish as those see it who asked for it. */
export interface WishState {
  readonly status: "waiting" | "done" | "failed";
  /** Whether a worker has taken it. */
  readonly claimed: boolean;
  readonly request: Json;
  readonly answer: Json;
  readonly workflowId: string | null;
  readonly triggerId: string | null;
  readonly createdAt: Date;
  readonly endedAt: Date | null;
}

export async function findWish(
  sql: Sql,
  { workspaceId, id, kind }: { workspaceId: string; id: string; kind: Wish["kind"] },
): Promise<WishState | undefined> {
  const { rows } = await sql.query<WishState>({
    name: "find_schedule_wish",
    text: `select status, claimed_until is not null as claimed, request, answer, workflow_id as "workflowId", trigger_id as "triggerId", created_at as "createdAt", ended_at as "endedAt"
      from tandem.schedule_wishes where id = $1::uuid and workspace_id = $2::uuid and kind = $3::text`,
    values: [id, workspaceId, kind],
  });
  return rows[0];
}

/** Whether somebody may be at this preview now. */
export async function isPreviewing(sql: Sql, id: string): Promise<boolean> {
  const { rows } = await sql.query(
    `select 1 from tandem.schedule_wishes where id = $1::uuid and status = 'waiting' and created_at > now() - interval '1 minute'`,
    [id],
  );
  return rows.length > 0;
}

/** Forgets previews after an hour, and backfills after a month. */
export async function forgetWishes(sql: Sql): Promise<void> {
  await sql.query(
    `delete from tandem.schedule_wishes where created_at < now() - case when kind = 'preview' then interval '1 hour' else interval '30 days' end
       and (kind = 'preview' or status <> 'waiting')`,
  );
}
