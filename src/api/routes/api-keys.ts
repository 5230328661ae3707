import { z } from "zod";
import { ProblemError } from "../../errors.ts";
import type { SqlPool } from "../../sql.ts";
import {
  createApiKey,
  findApiKeyById,
  includesRole,
  listApiKeys,
  revokeApiKey,
  roles,
  type ApiKeySummary,
} from "../../vault/api-keys.ts";
import type { Vault } from "../../vault/vault.ts";
import { includesScope, scopes as allScopes } from "../access.ts";
import type { Caller } from "../auth.ts";
import { decodeCursor, toPage } from "../cursor.ts";
import { defineEndpoint, type Endpoint } from "../endpoint.ts";
import { id, idParams, moment, pageOf, pageQuery } from "../schemas.ts";

const role = z
  .enum(roles)
  .meta({ description: "viewer reads; editor also designs, runs and writes records; admin all" });
const scopes = z
  .array(z.enum(allScopes))
  .min(1)
  .max(allScopes.length)
  .nullable()
  .meta({ description: "What it may of that alone; to write includes to read. Null: all that its role may" });
const keyShape = {
  id,
  name: z.string(),
  prefix: z.string().nullable().meta({ description: "How it begins; null: it is older than that" }),
  lastFour: z.string().meta({ description: "How it ends" }),
  role,
  scopes: z.array(z.string()).nullable(),
  createdAt: moment,
  expiresAt: moment.nullable().meta({ description: "From when on it is refused; null: never" }),
  lastUsedAt: moment.nullable().meta({ description: "To the minute" }),
};
const apiKey = z.object(keyShape).meta({ id: "ApiKey" });
const newApiKey = z
  .object({ ...keyShape, key: z.string().meta({ description: "Shown here and never again" }) })
  .meta({ id: "NewApiKey" });
const wanted = z
  .strictObject({
    name: z.string().trim().min(1).max(200),
    role: role.default("editor"),
    scopes: scopes.default(null),
    expiresAt: z.iso
      .datetime({ offset: true })
      .refine((text) => Date.parse(text) > Date.now(), "is past")
      .nullable()
      .default(null),
  })
  .meta({ id: "ApiKeyWanted" });
const current = z
  .object({ id, name: z.string(), role, scopes: z.array(z.string()).nullable(), expiresAt: moment.nullable() })
  .meta({ id: "CurrentApiKey" });

const shared = { tag: "API keys" } as const;

/** `/api/api-keys`: the keys of the workspace of the key that asks. */
export function apiKeyEndpoints({ pool, vault }: { pool: SqlPool; vault: Vault }): Endpoint[] {
  return [
    defineEndpoint({
      ...shared,
      method: "get",
      path: "/api/api-keys",
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
      ...shared,
      method: "post",
      path: "/api/api-keys",
      summary: "Make a key",
      description: "It may no more, and no longer, than the key that makes it.",
      body: wanted,
      answers: { 201: newApiKey },
      refusals: { 403: "It would be allowed more than the key that asks" },
      async handle({ workspace, body, apiKey: maker }) {
        const wish = { ...body, expiresAt: body.expiresAt === null ? null : new Date(body.expiresAt) };
        refuseGreater(wish, maker);
        return { status: 201, body: await createApiKey(pool, vault, { workspaceId: workspace.id, ...wish }) };
      },
    }),
    defineEndpoint({
      ...shared,
      method: "get",
      path: "/api/api-keys/current",
      summary: "The key that asks",
      access: { area: null, role: "viewer" },
      answers: { 200: current },
      handle: async ({ apiKey: asking }) => ({ body: asking }),
    }),
    defineEndpoint({
      ...shared,
      method: "get",
      path: "/api/api-keys/{id}",
      summary: "A key",
      params: idParams,
      answers: { 200: apiKey },
      handle: async ({ workspace, params }) => ({
        body: found(await findApiKeyById(pool, { workspaceId: workspace.id, id: params.id }), params.id),
      }),
    }),
    defineEndpoint({
      ...shared,
      method: "delete",
      path: "/api/api-keys/{id}",
      summary: "Revoke a key, at once",
      params: idParams,
      answers: { 200: apiKey },
      refusals: { 409: "It is the last one that may make any other" },
      handle: async ({ workspace, params }) => ({
        body: found(await revokeApiKey(pool, { workspaceId: workspace.id, id: params.id.toLowerCase() }), params.id),
      }),
    }),
  ];
}

/** A key that makes others could else make itself one that may more, or lives on. */
function refuseGreater(wish: Pick<ApiKeySummary, "role" | "scopes" | "expiresAt">, maker: Caller["apiKey"]): void {
  const lacking = (wish.scopes ?? allScopes).find((scope) => !includesScope(maker.scopes, scope));
  const isLonger =
    maker.expiresAt !== null && (wish.expiresAt === null || wish.expiresAt.getTime() > maker.expiresAt.getTime());
  const more = !includesRole(maker.role, wish.role)
    ? `it would have the role ${wish.role}`
    : maker.scopes !== null && lacking !== undefined
      ? `it would have the scope ${lacking}`
      : isLonger
        ? `it would live longer than ${maker.expiresAt?.toISOString()}`
        : undefined;
  if (more !== undefined)
    throw new ProblemError(403, "greater-key", `A key can make none that may more than itself: ${more}.`);
}

function found(keyOrNone: ApiKeySummary | undefined, wantedId: string): ApiKeySummary {
  if (keyOrNone !== undefined) return keyOrNone;
  throw new ProblemError(404, "api-key-not-found", `The workspace has no key ${wantedId}.`);
}
