import { z } from "zod";
import type { StepKinds } from "../../activities/step-kind.ts";
import { getWorkflow } from "../../catalog/workflows.ts";
import { ProblemError } from "../../errors.ts";
import { countDeliveries, deliveryOutcomes, findDelivery } from "../../runs/delivery-log.ts";
import { ringDispatcher } from "../../runs/doorbell.ts";
import { cancelReplay, createReplay, findReplay, recordReplay, type Replay } from "../../runs/replays.ts";
import type { SqlPool } from "../../sql.ts";
import { defineEndpoint, type Endpoint } from "../endpoint.ts";
import { replayRun } from "../hooks/replay.ts";
import { id, idParams, moment } from "../schemas.ts";

const time = z.iso.datetime({ offset: true }).transform((text) => new Date(text));

/** Which deliveries: of the list, and of those that are replayed. */
export const filterShape = {
  workflowId: id.optional(),
  triggerId: z.string().max(100).optional(),
  outcome: z.enum(deliveryOutcomes).optional(),
  reason: z.string().max(100).optional().meta({ description: "Code of the reason" }),
  runId: id.optional(),
  from: time.optional().meta({ description: "Received at or after" }),
  to: time.optional().meta({ description: "Received before" }),
};

const force = z.boolean().default(false).meta({ description: "Also those whose sender was not known" });

const many = z.strictObject({
  filter: z
    .strictObject(filterShape)
    .refine((filter) => filter.workflowId !== undefined, { path: ["workflowId"], message: "is required" }),
  force,
});

const replay = z
  .object({
    id,
    status: z.enum(["running", "finished", "cancelled"]),
    total: z.int().meta({ description: "Deliveries that the filter found" }),
    started: z.int().meta({ description: "Runs so far" }),
    refused: z.int().meta({ description: "Deliveries that start none; `refusals` has the first hundred" }),
    refusals: z.array(
      z.object({
        deliveryId: id,
        reason: z.object({
          code: z.string(),
          detail: z.string(),
          issues: z.array(z.object({ path: z.string(), message: z.string() })),
        }),
      }),
    ),
    createdAt: moment,
    endedAt: moment.nullable(),
  })
  .meta({ id: "Replay" });

export interface ReplayParts {
  readonly pool: SqlPool;
  readonly kinds: StepKinds;
  /** Says that there are deliveries to replay; without it, that is found by polling. */
  readonly ringReplays?: (() => void) | undefined;
}

/** Deliveries as new runs: one by one, or many by a filter. */
export function replayEndpoints(parts: ReplayParts): Endpoint[] {
  const { pool, ringReplays } = parts;
  return [
    defineEndpoint({
      method: "post",
      path: "/api/deliveries/{id}/replay",
      access: { changes: "elsewhere" },
      tag: "Deliveries",
      summary: "Start a new run of a delivery",
      description:
        "Under the active version and by what its trigger declares now, whatever became of the delivery when it arrived: one that did not fit may fit by now. Neither the sender nor the dedupe key is checked again.",
      params: idParams,
      body: z.strictObject({ force }),
      answers: { 202: z.object({ runId: id, replayOf: id.meta({ description: "The delivery" }) }) },
      refusals: {
        409: "There is nothing to start, or nothing that may be started without `force`",
        422: "It does not fit",
      },
      async handle({ workspace: { id: workspaceId }, params, body }) {
        const delivery = await findDelivery(pool, { workspaceId, deliveryId: params.id });
        if (delivery === undefined)
          throw new ProblemError(404, "delivery-not-found", `There is no delivery ${params.id}.`);
        const run = await replayRun(parts, delivery, { workspaceId, force: body.force });
        await recordReplay(pool, delivery.id, run);
        ringDispatcher(pool);
        return { status: 202, body: { runId: run.id, replayOf: delivery.id } };
      },
    }),
    defineEndpoint({
      method: "post",
      path: "/api/deliveries/replay",
      access: { changes: "elsewhere" },
      tag: "Deliveries",
      summary: "Start a new run of each delivery that a filter finds",
      description: "In the background, oldest first, each once. The answer's id tells how far it is.",
      body: many,
      answers: { 202: replay },
      refusals: { 404: "There is no such workflow" },
      async handle({ workspace: { id: workspaceId }, body }) {
        await getWorkflow(pool, { workspaceId, workflowId: body.filter.workflowId ?? "" });
        const now = new Date();
        const { to = now } = body.filter;
        const filter = { ...body.filter, to: to < now ? to : now };
        const total = await countDeliveries(pool, workspaceId, filter);
        const replayId = await createReplay(pool, { workspaceId, filter, force: body.force, total });
        ringReplays?.();
        return { status: 202, body: await getReplay(pool, workspaceId, replayId) };
      },
    }),
    defineEndpoint({
      method: "get",
      path: "/api/deliveries/replays/{id}",
      tag: "Deliveries",
      summary: "How far a replay of many is",
      params: idParams,
      answers: { 200: replay },
      handle: async ({ workspace, params }) => ({ body: await getReplay(pool, workspace.id, params.id) }),
    }),
    defineEndpoint({
      method: "post",
      path: "/api/deliveries/replays/{id}/cancel",
      tag: "Deliveries",
      summary: "End a replay of many where it is",
      description: "Runs that it has started go on.",
      params: idParams,
      answers: { 200: replay },
      refusals: { 409: "It is over" },
      async handle({ workspace: { id: workspaceId }, params }) {
        const cancelled = await cancelReplay(pool, { workspaceId, id: params.id });
        const found = await getReplay(pool, workspaceId, params.id);
        if (!cancelled && found.status === "finished")
          throw new ProblemError(409, "replay-finished", "The replay is finished already.");
        return { body: found };
      },
    }),
  ];
}

async function getReplay(pool: SqlPool, workspaceId: string, replayId: string): Promise<Replay> {
  const found = await findReplay(pool, { workspaceId, id: replayId });
  if (found === undefined) throw new ProblemError(404, "replay-not-found", `There is no replay ${replayId}.`);
  return found;
}
