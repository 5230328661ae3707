import { z } from "zod";
import type { StepKinds } from "../../activities/step-kind.ts";
import { getWorkflow } from "../../catalog/workflows.ts";
import { ProblemError } from "../../errors.ts";
import { acceptLaunch, launchStatuses } from "../../runs/launches/accept.ts";
import { cancelLaunch } from "../../runs/launches/cancel.ts";
import { findLaunch, listLaunches, type LaunchDetail } from "../../runs/launches/read.ts";
import { launchIdSchema, launchRequestSchema } from "../../runs/launches/request.ts";
import { ringDispatcher } from "../../runs/doorbell.ts";
import type { SqlPool } from "../../sql.ts";
import { decodeCursor, toPage } from "../cursor.ts";
import { describeKey } from "../auth.ts";
import { defineEndpoint, type Endpoint } from "../endpoint.ts";
import { id, idParams, json, moment, pageOf, pageQuery } from "../schemas.ts";

const status = z.enum(launchStatuses).meta({
  description:
    "starting: its runs are being made; started: all are made; failed: it could not go on, `error` says why; refused: it came by signal and was none",
});

const accepted = z
  .object({
    id,
    launchId: z.string(),
    status,
    runId: id.nullable().meta({ description: "Of a launch that makes one run, and not one for each record" }),
    duplicate: z.boolean().meta({ description: "It was launched before, under the same launch id" }),
  })
  .meta({ id: "AcceptedLaunch" });

const shape = {
  id,
  launchId: z.string(),
  workflowId: id,
  triggerId: z.string().nullable(),
  status,
  launchedBy: json.meta({ description: "{ kind: api-key, name, id } or { kind: signal, launcherId }" }),
  object: z.string().nullable(),
  selection: json.meta({ description: "{ view }, { filter } or { ids: true }; null: it concerns no record" }),
  inputs: json,
  selected: z.int().nullable().meta({ description: "Records that were selected; null: it concerns none" }),
  selectedIsEstimate: z.boolean().meta({ description: "Until all records of a view or filter were read" }),
  taken: z.int().meta({ description: "Records that were found and taken so far" }),
  started: z.int().meta({ description: "Runs that were made so far" }),
  missing: z
    .object({ count: z.int(), ids: z.array(id) })
    .meta({ description: "Ids under which there is no record, and the first of them" }),
  runId: id.nullable(),
  error: json,
  createdAt: moment,
  endedAt: moment.nullable(),
};
const launch = z.object(shape).meta({ id: "Launch" });
const detail = z
  .object({ ...shape, runs: z.record(z.string(), z.int()).meta({ description: "How many of its runs by status" }) })
  .meta({ id: "LaunchDetail" });

const shared = { tag: "Launches", params: idParams } as const;

/** Launches of manual workflows: to make them, to watch them, to stop them. */
export function launchEndpoints({ pool, kinds }: { pool: SqlPool; kinds: StepKinds }): Endpoint[] {
  async function getLaunch(workspaceId: string, launchId: string): Promise<LaunchDetail> {
    const found = await findLaunch(pool, { workspaceId, id: launchId });
    if (found === undefined) throw new ProblemError(404, "launch-not-found", `There is no launch ${launchId}.`);
    return found;
  }
  return [
    defineEndpoint({
      ...shared,
      method: "post",
      path: "/api/workflows/{id}/launch",
      access: { area: "runs", changes: "elsewhere" },
      summary: "Launch a manual workflow",
      description:
        "Accepted when it is committed; Temporal may be away. The header Idempotency-Key stands for `launchId`. Records are selected by `ids`, by `view` or by `filter`, however many match.",
      body: launchRequestSchema.prefault({}),
      answers: { 202: accepted },
      refusals: {
        409: "The workflow is not active or has no manual trigger, or the launch id stands for another launch",
        422: "`issues` names each fault with its place",
      },
      async handle({ workspace, apiKey, params, body, header }) {
        const request = { ...body, launchId: launchIdOf(body.launchId, header("idempotency-key")) };
        const launchedBy = describeKey(apiKey);
        const made = { workspaceId: workspace.id, workflowId: params.id, request, launchedBy };
        return { status: 202, body: await acceptLaunch(pool, { kinds }, made) };
      },
    }),
    defineEndpoint({
      ...shared,
      method: "get",
      path: "/api/workflows/{id}/launches",
      summary: "Launches of a workflow, newest first",
      query: pageQuery,
      answers: { 200: pageOf(launch) },
      async handle({ workspace, params, query: { limit, cursor } }) {
        const before = cursor === undefined ? undefined : decodeCursor(cursor);
        await getWorkflow(pool, { workspaceId: workspace.id, workflowId: params.id });
        const of = { workspaceId: workspace.id, workflowId: params.id };
        return { body: toPage(await listLaunches(pool, { ...of, before, limit: limit + 1 }), limit) };
      },
    }),
    defineEndpoint({
      ...shared,
      method: "get",
      path: "/api/launches/{id}",
      summary: "A launch, how far it has come and how its runs went",
      answers: { 200: detail },
      handle: async ({ workspace, params }) => ({ body: await getLaunch(workspace.id, params.id) }),
    }),
    defineEndpoint({
      ...shared,
      method: "post",
      path: "/api/launches/{id}/cancel",
      summary: "Stop a launch from making further runs",
      description: 'With `{ "runs": true }` the runs that it made and that are open are cancelled too.',
      body: z.strictObject({ runs: z.boolean().default(false) }).prefault({}),
      answers: { 202: detail },
      refusals: { 409: "All of its runs are made" },
      async handle({ workspace, params, body: { runs } }) {
        await cancelLaunch(pool, { workspaceId: workspace.id, id: params.id, runs });
        if (runs) ringDispatcher(pool);
        return { status: 202, body: await getLaunch(workspace.id, params.id) };
      },
    }),
  ];
}

/** The launch id, from the body or the header. Throws ProblemError 422 where they differ, 400 for a header that is none. */
function launchIdOf(own: string | undefined, header: string | undefined): string | undefined {
  if (header === undefined) return own;
  const parsed = launchIdSchema.safeParse(header);
  if (!parsed.success)
    throw new ProblemError(400, "invalid-idempotency-key", `Idempotency-Key takes ${parsed.error.issues[0]?.message}.`);
  if (own !== undefined && own !== parsed.data)
    throw new ProblemError(422, "invalid-launch", "launchId and the header Idempotency-Key differ: send one of them.", {
      issues: [{ path: "launchId", message: "is another one than the header Idempotency-Key" }],
    });
  return parsed.data;
}
