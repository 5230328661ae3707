import { z } from "zod";
import { durationMs, durationSchema } from "../../definition/schema.ts";
import {
  findWrittenSettings,
  getToken,
  rotateWebhook,
  webhookNotFound,
  type WebhookKey,
} from "../../catalog/webhooks.ts";
import { getWorkflow } from "../../catalog/workflows.ts";
import { ProblemError } from "../../errors.ts";
import type { Json } from "../../json.ts";
import { armCapture, findCapture, type Capture } from "../../runs/captures.ts";
import { findDelivery } from "../../runs/delivery-log.ts";
import type { SqlPool } from "../../sql.ts";
import { proposeSchema } from "../../triggers/webhook/propose-schema.ts";
import { defineEndpoint, type Endpoint } from "../endpoint.ts";
import { readSent } from "../hooks/sent.ts";
import { id, moment } from "../schemas.ts";

const params = z.strictObject({ id, trigger: z.string().max(100) });
const longestOverlapMs = 30 * 86_400_000;

const overlap = durationSchema
  .refine((duration) => durationMs(duration) <= longestOverlapMs, "at most 30d")
  .default("24h")
  .meta({ description: "How long the address before is still taken; 0s: not at all" });

const rotated = z.object({
  url: z.string(),
  previousExpiresAt: moment.nullable().meta({ description: "Until when the address before is taken" }),
});

const capture = z
  .object({
    url: z.string().meta({ description: "Where the request is to be sent" }),
    armedAt: moment,
    until: moment,
    wanted: z.int().meta({ description: "How many requests are waited for" }),
    deliveryIds: z.array(id).meta({ description: "Those that came, oldest first" }),
    schema: z
      .record(z.string(), z.unknown())
      .nullable()
      .meta({ description: "JSON Schema (draft 7) that they all fit, as a proposal for the trigger's `body`" }),
  })
  .meta({ id: "Capture" });

/** `/api/workflows/{id}/webhooks/{trigger}`: addresses, and what is learnt from requests. */
export function webhookEndpoints({ pool, publicUrl }: { pool: SqlPool; publicUrl: string }): Endpoint[] {
  const urlOf = (token: string): string => `${publicUrl}/hooks/${token}`;

  /** Throws a 404 for a workflow or a webhook that there is not, draft or not. */
  async function getKey(workspaceId: string, given: z.output<typeof params>): Promise<WebhookKey> {
    const key = { workspaceId, workflowId: given.id, triggerId: given.trigger };
    await getWorkflow(pool, key);
    if ((await findWrittenSettings(pool, key)) === undefined) throw webhookNotFound(given.trigger);
    return key;
  }

  async function describe(key: WebhookKey, { deliveryIds, ...rest }: Capture): Promise<object> {
    const samples = (await Promise.all(deliveryIds.map((deliveryId) => readSample(pool, key, deliveryId)))).flat();
    const schema = samples.length === 0 ? null : proposeSchema(samples);
    return { url: urlOf(await getToken(pool, key)), ...rest, deliveryIds, schema };
  }

  return [
    defineEndpoint({
      method: "post",
      path: "/api/workflows/{id}/webhooks/{trigger}/rotate",
      tag: "Workflows",
      summary: "Give a webhook a new address",
      description: "The address before is still taken for the overlap, so that its senders can change over.",
      params,
      body: z.strictObject({ overlap }),
      answers: { 200: rotated },
      refusals: { 409: "Too many older addresses are still taken" },
      async handle({ workspace, params: given, body }) {
        const key = { workspaceId: workspace.id, workflowId: given.id, triggerId: given.trigger };
        const { token, previousExpiresAt } = await rotateWebhook(pool, key, durationMs(body.overlap));
        return { body: { url: urlOf(token), previousExpiresAt } };
      },
    }),
    defineEndpoint({
      method: "post",
      path: "/api/workflows/{id}/webhooks/{trigger}/capture",
      tag: "Workflows",
      summary: "Wait for the next request of a webhook, to learn its structure",
      description:
        "Also of a workflow that is not active, or never was: then the request starts nothing. GET tells what came.",
      params,
      body: z.strictObject({
        minutes: z.int().min(1).max(1_440).default(10),
        requests: z.int().min(1).max(20).default(1),
      }),
      answers: { 201: capture },
      async handle({ workspace, params: given, body: { minutes, requests } }) {
        const key = await getKey(workspace.id, given);
        const armed = await armCapture(pool, key, { wanted: requests, ms: minutes * 60_000 });
        return { status: 201, body: await describe(key, armed) };
      },
    }),
    defineEndpoint({
      method: "get",
      path: "/api/workflows/{id}/webhooks/{trigger}/capture",
      tag: "Workflows",
      summary: "What was captured, and the structure that it proposes",
      params,
      answers: { 200: capture },
      async handle({ workspace, params: given }) {
        const key = await getKey(workspace.id, given);
        const found = await findCapture(pool, key);
        if (found === undefined)
          throw new ProblemError(404, "nothing-captured", "Nothing was captured. Arm it by POST, then send a request.");
        return { body: await describe(key, found) };
      },
    }),
  ];
}

/** What a captured delivery said; nothing where it cannot be read, or is forgotten by now. */
async function readSample(pool: SqlPool, { workspaceId }: WebhookKey, deliveryId: string): Promise<Json[]> {
  const delivery = await findDelivery(pool, { workspaceId, deliveryId });
  if (delivery === undefined) return [];
  return readSent(delivery).then(
    ({ body }) => [body],
    () => [],
  );
}
