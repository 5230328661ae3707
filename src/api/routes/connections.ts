import { z } from "zod";
import { durationMs, durationSchema, durationText, keySchema } from "../../definition/schema.ts";
import { ProblemError } from "../../errors.ts";
import type { SqlPool } from "../../sql.ts";
import {
  changeConnection,
  createConnection,
  deleteConnection,
  findConnectionById,
  listConnections,
  type ConnectionSummary,
} from "../../vault/connection-changes.ts";
import type { ConnectionSettings } from "../../vault/connection-faults.ts";
import { authenticationSchema, type ConnectionRate } from "../../vault/connections.ts";
import { decodeCursor, toPage } from "../cursor.ts";
import { defineEndpoint, type Endpoint } from "../endpoint.ts";
import { id, idParams, moment, pageOf, pageQuery } from "../schemas.ts";

const longestPerMs = 86_400_000;

const per = durationSchema.refine(
  (text) => durationMs(text) >= 1 && durationMs(text) <= longestPerMs,
  "at least 1ms, at most 24h",
);
const rate = z
  .strictObject({
    requests: z.int().min(1).max(100_000),
    per: per.meta({ description: "In how long: 1s, 1m" }),
    concurrent: z.int().min(1).max(1_000).optional().meta({ description: "How many at once at most" }),
  })
  .meta({ id: "ConnectionRate" });

const settings = {
  name: z.string().trim().min(1).max(200),
  baseUrl: z.string().min(1).max(2_000).meta({ description: "What the paths of steps are put behind" }),
  authentication: authenticationSchema.meta({ description: "What is secret stands here by the secret's name" }),
  headers: z
    .record(z.string().max(128), z.string().max(4_096))
    .meta({ description: "Sent with every request that does not bring its own; readable by everybody" }),
  certificateAuthority: z
    .string()
    .max(65_536)
    .nullable()
    .meta({ description: "PEM: whom it trusts besides the authorities that everybody trusts" }),
  rate: rate.nullable().meta({ description: "What is more waits" }),
  allowedHosts: z
    .array(z.string().min(1).max(255))
    .max(50)
    .meta({ description: "Private hosts and hosts without TLS that it may reach: `host` or `host:port`" }),
  allowHttp: z.boolean().meta({ description: "Whether it may be called without TLS" }),
  honoursIdempotencyKey: z
    .boolean()
    .meta({ description: "Whether the target does a request once under one Idempotency-Key" }),
};
const connection = z
  .object({
    id,
    key: z.string().meta({ description: "What definitions name" }),
    ...settings,
    revision: z.int(),
    createdAt: moment,
    updatedAt: moment,
    token: z
      .object({ renewedAt: z.string(), expiresAt: z.string().nullable() })
      .nullable()
      .meta({ description: "When its token was got, and when it is renewed" }),
    usedBy: z
      .array(z.object({ workflowId: id, workflow: z.string(), step: z.string(), active: z.boolean() }))
      .meta({ description: "Steps that name it, in versions that run and in drafts" }),
  })
  .meta({ id: "Connection" });
const wanted = z
  .strictObject({
    key: keySchema,
    ...z.strictObject(settings).partial().shape,
    baseUrl: settings.baseUrl,
  })
  .meta({ id: "ConnectionWanted" });
const change = z.strictObject(settings).partial().meta({ id: "ConnectionChange" });

type Said = z.output<typeof change>;

const shared = { tag: "Connections" } as const;
const invalid = { 422: "The connection is not valid: `issues` names each fault with its place" };

/** `/api/connections`: outside APIs, which steps name by key. */
export function connectionEndpoints(pool: SqlPool): Endpoint[] {
  return [
    defineEndpoint({
      ...shared,
      method: "get",
      path: "/api/connections",
      summary: "The workspace's connections, oldest first",
      query: pageQuery,
      answers: { 200: pageOf(connection) },
      async handle({ workspace, query: { limit, cursor } }) {
        const after = cursor === undefined ? undefined : decodeCursor(cursor);
        const found = await listConnections(pool, { workspaceId: workspace.id, limit: limit + 1, after });
        return { body: toPage(found.map(shown), limit) };
      },
    }),
    defineEndpoint({
      ...shared,
      method: "post",
      path: "/api/connections",
      summary: "Make a connection",
      body: wanted,
      answers: { 201: connection },
      refusals: { 409: "The key is taken", ...invalid },
      async handle({ workspace, body: { key, ...said } }) {
        const wish = { workspaceId: workspace.id, key, settings: settle(said, { ...usual, name: key }) };
        return { status: 201, body: shown(await createConnection(pool, wish)) };
      },
    }),
    defineEndpoint({
      ...shared,
      method: "get",
      path: "/api/connections/{id}",
      summary: "A connection, with where it is used",
      params: idParams,
      answers: { 200: connection },
      handle: async ({ workspace, params }) => ({
        body: found(await findConnectionById(pool, { workspaceId: workspace.id, id: params.id }), params.id),
      }),
    }),
    defineEndpoint({
      ...shared,
      method: "patch",
      path: "/api/connections/{id}",
      summary: "Change a connection",
      description: "What is not named stays. Runs that are under way use it as it is from then on.",
      params: idParams,
      body: change,
      answers: { 200: connection },
      refusals: invalid,
      async handle({ workspace, params, body }) {
        const place = { workspaceId: workspace.id, id: params.id };
        return { body: found(await changeConnection(pool, place, (before) => settle(body, before)), params.id) };
      },
    }),
    defineEndpoint({
      ...shared,
      method: "delete",
      path: "/api/connections/{id}",
      summary: "Delete a connection",
      params: idParams,
      answers: { 200: connection },
      refusals: { 409: "An active workflow uses it" },
      handle: async ({ workspace, params }) => ({
        body: found(await deleteConnection(pool, { workspaceId: workspace.id, id: params.id }), params.id),
      }),
    }),
  ];
}

/** What a connection says that says no more. */
const usual: ConnectionSettings = {
  name: "",
  baseUrl: "",
  authentication: { kind: "none" },
  headers: {},
  certificateAuthority: undefined,
  rate: undefined,
  allowedHosts: [],
  allowHttp: false,
  honoursIdempotencyKey: false,
};

/** What is not said is as before; null takes back what may lack. */
function settle(said: Said, before: ConnectionSettings): ConnectionSettings {
  return {
    name: said.name ?? before.name,
    baseUrl: said.baseUrl ?? before.baseUrl,
    authentication: said.authentication ?? before.authentication,
    headers: said.headers ?? before.headers,
    certificateAuthority:
      said.certificateAuthority === undefined ? before.certificateAuthority : (said.certificateAuthority ?? undefined),
    rate: said.rate === undefined ? before.rate : toRate(said.rate),
    allowedHosts: said.allowedHosts ?? before.allowedHosts,
    allowHttp: said.allowHttp ?? before.allowHttp,
    honoursIdempotencyKey: said.honoursIdempotencyKey ?? before.honoursIdempotencyKey,
  };
}

function toRate(said: z.output<typeof rate> | null): ConnectionRate | undefined {
  return said === null
    ? undefined
    : { requests: said.requests, perMs: durationMs(said.per), concurrent: said.concurrent };
}

function shown(summary: ConnectionSummary) {
  const { workspaceId: _workspaceId, rate: kept, certificateAuthority, token, ...rest } = summary;
  return {
    ...rest,
    certificateAuthority: certificateAuthority ?? null,
    rate:
      kept === undefined
        ? null
        : { requests: kept.requests, per: durationText(kept.perMs), concurrent: kept.concurrent },
    token: token ?? null,
  };
}

function found(connectionOrNone: ConnectionSummary | undefined, wantedId: string): ReturnType<typeof shown> {
  if (connectionOrNone !== undefined) return shown(connectionOrNone);
  throw new ProblemError(404, "connection-not-found", `The workspace has no connection ${wantedId}.`);
}
