import { z } from "zod";
import { ProblemError } from "../../errors.ts";
import { findItemSteps, listItems, type ItemDetail } from "../../runs/loop-items.ts";
import { itemStatuses } from "../../runs/loops.ts";
import type { SqlPool } from "../../sql.ts";
import { defineEndpoint, type Endpoint } from "../endpoint.ts";
import { id, json, moment, pageOf, pageQuery } from "../schemas.ts";
import { step } from "./runs.ts";

const statuses = Object.keys(itemStatuses) as [ItemDetail["status"], ...ItemDetail["status"][]];

const item = z
  .object({
    index: z.int(),
    path: z.string().meta({ description: "Its address in the run: `each[42]`" }),
    status: z.enum(statuses),
    output: json.meta({ description: "What the loop's `output` gave" }),
    item: json.meta({ description: "Of one that failed: the item itself" }),
    error: json,
    endedAt: moment,
  })
  .meta({ id: "LoopItem" });

const loopParams = z.strictObject({
  id,
  path: z.string().min(1).max(1_000).meta({ description: "The loop's address in the run: `each`, `each[42].inner`" }),
});
const itemParams = z.strictObject({
  id,
  path: z
    .string()
    .max(1_000)
    .regex(/\[\d+\]$/, "the address of an item: each[42]")
    .meta({ description: "The item's address in the run: `each[42]`" }),
});

const itemsQuery = pageQuery.extend({
  status: z.enum(statuses).optional(),
  cursor: z.coerce
    .number()
    .int()
    .min(0)
    .default(0)
    .meta({ description: "`nextCursor` of the page before: the number of the first item" }),
});

/** `/api/runs/{id}/loops/{path}` and `/api/runs/{id}/items/{path}`: loops, which a run itself only counts. */
export function loopItemEndpoints(pool: SqlPool): Endpoint[] {
  return [
    defineEndpoint({
      method: "get",
      path: "/api/runs/{id}/loops/{path}",
      tag: "Runs",
      summary: "Items of a loop that are over, in their order",
      params: loopParams,
      query: itemsQuery,
      answers: { 200: pageOf(item) },
      async handle({ workspace, params: { id: runId, path }, query: { status, limit, cursor } }) {
        const asked = { workspaceId: workspace.id, runId, loop: path, status, from: cursor, limit: limit + 1 };
        const items = await listItems(pool, asked);
        if (items === undefined) throw notFound(`The run has no loop ${path}.`);
        const next = items[limit];
        return { body: { data: items.slice(0, limit), nextCursor: next === undefined ? null : String(next.index) } };
      },
    }),
    defineEndpoint({
      method: "get",
      path: "/api/runs/{id}/items/{path}",
      tag: "Runs",
      summary: "Steps of one item of a loop",
      params: itemParams,
      answers: { 200: z.object({ data: z.array(step) }) },
      async handle({ workspace, params: { id: runId, path } }) {
        const steps = await findItemSteps(pool, { workspaceId: workspace.id, runId, item: path });
        if (steps === undefined) throw notFound(`The run has no item ${path}.`);
        return { body: { data: steps } };
      },
    }),
  ];
}

function notFound(sentence: string): ProblemError {
  return new ProblemError(404, "item-not-found", `${sentence} The run names its loops among its steps.`);
}
