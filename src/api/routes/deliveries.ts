import { z } from "zod";
import { listDeliveries } from "../../runs/deliveries.ts";
import type { SqlPool } from "../../sql.ts";
import { decodeCursor, toPage } from "../cursor.ts";
import { defineEndpoint, type Endpoint } from "../endpoint.ts";
import { id, moment, pageOf, pageQuery } from "../schemas.ts";

const outcomes = z.enum(["accepted", "duplicate", "refused"]);

const delivery = z
  .object({
    id,
    workflowId: id,
    triggerId: z.string(),
    receivedAt: moment,
    outcome: outcomes,
    status: z.int().meta({ description: "The status that was answered" }),
    reason: z
      .object({
        code: z.string(),
        detail: z.string(),
        issues: z.array(z.object({ path: z.string(), message: z.string() })),
      })
      .nullable()
      .meta({ description: "Why it was refused" }),
    method: z.string(),
    bodyBytes: z.int(),
    dedupeKey: z.string().nullable(),
    runId: id.nullable().meta({ description: "The run it started, or the one that it repeats" }),
  })
  .meta({ id: "Delivery" });

/** `/api/deliveries`: every request that arrived at a webhook, refusals included. */
export function deliveryEndpoints(pool: SqlPool): Endpoint[] {
  return [
    defineEndpoint({
      method: "get",
      path: "/api/deliveries",
      tag: "Deliveries",
      summary: "Requests that arrived at webhooks, newest first, refusals included",
      query: pageQuery.extend({ workflowId: id.optional(), outcome: outcomes.optional() }),
      answers: { 200: pageOf(delivery) },
      async handle({ workspace, query: { limit, cursor, workflowId, outcome } }) {
        const before = cursor === undefined ? undefined : decodeCursor(cursor);
        const rows = await listDeliveries(pool, {
          workspaceId: workspace.id,
          workflowId,
          outcome,
          before,
          limit: limit + 1,
        });
        return { body: toPage(rows, limit) };
      },
    }),
  ];
}
