import { OpenAPIRegistry, OpenApiGeneratorV31, type RouteConfig } from "@asteasolutions/zod-to-openapi";
import { z } from "zod";
import type { Endpoint } from "./endpoint.ts";
import { restPaths } from "./rest/paths.ts";
import { problem } from "./schemas.ts";

type OpenApiDocument = ReturnType<OpenApiGeneratorV31["generateDocument"]>;

const problemContent = { "application/problem+json": { schema: problem } };

/** The OpenAPI document of these endpoints, made from the schemas that validate them. */
export function createOpenApi(endpoints: readonly Endpoint[], serverUrl: string): OpenApiDocument {
  const registry = new OpenAPIRegistry();
  registry.registerComponent("securitySchemes", "apiKey", {
    type: "http",
    scheme: "bearer",
    description: "An API key: tandem_…",
  });
  for (const endpoint of endpoints) registry.registerPath(describeEndpoint(endpoint));
  for (const route of [...openRoutes, ...restPaths]) registry.registerPath(route);
  return new OpenApiGeneratorV31(registry.definitions).generateDocument({
    openapi: "3.1.0",
    info: {
      title: "Tandem",
      version: "1",
      description:
        "CRM workflows that survive anything. Refusals are application/problem+json (RFC 9457). Records are under `/rest/{plural}`, by Twenty's conventions.",
    },
    servers: [{ url: serverUrl }],
  });
}

function describeEndpoint(endpoint: Endpoint): RouteConfig {
  const { params, query, body } = endpoint;
  return {
    method: endpoint.method,
    path: endpoint.path,
    tags: [endpoint.tag],
    summary: endpoint.summary,
    ...(endpoint.description === undefined ? {} : { description: endpoint.description }),
    security: [{ apiKey: [] }],
    request: {
      ...(params === undefined ? {} : { params }),
      ...(query === undefined ? {} : { query }),
      ...(body === undefined
        ? {}
        : {
            body: { required: !canBeLeftOut(body), content: bodyContent(body, endpoint.yaml === true) },
          }),
      ...(endpoint.takesFile === undefined
        ? {}
        : { body: { required: true, content: fileContent(endpoint.takesFile) } }),
    },
    responses: { ...successes(endpoint), ...refusals(endpoint) },
  };
}

/** Whether a request may come without a body. */
function canBeLeftOut(body: z.ZodType): boolean {
  return body.safeParse(undefined).success;
}

function bodyContent(schema: z.ZodType, yaml: boolean): Record<string, { schema: z.ZodType }> {
  return { "application/json": { schema }, ...(yaml ? { "application/yaml": { schema } } : {}) };
}

function fileContent(types: readonly string[]): Record<string, { schema: { type: "string" } }> {
  return Object.fromEntries(types.map((type) => [type, { schema: { type: "string" as const } }]));
}

function successes(endpoint: Endpoint): RouteConfig["responses"] {
  if (endpoint.givesFile !== undefined)
    return { 200: { description: "The file", content: fileContent(endpoint.givesFile) } };
  return Object.fromEntries(
    Object.entries(endpoint.answers).map(([status, schema]) => [
      status,
      { description: "Done", content: { "application/json": { schema } } },
    ]),
  );
}

function refusals({ params, query, body, refusals: own = {} }: Endpoint): RouteConfig["responses"] {
  const sentences: Record<number, string> = {
    ...(query === undefined ? {} : { 400: "The query is not valid" }),
    401: "No API key, or one that does not exist",
    ...(params === undefined ? {} : { 404: "There is nothing under this id in this workspace" }),
    ...(body === undefined
      ? {}
      : {
          400: "The body cannot be read",
          413: "The body is larger than 1 MiB",
          415: "The body is of another type",
          422: "The body is not valid; `issues` names each fault",
        }),
    503: "The database is away; try again",
    ...own,
  };
  return Object.fromEntries(
    Object.entries(sentences).map(([status, description]) => [status, { description, content: problemContent }]),
  );
}

const accepted = z.object({ runId: z.uuid(), deliveryId: z.uuid(), duplicate: z.boolean() }).meta({ id: "Acceptance" });

function refused(description: string): RouteConfig["responses"][string] {
  return { description, content: problemContent };
}

/** What is open without a key and not under /api. */
const openRoutes: readonly RouteConfig[] = [
  {
    method: "post",
    path: "/hooks/{token}",
    tags: ["Webhooks"],
    summary: "Start a run",
    description:
      "The method is the trigger's, and so is the answer, where it has one of its own. The token is the right to call it; the trigger may ask for more. Answered after the run is committed.",
    security: [],
    request: {
      params: z.object({ token: z.string() }),
      body: {
        content: {
          "application/json": { schema: z.unknown() },
          "application/x-www-form-urlencoded": { schema: z.record(z.string(), z.string()) },
          "multipart/form-data": { schema: z.record(z.string(), z.string()) },
        },
      },
    },
    responses: {
      202: { description: "Accepted, and not lost any more", content: { "application/json": { schema: accepted } } },
      400: refused("The body cannot be read"),
      401: refused("It does not show that it may be sent here"),
      404: refused("There is no webhook with this token"),
      405: refused("The webhook takes another method"),
      410: refused("The workflow is not active"),
      413: refused("The body is too large"),
      415: refused("The body is of another type"),
      422: refused("The body is not as the trigger declares it; `issues` names each fault"),
      429: refused("There were too many; send it again after `Retry-After` seconds"),
      503: refused("The database is away; send it again after `Retry-After` seconds"),
    },
  },
  openGet("/health", "Whether this process lives", { 200: "It does" }),
  openGet("/ready", "Whether this gateway can accept, and the state of its parts", { 200: "It can", 503: "Not now" }),
  openGet("/metrics", "Figures for Prometheus", { 200: "Exposition format" }),
];

function openGet(path: string, summary: string, responses: Record<number, string>): RouteConfig {
  return {
    method: "get",
    path,
    tags: ["Operations"],
    summary,
    security: [],
    responses: Object.fromEntries(Object.entries(responses).map(([status, description]) => [status, { description }])),
  };
}
