import { expect, test } from "vitest";
import type { JsonObject } from "../../src/json.ts";
import { startApi } from "../http/support.ts";
import { createTestDatabase } from "../support/database.ts";
import { startTokenServer } from "../support/token-server.ts";
import { startGateway } from "./gateway.ts";

const { pool } = await createTestDatabase();
const { call, strangerKey } = await startGateway(pool);
await call("POST", "/api/secrets", { body: { name: "TOKEN", value: "open-sesame-4711" } });

let made = 0;
async function make(rest: JsonObject): Promise<string> {
  const { body } = await call("POST", "/api/connections", { body: { key: `api-${(made += 1)}`, ...rest } });
  return String(body["id"]);
}
const tried = async (id: string, body: JsonObject = {}): Promise<JsonObject> =>
  (await call("POST", `/api/connections/${id}/test`, { body })).body;

test("a connection is tried as a step would call it, with its path, headers and authentication", async () => {
  const api = await startApi((_, response) => response.end("hello"));
  const id = await make({
    baseUrl: `${api.url}/v1`,
    authentication: { kind: "bearer", secret: "TOKEN" },
    headers: { "x-tenant": "7" },
    allowedHosts: [`127.0.0.1:${api.port}`],
  });
  expect(await tried(id, { path: "/me" })).toEqual({
    ok: true,
    status: 200,
    code: null,
    message: "It answered 200.",
    durationMs: expect.any(Number),
  });
  expect(api.asked[0]).toMatchObject({
    method: "GET",
    url: "/v1/me",
    headers: { authorization: "Bearer open-sesame-4711", "x-tenant": "7" },
  });
  expect(await tried(id, { method: "HEAD" })).toMatchObject({ ok: true });
});

test("what keeps it from its target is said, without what is secret", async () => {
  const api = await startApi((request, response) =>
    response
      .writeHead(401, { "content-type": "application/json" })
      .end(JSON.stringify({ message: `no ${String(request.headers.authorization)}` })),
  );
  const refused = await make({
    baseUrl: api.url,
    authentication: { kind: "bearer", secret: "TOKEN" },
    allowedHosts: [`127.0.0.1:${api.port}`],
  });
  const outcome = await tried(refused);
  expect(outcome).toMatchObject({
    ok: false,
    status: 401,
    code: "http-status",
    message: expect.stringContaining("answered 401: no Bearer"),
  });
  expect(JSON.stringify(outcome)).not.toContain("sesame");
  expect(await tried(await make({ baseUrl: "https://127.0.0.1:1" }))).toMatchObject({
    ok: false,
    status: null,
    code: "blocked-url",
  });
  const away = await make({ baseUrl: "http://127.0.0.1:1", allowedHosts: ["127.0.0.1"] });
  expect(await tried(away)).toMatchObject({ ok: false, status: null, code: "not-connected" });
  expect(await tried(away, { path: "/../../x" })).toMatchObject({ ok: false, code: "not-connected" });
});

test("a target that takes the call and never answers is told as a timeout", async () => {
  const api = await startApi(() => {});
  const id = await make({ baseUrl: api.url, allowedHosts: [`127.0.0.1:${api.port}`] });
  const { status, body } = await call("POST", `/api/connections/${id}/test`, { body: {} });
  expect([status, body]).toEqual([
    200,
    {
      ok: false,
      status: null,
      code: "timeout",
      message: "No answer came within 15000 ms.",
      durationMs: expect.any(Number),
    },
  ]);
});

test("a token that the target does not take any more is renewed, as for a step", async () => {
  const tokenServer = await startTokenServer();
  const api = await startApi((request, response) =>
    response.writeHead(request.headers.authorization === "Bearer access-2" ? 200 : 401).end(),
  );
  const id = await make({
    baseUrl: api.url,
    authentication: {
      kind: "oauth2-client-credentials",
      tokenUrl: tokenServer.url,
      clientId: "crm",
      clientSecret: "TOKEN",
    },
    allowedHosts: ["127.0.0.1"],
  });
  expect(await tried(id)).toMatchObject({ ok: true, status: 200 });
  expect(api.asked.map(({ headers }) => headers.authorization)).toEqual(["Bearer access-1", "Bearer access-2"]);
});

test("a connection of another workspace cannot be tried", async () => {
  const id = await make({ baseUrl: "https://api.example" });
  const { status } = await call("POST", `/api/connections/${id}/test`, { body: {}, key: await strangerKey() });
  expect(status).toBe(404);
});
