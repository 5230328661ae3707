import { z } from "zod";
import { ProblemError } from "../../errors.ts";
import { cancelRun } from "../../runs/cancel.ts";
import { findRun, listRuns, runStatuses, type RunDetail } from "../../runs/read.ts";
import type { SqlPool } from "../../sql.ts";
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
  createdAt: moment,
  startedAt: moment.nullable(),
  endedAt: moment.nullable(),
  cancelRequestedAt: moment.nullable(),
  stuck: z.boolean().meta({ description: "Its workflow task fails over and over" }),
  error: json,
};

const attempt = z
  .object({ number: z.int(), startedAt: moment, endedAt: moment.nullable(), error: json })
  .meta({ id: "StepAttempt" });

const step = z
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
    error: json,
  })
  .meta({ id: "Step" });

const summary = z.object(summaryShape).meta({ id: "RunSummary" });
const detail = z
  .object({
    ...summaryShape,
    trigger: json,
    settings: json,
    origin: json,
    depth: z.int(),
    output: json,
    steps: z.array(step),
  })
  .meta({ id: "Run" });

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
      query: pageQuery.extend({ workflowId: id.optional(), status: z.enum(runStatuses).optional() }),
      answers: { 200: pageOf(summary) },
      async handle({ workspace, query: { limit, cursor, workflowId, status } }) {
        const before = cursor === undefined ? undefined : decodeCursor(cursor);
        const rows = await listRuns(pool, { workspaceId: workspace.id, workflowId, status, before, limit: limit + 1 });
        return { body: toPage(rows, limit) };
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
        return { status: 202, body: await getRun(workspace.id, params.id) };
      },
    }),
  ];
}
