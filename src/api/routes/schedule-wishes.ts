import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { issuesOf } from "../../definition/issues.ts";
import { ProblemError } from "../../errors.ts";
import type { JsonObject } from "../../json.ts";
import { channels, ring } from "../../runs/doorbell.ts";
import { notActive } from "../../runs/schedules/fire.ts";
import { firingsKeptDays } from "../../runs/schedules/firings.ts";
import { addWish, findWish } from "../../runs/schedules/wishes.ts";
import type { SqlPool } from "../../sql.ts";
import { schedule } from "../../triggers/schedule.ts";
import { scheduleSettings } from "../../triggers/schedule/settings.ts";
import { defineEndpoint, type Endpoint } from "../endpoint.ts";
import { id, idParams, moment } from "../schemas.ts";
import { getSchedule, scheduleParams } from "./schedules.ts";

const backfill = z
  .object({
    id,
    workflowId: id,
    triggerId: z.string(),
    from: moment,
    to: moment,
    status: z.enum(["waiting", "done", "failed"]),
    moments: z.int().nullable().meta({ description: "The schedule's moments in that time" }),
    runs: z.int().nullable().meta({ description: "Runs that were started: of moments that had none" }),
    error: z.object({ code: z.string(), message: z.string() }).nullable(),
    createdAt: moment,
    endedAt: moment.nullable(),
  })
  .meta({ id: "Backfill" });

const preview = z
  .object({ moments: z.array(moment), warnings: z.array(z.object({ path: z.string(), message: z.string() })) })
  .meta({ id: "SchedulePreview" });

const shared = { tag: "Schedules" } as const;

/** How long a preview waits for a worker to take it, and for Temporal to answer that. */
const previewMs = { taken: 5_000, answered: 12_000 };
const dayMs = 86_400_000;

/** What of schedules only Temporal knows: the moments of a time that is past, and the next of one that is considered. */
export function scheduleWishEndpoints(pool: SqlPool): Endpoint[] {
  return [
    defineEndpoint({
      ...shared,
      method: "post",
      path: "/api/workflows/{id}/schedules/{trigger}/backfill",
      access: { area: "runs", changes: "elsewhere" },
      summary: "Start the runs of a time that is past",
      description: `One for each moment of the schedule that has none; a thousand moments at most. They wait for one another where \`concurrency\` lets only so many run. Watch it at /api/backfills/{id}.`,
      params: scheduleParams,
      body: z.strictObject({ from: z.iso.datetime({ offset: true }), to: z.iso.datetime({ offset: true }) }),
      answers: { 202: backfill },
      refusals: {
        404: "The workflow has no such schedule",
        409: "The workflow is not active",
        422: "It is not a time that is past",
      },
      async handle({ workspace, params: key, body: { from, to } }) {
        const { armed } = await getSchedule(pool, workspace, key);
        if (!armed.active) throw notActive();
        checkPast(new Date(from), new Date(to));
        const of = { workspaceId: workspace.id, workflowId: key.id, triggerId: key.trigger };
        const wishId = await addWish(pool, { kind: "backfill", ...of, request: { from, to } });
        ring(pool, channels.schedules);
        return { status: 202, body: await getBackfill(pool, workspace.id, wishId) };
      },
    }),
    defineEndpoint({
      ...shared,
      method: "get",
      path: "/api/backfills/{id}",
      summary: "How a backfill stands",
      params: idParams,
      answers: { 200: backfill },
      handle: async ({ workspace, params: { id: wishId } }) => ({
        body: await getBackfill(pool, workspace.id, wishId),
      }),
    }),
    defineEndpoint({
      ...shared,
      method: "post",
      path: "/api/schedules/preview",
      access: { changes: "nothing" },
      summary: "The next ten moments of a schedule that is considered",
      description:
        "Temporal lists them: it is the calendar that will fire. `timeZone` is the workspace's where none is named.",
      body: z
        .record(z.string(), z.unknown())
        .meta({ description: "A schedule trigger's settings, as in a definition" }),
      answers: { 200: preview },
      refusals: { 422: "The settings are not valid: `issues` names each fault", 503: "No worker answered: try again" },
      async handle({ workspace, body }) {
        const parsed = scheduleSettings.safeParse(body);
        if (!parsed.success) throw invalid(parsed.error);
        const { timeZone } = workspace;
        // What came through the gateway's JSON parser is JSON.
        const settings = body as JsonObject;
        const request = { settings, timeZone };
        const wishId = await addWish(pool, { kind: "preview", workspaceId: workspace.id, request });
        ring(pool, channels.schedules);
        const { moments } = await awaitPreview(pool, workspace.id, wishId);
        const told = schedule.warn?.(settings, { timeZone, now: new Date(), at: "" }) ?? [];
        return { body: { moments, warnings: told } };
      },
    }),
  ];
}

function checkPast(from: Date, to: Date): void {
  const earliest = new Date(Date.now() - (firingsKeptDays - 1) * dayMs);
  const issues = [
    ...(to > new Date() ? [{ path: "to", message: "lies ahead; a backfill is of a time that is past" }] : []),
    ...(from > to ? [{ path: "from", message: `lies after "to"` }] : []),
    ...(from < earliest
      ? [
          {
            path: "from",
            message: `lies more than ${firingsKeptDays - 1} days back: what fired then is not known any more`,
          },
        ]
      : []),
  ];
  if (issues.length > 0)
    throw new ProblemError(422, "invalid-request", "The times are not valid. `issues` names each fault.", { issues });
}

function invalid(error: z.ZodError): ProblemError {
  return new ProblemError(422, "invalid-definition", "The settings are not valid. `issues` names each fault.", {
    issues: issuesOf(error, scheduleSettings),
  });
}

const backfillAnswer = z.object({ moments: z.int(), runs: z.int() });
const failure = z.object({ code: z.string(), message: z.string() });

async function getBackfill(pool: SqlPool, workspaceId: string, wishId: string): Promise<z.input<typeof backfill>> {
  const wish = await findWish(pool, { workspaceId, id: wishId, kind: "backfill" });
  if (wish === undefined) throw new ProblemError(404, "backfill-not-found", `There is no backfill ${wishId}.`);
  const { from, to } = z.object({ from: z.string(), to: z.string() }).parse(wish.request);
  const done = wish.status === "done" ? backfillAnswer.parse(wish.answer) : { moments: null, runs: null };
  return {
    id: wishId,
    workflowId: wish.workflowId ?? "",
    triggerId: wish.triggerId ?? "",
    from,
    to,
    status: wish.status,
    ...done,
    error: wish.status === "failed" ? failure.parse(wish.answer) : null,
    createdAt: wish.createdAt.toISOString(),
    endedAt: wish.endedAt?.toISOString() ?? null,
  };
}

/** Only a worker speaks to Temporal; its answer is a row. */
async function awaitPreview(pool: SqlPool, workspaceId: string, wishId: string): Promise<{ moments: string[] }> {
  const begun = Date.now();
  for (let end = begun + previewMs.taken; Date.now() < end;) {
    const wish = await findWish(pool, { workspaceId, id: wishId, kind: "preview" });
    if (wish?.status === "done") return z.object({ moments: z.array(z.string()) }).parse(wish.answer);
    if (wish?.status === "failed") throw new ProblemError(422, "schedule-refused", failure.parse(wish.answer).message);
    if (wish?.claimed === true) end = begun + previewMs.answered;
    await sleep(50);
  }
  throw new ProblemError(
    503,
    "no-worker",
    "No worker listed the schedule's moments: it is not running, or Temporal is away. Try again; /ready says what is up.",
    { headers: { "retry-after": "5" } },
  );
}
