import { z } from "zod";
import { durationMs, durationSchema } from "../../definition/schema.ts";
import { ProblemError } from "../../errors.ts";
import type { SqlPool } from "../../sql.ts";
import { deleteSecret, findSecret, listSecrets } from "../../vault/secrets.ts";
import type { Vault } from "../../vault/vault.ts";
import { decodeCursor, toPage } from "../cursor.ts";
import { defineEndpoint, type Endpoint } from "../endpoint.ts";
import { id, idParams, moment, pageOf, pageQuery } from "../schemas.ts";

const longestOverlapMs = 30 * 86_400_000;

const secret = z
  .object({
    id,
    name: z.string(),
    lastFour: z.string().nullable().meta({ description: "How the value ends; null: it is too short to show that" }),
    createdAt: moment,
    rotatedAt: moment.nullable().meta({ description: "When it got the value that counts; null: it has its first" }),
    previousValidUntil: moment.nullable().meta({ description: "Until when the value before is taken as well" }),
    usedBy: z
      .array(z.object({ workflowId: id, workflow: z.string(), trigger: z.string().nullable(), active: z.boolean() }))
      .meta({
        description: "Triggers that name it, and, with null in the trigger's place, workflows whose steps may send it",
      }),
    usedByConnections: z.array(z.string()).meta({ description: "Keys of the connections that name it" }),
  })
  .meta({ id: "Secret" });

const name = z
  .string()
  .regex(/^[A-Za-z_]\w{0,63}$/, "a letter, then letters, digits and underscores, 64 at most: STRIPE_WEBHOOK");
/** What is pasted with a line break behind it fits nothing, and nobody sees why. */
const value = z
  .string()
  .min(8, "at least 8 characters: what is shorter can be guessed")
  .max(16_384, "at most 16,384 characters")
  .refine((text) => text === text.trim(), "begins or ends with white space, which was hardly meant")
  .meta({ description: "Seen here and never again" });

const wanted = z.strictObject({ name, value }).meta({ id: "SecretWanted" });
const newValue = z
  .strictObject({
    value,
    overlap: durationSchema
      .refine((text) => durationMs(text) <= longestOverlapMs, "at most 30d")
      .default("24h")
      .meta({ description: "How long the value before is taken as well; 0s: no longer" }),
  })
  .meta({ id: "SecretValue" });

/** `/api/secrets`: what the workspace keeps for its workflows to use and nobody to read. */
export function secretEndpoints({ pool, vault }: { pool: SqlPool; vault: Vault }): Endpoint[] {
  return [
    defineEndpoint({
      method: "get",
      path: "/api/secrets",
      tag: "Secrets",
      summary: "The workspace's secrets, oldest first, without their values",
      query: pageQuery,
      answers: { 200: pageOf(secret) },
      async handle({ workspace, query: { limit, cursor } }) {
        const after = cursor === undefined ? undefined : decodeCursor(cursor);
        const secrets = await listSecrets(pool, { workspaceId: workspace.id, limit: limit + 1, after });
        return { body: toPage(secrets, limit) };
      },
    }),
    defineEndpoint({
      method: "post",
      path: "/api/secrets",
      tag: "Secrets",
      summary: "Keep a secret",
      body: wanted,
      answers: { 201: secret },
      refusals: { 409: "The name is taken" },
      handle: async ({ workspace, body }) => ({
        status: 201,
        body: await vault.create({ workspaceId: workspace.id, ...body }),
      }),
    }),
    defineEndpoint({
      method: "get",
      path: "/api/secrets/{id}",
      tag: "Secrets",
      summary: "A secret, without its value",
      params: idParams,
      answers: { 200: secret },
      handle: async ({ workspace, params }) => ({
        body: found(await findSecret(pool, { workspaceId: workspace.id, id: params.id }), params.id),
      }),
    }),
    defineEndpoint({
      method: "put",
      path: "/api/secrets/{id}",
      tag: "Secrets",
      summary: "Give a secret a new value",
      description:
        "The value before is taken as well until `overlap` is over, so that senders can change over. With the value that it has already, only that time can be made shorter.",
      params: idParams,
      body: newValue,
      answers: { 200: secret },
      async handle({ workspace, params, body }) {
        const overlapMs = durationMs(body.overlap);
        const wish = { workspaceId: workspace.id, id: params.id, value: body.value, overlapMs };
        return { body: found(await vault.rotate(wish), params.id) };
      },
    }),
    defineEndpoint({
      method: "delete",
      path: "/api/secrets/{id}",
      tag: "Secrets",
      summary: "Delete a secret",
      params: idParams,
      answers: { 200: secret },
      refusals: { 409: "An active workflow uses it, or a connection" },
      handle: async ({ workspace, params }) => ({
        body: found(await deleteSecret(pool, { workspaceId: workspace.id, id: params.id }), params.id),
      }),
    }),
  ];
}

function found<Secret>(secretOrNone: Secret | undefined, wantedId: string): Secret {
  if (secretOrNone !== undefined) return secretOrNone;
  throw new ProblemError(404, "secret-not-found", `The workspace has no secret ${wantedId}.`);
}
