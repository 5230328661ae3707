import { z } from "zod";
import { changeOnce, getOnce, listOnce } from "../../runs/once/list.ts";
import { listUnknownOutcomes, settleUnknown } from "../../runs/unknown-outcomes.ts";
import type { SqlPool } from "../../sql.ts";
import { describeKey } from "../auth.ts";
import { decodeCursor, toPage } from "../cursor.ts";
import { defineEndpoint, type Endpoint } from "../endpoint.ts";
import { id, idParams, json, moment, pageOf, pageQuery, sentJson } from "../schemas.ts";

const once = z
  .object({
    id,
    workflowId: id,
    workflowKey: z.string(),
    step: z.string(),
    value: z.string(),
    state: z
      .enum(["held", "unsure", "done"])
      .meta({ description: "A run is at it; it may have been done; it was done, and is not done again" }),
    runId: id.nullable(),
    path: z.string().nullable().meta({ description: "Of the step in that run" }),
    output: json.meta({ description: "What it is answered with from now on" }),
    createdAt: moment,
    changedAt: moment,
  })
  .meta({ id: "Once" });

const unknown = z
  .object({
    id,
    runId: id,
    workflowId: id,
    workflowKey: z.string(),
    path: z.string().meta({ description: "Of the step in its run" }),
    kind: z.string().nullable().meta({ description: "Null: the run ended while the step was under way" }),
    sentAt: moment,
    request: json.meta({ description: "What was sent, with names in the place of secrets" }),
    key: z.string().meta({ description: "The Idempotency-Key that went along" }),
    error: json,
    once: z.object({ id, value: z.string() }).nullable(),
  })
  .meta({ id: "UnknownOutcome" });

const output = sentJson
  .default(null)
  .meta({ description: "What the step would have given; who asks under the same value is answered with it" });
const note = z.string().max(2_000).nullable().default(null);

const onceChange = z.strictObject({ as: z.enum(["done", "free"]), output, note }).meta({ id: "OnceChange" });
const settlement = z.strictObject({ as: z.enum(["done", "not-done"]), output, note }).meta({ id: "Settlement" });

const onceQuery = pageQuery.extend({
  workflowId: id.optional(),
  step: z.string().max(100).optional(),
  value: z.string().max(500).optional(),
  state: once.shape.state.optional(),
});

/** `/api/once`, `/api/outcomes-unknown`: what is not done twice, and what nobody knows whether it was done. */
export function onceEndpoints(pool: SqlPool): Endpoint[] {
  return [
    defineEndpoint({
      method: "get",
      path: "/api/once",
      tag: "Once",
      summary: "Values under which steps are done once, newest first",
      query: onceQuery,
      answers: { 200: pageOf(once) },
      async handle({ workspace, query: { limit, cursor, ...narrowed } }) {
        const before = cursor === undefined ? undefined : decodeCursor(cursor);
        const found = await listOnce(pool, { ...narrowed, before, workspaceId: workspace.id, limit: limit + 1 });
        return { body: toPage(found, limit) };
      },
    }),
    defineEndpoint({
      method: "get",
      path: "/api/once/{id}",
      tag: "Once",
      summary: "One of these values",
      params: idParams,
      answers: { 200: once },
      handle: async ({ workspace, params }) => ({
        body: await getOnce(pool, { workspaceId: workspace.id, id: params.id }),
      }),
    }),
    defineEndpoint({
      method: "put",
      path: "/api/once/{id}",
      tag: "Once",
      summary: "Say what became of a value",
      description:
        "`done`: it is never done again, and who asks is answered with `output`. `free`: the next that asks does it.",
      params: idParams,
      body: onceChange,
      answers: { 200: once },
      refusals: { 409: "A run is at it" },
      handle: async ({ workspace, params, body, apiKey }) => ({
        body: await changeOnce(
          pool,
          { workspaceId: workspace.id, id: params.id },
          { ...body, by: describeKey(apiKey) },
        ),
      }),
    }),
    defineEndpoint({
      method: "delete",
      path: "/api/once/{id}",
      tag: "Once",
      summary: "Clear a value: the next that asks does it",
      params: idParams,
      answers: { 200: once },
      refusals: { 409: "A run is at it" },
      async handle({ workspace, params, apiKey }) {
        const change = { as: "free", output: null, note: null, by: describeKey(apiKey) } as const;
        return { body: await changeOnce(pool, { workspaceId: workspace.id, id: params.id }, change) };
      },
    }),
    defineEndpoint({
      method: "get",
      path: "/api/outcomes-unknown",
      tag: "Once",
      summary: "Calls of which nobody knows whether the target acted, newest first",
      query: pageQuery.extend({ workflowId: id.optional() }),
      answers: { 200: pageOf(unknown) },
      async handle({ workspace, query: { limit, cursor, workflowId } }) {
        const before = cursor === undefined ? undefined : decodeCursor(cursor);
        const query = { workspaceId: workspace.id, workflowId, before, limit: limit + 1 };
        return { body: toPage(await listUnknownOutcomes(pool, query), limit) };
      },
    }),
    defineEndpoint({
      method: "put",
      path: "/api/outcomes-unknown/{id}",
      tag: "Once",
      summary: "Say what became of such a call",
      description:
        "It is listed no more. The value under which the step is done once becomes done, with `output`, or free. What the run made of it stays as it is.",
      params: idParams,
      body: settlement,
      answers: { 200: unknown },
      handle: async ({ workspace, params, body, apiKey }) => ({
        body: await settleUnknown(
          pool,
          { workspaceId: workspace.id, id: params.id },
          { ...body, by: describeKey(apiKey) },
        ),
      }),
    }),
  ];
}
