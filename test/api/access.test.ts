import { describe, expect, test } from "vitest";
import { z } from "zod";
import { createId } from "../../src/ids.ts";
import { createTestDatabase } from "../support/database.ts";
import { hookDefinition, startGateway, type Sent } from "./gateway.ts";

const { pool } = await createTestDatabase();
const gateway = await startGateway(pool);
const { call, install } = gateway;

const operation = z.looseObject({ security: z.array(z.record(z.string(), z.unknown())).optional() });
const document = z.looseObject({ paths: z.record(z.string(), z.record(z.string(), operation)) });
const { paths } = document.parse((await call("GET", "/openapi.json", { key: null })).body);
const operations = Object.entries(paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, { security }]) => ({
    method: method.toUpperCase(),
    path,
    isOpen: security?.length === 0,
  })),
);
const closed = operations.filter(({ isOpen }) => !isOpen);
/** A body that is looked at only once the address is found. */
const bodies: Readonly<Record<string, Sent>> = {
  POST: { body: {} },
  PUT: { body: hookDefinition("none") },
  PATCH: { body: {} },
  "PUT /api/secrets/{id}": { body: { value: "a value of a secret" } },
  "PUT /api/once/{id}": { body: { as: "free" } },
  "PUT /api/outcomes-unknown/{id}": { body: { as: "not-done" } },
  "POST /api/questions/{id}/answer": { body: { answer: {} } },
  "POST /api/workflows/{id}/schedules/{trigger}/backfill": {
    body: { from: "2026-03-01T00:00:00Z", to: "2026-03-02T00:00:00Z" },
  },
};
const withId = (path: string, id: string): string => path.replaceAll(/\{\w+\}/g, id);

describe("without a key", () => {
  test("the document has every closed route", () => {
    expect(closed.length).toBeGreaterThan(20);
    expect(new Set(operations.filter(({ isOpen }) => isOpen).map(({ path }) => path))).toEqual(
      new Set(["/hooks/{token}", "/health", "/ready", "/metrics"]),
    );
  });

  test.each(closed)("$method $path is 401 and says how to ask", async ({ method, path }) => {
    const answer = await call(method, withId(path, createId()), { key: null });
    expect(answer.status).toBe(401);
    expect(answer.headers.get("www-authenticate")).toMatch(/^Bearer/);
    expect(answer.body).toMatchObject({ status: 401, code: "unauthorized" });
  });

  test.each(["/api", "/api/nothing", "/rest/people", "/rest/nothing"])("%s is 401 too", async (path) => {
    expect((await call("GET", path, { key: null })).status).toBe(401);
  });

  test.each(["/health", "/ready", "/metrics", "/openapi.json", "/docs", "/mailbox"])("%s opens", async (path) => {
    expect((await call("GET", path, { key: null })).status).not.toBe(401);
  });
});

test.each([
  "",
  "Bearer",
  "Bearer ",
  "Basic YTpi",
  "Bearer nope",
  "Bearer a b",
  "Token x",
  `Bearer tandem_${"x".repeat(43)}`,
])("the credentials %j are 401", async (authorization) => {
  const answer = await call("GET", "/api/runs", { key: null, headers: { authorization } });
  expect(answer.status).toBe(401);
});

test("the scheme's case and spaces around the key do not matter", async () => {
  expect(
    (await call("GET", "/api/runs", { key: null, headers: { authorization: `  bearer   ${gateway.key}  ` } })).status,
  ).toBe(200);
});

describe("an address", () => {
  test("that is not there is 404, as a problem", async () => {
    for (const path of ["/api/nothing", "/nothing", "/api/runs/x/y", "/"]) {
      const answer = await call("GET", path);
      expect([path, answer.status, answer.headers.get("content-type")]).toEqual([
        path,
        404,
        "application/problem+json; charset=utf-8",
      ]);
    }
  });

  test("that is broken is 400", async () => {
    expect((await call("GET", "/api/runs/%ff")).body).toMatchObject({ status: 400, code: "malformed-url" });
  });

  test.each(closed.filter(({ path }) => path.startsWith("/api")))(
    "$path answers other methods than its own with 405",
    async ({ path }) => {
      const allowed = Object.keys(paths[path] ?? {}).map((method) => method.toUpperCase());
      for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE"].filter((each) => !allowed.includes(each))) {
        const answer = await call(method, withId(path, createId()));
        expect([
          method,
          answer.status,
          answer.headers
            .get("allow")
            ?.split(", ")
            .filter((each) => each !== "HEAD"),
        ]).toEqual([method, 405, allowed]);
      }
    },
  );

  test.each(closed.filter(({ path }) => path.startsWith("/api") && path.includes("{id}")))(
    "$method $path of what is no id, or nobody's, is 404",
    async ({ method, path }) => {
      for (const id of ["x", "1", "%00", "..%2f..%2fetc", createId()]) {
        const answer = await call(method, withId(path, id), bodies[`${method} ${path}`] ?? bodies[method] ?? {});
        expect([id, answer.status]).toEqual([id, 404]);
      }
    },
  );
});

test("what belongs to another workspace is not there", async () => {
  const { id, hook } = await install(hookDefinition("mine"));
  const { body } = await call("POST", hook, { key: null, body: {} });
  const run = String(body["runId"]);
  const key = await gateway.strangerKey();
  for (const [method, path] of [
    ["GET", `/api/workflows/${id}`],
    ["PUT", `/api/workflows/${id}/draft`],
    ["PUT", `/api/workflows/${id}/settings`],
    ["GET", `/api/workflows/${id}/versions`],
    ["POST", `/api/workflows/${id}/activate`],
    ["POST", `/api/workflows/${id}/deactivate`],
    ["GET", `/api/runs/${run}`],
    ["POST", `/api/runs/${run}/cancel`],
  ] as const) {
    const sent = path.endsWith("draft")
      ? { body: hookDefinition("mine") }
      : path.endsWith("settings")
        ? { body: {} }
        : {};
    expect([path, (await call(method, path, { key, ...sent })).status]).toEqual([path, 404]);
  }
  for (const path of ["/api/workflows", "/api/runs", `/api/runs?workflowId=${id}`, "/api/deliveries"]) {
    expect((await call("GET", path, { key })).body["data"]).toEqual([]);
  }
  expect((await call("GET", `/api/runs/${run}`)).body["status"]).toBe("queued");
});
