import { z } from "zod";
import type { StepKinds } from "../../activities/step-kind.ts";
import { deliveryOutcomes, findDelivery, listDeliveries, type WholeDelivery } from "../../runs/delivery-log.ts";
import { ProblemError } from "../../errors.ts";
import type { SqlPool } from "../../sql.ts";
import type { Vault } from "../../vault/vault.ts";
import { decodeCursor, toPage } from "../cursor.ts";
import { defineEndpoint, type Endpoint } from "../endpoint.ts";
import { showBody } from "../hooks/show-body.ts";
import { filterShape, replayEndpoints } from "./replays.ts";
import { id, idParams, json, moment, pageOf, pageQuery } from "../schemas.ts";

const reason = z
  .object({
    code: z.string(),
    detail: z.string(),
    issues: z.array(z.object({ path: z.string(), message: z.string() })),
  })
  .nullable();

const deliveryShape = {
  id,
  workflowId: id,
  triggerId: z.string(),
  receivedAt: moment,
  outcome: z.enum(deliveryOutcomes).meta({
    description:
      "`answered`: a challenge, or a HEAD to a GET hook; `captured`: looked at, while the workflow was not active. Neither starts anything",
  }),
  status: z.int().meta({ description: "The status that was answered" }),
  reason: reason.meta({ description: "Why it was refused: more than the sender was told" }),
  method: z.string(),
  ip: z.string().nullable().meta({ description: "The sender's address" }),
  bodyBytes: z.int(),
  dedupeKey: z.string().nullable(),
  runId: id.nullable().meta({ description: "The run it started, or the one that it repeats" }),
};
const delivery = z.object(deliveryShape).meta({ id: "Delivery" });

const wholeDelivery = z
  .object({
    ...deliveryShape,
    headers: z.record(z.string(), z.string()).meta({ description: "Without those that carry credentials" }),
    query: json,
    body: z
      .object({ json: json.optional(), text: z.string().optional(), base64: z.string().optional() })
      .nullable()
      .meta({ description: "As JSON, else as text, else in base64. Null: it was not read to the end" }),
    replays: z.array(z.object({ runId: id.nullable(), reason, at: moment })),
  })
  .meta({ id: "WholeDelivery" });

export interface DeliveryParts {
  readonly pool: SqlPool;
  readonly vault: Vault;
  readonly kinds: StepKinds;
  /** Says that there are deliveries to replay; without it, that is found by polling. */
  readonly ringReplays?: (() => void) | undefined;
}

/** `/api/deliveries`: every request that arrived at a webhook, refusals included. */
export function deliveryEndpoints(parts: DeliveryParts): Endpoint[] {
  const { pool, vault } = parts;
  return [
    defineEndpoint({
      method: "get",
      path: "/api/deliveries",
      tag: "Deliveries",
      summary: "Requests that arrived at webhooks, newest first, refusals included",
      query: pageQuery.extend(filterShape),
      answers: { 200: pageOf(delivery) },
      async handle({ workspace, query: { limit, cursor, ...filter } }) {
        const before = cursor === undefined ? undefined : decodeCursor(cursor);
        const rows = await listDeliveries(pool, { workspaceId: workspace.id, filter, before, limit: limit + 1 });
        return { body: toPage(rows, limit) };
      },
    }),
    defineEndpoint({
      method: "get",
      path: "/api/deliveries/{id}",
      tag: "Deliveries",
      summary: "One request with its headers, query and body",
      description: "Values of the webhook's secrets are taken out, wherever they stand.",
      params: idParams,
      answers: { 200: wholeDelivery },
      async handle({ workspace, params }) {
        const found = await findDelivery(pool, { workspaceId: workspace.id, deliveryId: params.id });
        if (found === undefined) throw notFound(params.id);
        return { body: await show(found, workspace.id) };
      },
    }),
    ...replayEndpoints(parts),
  ];

  async function show(found: WholeDelivery, workspaceId: string): Promise<object> {
    const replays = found.replays.map((replay) => ({ ...replay, at: new Date(replay.at) }));
    return { ...found, replays, body: await showBody({ pool, vault }, workspaceId, found) };
  }
}

function notFound(deliveryId: string): ProblemError {
  return new ProblemError(404, "delivery-not-found", `There is no delivery ${deliveryId}.`);
}
