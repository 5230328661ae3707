import { z } from "zod";
import { whenBusyPolicies } from "../../definition/schema.ts";
import { ProblemError } from "../../errors.ts";
import { cancelRun } from "../../runs/cancel.ts";
import { ringDispatcher } from "../../runs/doorbell.ts";
import { findRun, type RunDetail } from "../../runs/read.ts";
import { listRuns, runStatuses } from "../../runs/run-list.ts";
import type { SqlPool } from "../../sql.ts";
import { triggerKinds } from "../../triggers/registry.ts";
import { decodeCursor, toPage } from "../cursor.ts";
import { defineEndpoint, type Endpoint } from "../endpoint.ts";
import { id, idParams, json, moment, pageOf, pageQuery } from "../schemas.ts";

const summaryShape = {
  id,
  workflowId: id,
  workflowKey: z.string(),
  versionId: id,
  status: z.enum(runStatuses),
  triggerId: z.string().nullable(),
  triggerKind: z.string().nullable(),
  object: z.string().nullable().meta({ description: "Of the record that its trigger gives" }),
  recordId: id.nullable().meta({ description: "The record that its trigger gives; null: it gives none, or a list" }),
  createdAt: moment,
  startedAt: moment.nullable(),
  endedAt: moment.nullable(),
  scheduledAt: moment.nullable().meta({ description: "The moment that its schedule meant" }),
  cancelRequestedAt: moment.nullable(),
  stuck: z.boolean().meta({ description: "Its workflow task fails over and over" }),
  error: json.meta({
    description: "Why it failed; of a skipped, stopped or replaced run the reason, `{ code, message }`",
  }),
  origin: json.meta({ description: "The run whose write or launch led to this one: `{ runId, workflowId, depth }`" }),
  depth: z.int().meta({ description: "Runs that led to one another before it" }),
  launchedBy: json.meta({ description: "Who launched it, and the `launch`; null: nobody did" }),
};

/** A moment with any offset, `2026-11-24T09:00:00+01:00`. */
const givenMoment = z.iso.datetime({ offset: true }).transform((text) => new Date(text));

const attempt = z
  .object({ number: z.int(), startedAt: moment, endedAt: moment.nullable(), error: json })
  .meta({ id: "StepAttempt" });

const list = z
  .object({
    path: z.string().meta({ description: "Where its pages are asked for" }),
    name: z.string().meta({ description: "Keys of the output that lead to it, with dots between them" }),
    count: z.int(),
  })
  .meta({ id: "StepList" });

export const step = z
  .object({
    path: z.string(),
    kind: z.string(),
    status: z.enum(["done", "failed", "skipped", "already-done", "outcome-unknown", "running"]),
    outcome: z.string().nullable(),
    lane: z.enum(["quick", "ordinary"]),
    startedAt: moment,
    endedAt: moment.nullable(),
    attempts: z.array(attempt),
    input: json,
    output: json,
    lists: z.array(list).meta({
      description: "Lists of the output that are kept as pages: `{ count }` stands in their places",
    }),
    error: json,
    log: z.string().nullable().meta({ description: "What its code printed" }),
    items: z
      .object({ total: z.int(), succeeded: z.int(), failed: z.int(), filtered: z.int() })
      .nullable()
      .meta({ description: "Of a loop: how many of its items are how far" }),
  })
  .meta({ id: "Step" });

const wait = z
  .object({
    path: z.string().meta({ description: "The step that waits" }),
    kind: z.enum(["retry", "timer", "question", "call", "once", "slot"]),
    since: moment,
    until: moment.nullable().meta({ description: "When it is over by itself; null: not by itself" }),
    questionId: id.nullable(),
    calledRunId: id.nullable(),
  })
  .meta({ id: "Wait" });

const summary = z.object(summaryShape).meta({ id: "RunSummary" });
const detail = z
  .object({
    ...summaryShape,
    trigger: json.meta({
      description: "What the trigger gave. A long list is kept apart: `{ count }` stands in its place",
    }),
    settings: json,
    concurrency: z
      .object({ key: z.string(), limit: z.int(), whenBusy: z.enum(whenBusyPolicies) })
      .nullable()
      .meta({ description: "Its concurrency key, and what happens where that is busy" }),
    output: json,
    waits: z.array(wait).meta({ description: "What it waits for now, the oldest 200" }),
    steps: z.array(step),
  })
  .meta({ id: "Run" });

const runsQuery = pageQuery.extend({
  workflowId: id.optional(),
  status: z
    .string()
    .transform((text) => text.split(","))
    .pipe(z.array(z.enum(runStatuses)))
    .optional()
    .meta({ description: `One or several, with commas between them: ${runStatuses.join(", ")}` }),
  triggerKind: z.enum(Object.keys(triggerKinds)).optional().meta({ description: "As the definition names it" }),
  record: id.optional().meta({ description: "The id of a record: the runs whose trigger gives it" }),
  launchId: id.optional().meta({ description: "The id of a launch: the runs that it started" }),
  createdFrom: givenMoment.optional().meta({ description: "Runs created at this moment or later" }),
  createdUntil: givenMoment.optional().meta({ description: "Runs created before this moment" }),
});

/** `/api/runs`: what ran, what runs, and how it went. */
export function runEndpoints(pool: SqlPool): Endpoint[] {
  async function getRun(workspaceId: string, runId: string): Promise<RunDetail> {
    const run = await findRun(pool, { workspaceId, runId });
    if (run === undefined) throw new ProblemError(404, "run-not-found", `There is no run ${runId}.`);
    return run;
  }
  return [
    defineEndpoint({
      method: "get",
      path: "/api/runs",
      tag: "Runs",
      summary: "Runs, newest first",
      query: runsQuery,
      answers: { 200: pageOf(summary) },
      async handle({ workspace, query: { limit, cursor, status: statuses, record: recordId, ...narrowed } }) {
        const before = cursor === undefined ? undefined : decodeCursor(cursor);
        const query = { ...narrowed, statuses, recordId, before, workspaceId: workspace.id, limit: limit + 1 };
        return { body: toPage(await listRuns(pool, query), limit) };
      },
    }),
    defineEndpoint({
      method: "get",
      path: "/api/runs/{id}",
      tag: "Runs",
      summary: "One run with every step's input, output, attempts and errors",
      params: idParams,
      answers: { 200: detail },
      handle: async ({ workspace, params }) => ({ body: await getRun(workspace.id, params.id) }),
    }),
    defineEndpoint({
      method: "post",
      path: "/api/runs/{id}/cancel",
      tag: "Runs",
      summary: "Cancel an open run",
      description:
        "A queued run is cancelled at once, a running one within seconds. From the answer on, no step of it changes anything.",
      params: idParams,
      answers: { 202: detail },
      refusals: { 409: "The run is over already" },
      async handle({ workspace, params }) {
        await cancelRun(pool, { workspaceId: workspace.id, runId: params.id });
        ringDispatcher(pool);
        return { status: 202, body: await getRun(workspace.id, params.id) };
      },
    }),
  ];
}
