import { z } from "zod";
import { ProblemError } from "../../errors.ts";
import type { SqlPool } from "../../sql.ts";
import { createApiKey, listApiKeys, revokeApiKey } from "../../vault/api-keys.ts";
import { decodeCursor, toPage } from "../cursor.ts";
import { defineEndpoint, type Endpoint } from "../endpoint.ts";
import { id, idParams, moment, pageOf, pageQuery } from "../schemas.ts";

const keyShape = {
  id,
  name: z.string(),
  lastFour: z.string().meta({ description: "How it ends" }),
  createdAt: moment,
};
const apiKey = z.object(keyShape).meta({ id: "ApiKey" });
const newApiKey = z
  .object({ ...keyShape, key: z.string().meta({ description: "Shown here and never again" }) })
  .meta({ id: "NewApiKey" });
const wanted = z.strictObject({ name: z.string().trim().min(1).max(200) }).meta({ id: "ApiKeyWanted" });

/** `/api/api-keys`: the keys of the workspace of the key that asks. */
export function apiKeyEndpoints(pool: SqlPool): Endpoint[] {
  return [
    defineEndpoint({
      method: "get",
      path: "/api/api-keys",
      tag: "API keys",
      summary: "The workspace's keys, oldest first",
      query: pageQuery,
      answers: { 200: pageOf(apiKey) },
      async handle({ workspace, query: { limit, cursor } }) {
        const after = cursor === undefined ? undefined : decodeCursor(cursor);
        const keys = await listApiKeys(pool, { workspaceId: workspace.id, limit: limit + 1, after });
        return { body: toPage(keys, limit) };
      },
    }),
    defineEndpoint({
      method: "post",
      path: "/api/api-keys",
      tag: "API keys",
      summary: "Make a key",
      body: wanted,
      answers: { 201: newApiKey },
      handle: async ({ workspace, body }) => ({
        status: 201,
        body: await createApiKey(pool, { workspaceId: workspace.id, name: body.name }),
      }),
    }),
    defineEndpoint({
      method: "delete",
      path: "/api/api-keys/{id}",
      tag: "API keys",
      summary: "Revoke a key, at once",
      params: idParams,
      answers: { 200: apiKey },
      refusals: { 409: "It is the workspace's last key" },
      async handle({ workspace, params }) {
        const revoked = await revokeApiKey(pool, { workspaceId: workspace.id, id: params.id.toLowerCase() });
        if (revoked === undefined)
          throw new ProblemError(404, "api-key-not-found", `The workspace has no key ${params.id}.`);
        return { body: revoked };
      },
    }),
  ];
}
