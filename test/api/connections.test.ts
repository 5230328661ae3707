import { describe, expect, test } from "vitest";
import { createHttpRequest } from "../../src/activities/http-request.ts";
import type { JsonObject } from "../../src/json.ts";
import { createTestDatabase } from "../support/database.ts";
import { certificate } from "../support/certificate.ts";
import { recordKinds } from "../support/engine.ts";
import { hookDefinition, startGateway, type Answer } from "./gateway.ts";

const { pool } = await createTestDatabase();
const kinds = { ...recordKinds, "http-request": createHttpRequest() };
const { call, install, strangerKey } = await startGateway(pool, { kinds });

for (const name of ["TOKEN", "CLIENT_SECRET", "REFRESH"])
  await call("POST", "/api/secrets", { body: { name, value: `the value of ${name}` } });

let made = 0;
const whole = (rest: JsonObject = {}): JsonObject => ({
  key: `api-${(made += 1)}`,
  baseUrl: "https://api.example.com/v1",
  ...rest,
});
const make = async (rest: JsonObject = {}): Promise<Answer> => call("POST", "/api/connections", { body: whole(rest) });

test("a connection says by little what it is, and shows all of it", async () => {
  const { status, body } = await call("POST", "/api/connections", {
    body: { key: "billing", baseUrl: "https://billing.example.com" },
  });
  expect(status).toBe(201);
  const shown = {
    id: expect.any(String),
    key: "billing",
    name: "billing",
    baseUrl: "https://billing.example.com",
    authentication: { kind: "none" },
    headers: {},
    certificateAuthority: null,
    rate: null,
    allowedHosts: [],
    allowHttp: false,
    honoursIdempotencyKey: false,
    revision: 1,
    createdAt: expect.any(String),
    updatedAt: expect.any(String),
    token: null,
    usedBy: [],
  };
  expect(body).toEqual(shown);
  expect((await call("GET", `/api/connections/${String(body["id"])}`)).body).toEqual(shown);
  expect((await call("GET", "/api/connections")).body["data"]).toContainEqual(shown);
});

test("everything can be said of it", async () => {
  const said = {
    name: "Billing, in test",
    authentication: {
      kind: "oauth2-client-credentials",
      tokenUrl: "https://id.example.com/token?tenant=1",
      clientId: "tandem",
      clientSecret: "CLIENT_SECRET",
      scope: "invoices",
      audience: "billing",
      clientBy: "body",
    },
    headers: { "X-Tenant": "7" },
    certificateAuthority: certificate,
    rate: { requests: 10, per: "1s", concurrent: 3 },
    allowedHosts: ["billing.internal", "10.0.0.5:8080", "[fd00::1]:8443"],
    allowHttp: true,
    honoursIdempotencyKey: true,
  };
  const { status, body } = await make(said);
  expect(status).toBe(201);
  expect(body).toMatchObject(said);
});

test("a change leaves what it does not name, and null takes back what may lack", async () => {
  const { body } = await make({ rate: { requests: 5, per: "60s" }, headers: { a: "b" } });
  const path = `/api/connections/${String(body["id"])}`;
  const changed = await call("PATCH", path, { body: { baseUrl: "https://other.example.com", name: "Other" } });
  expect(changed.body).toMatchObject({
    revision: 2,
    name: "Other",
    baseUrl: "https://other.example.com",
    rate: { requests: 5, per: "1m" },
    headers: { a: "b" },
  });
  expect((await call("PATCH", path, { body: { rate: null } })).body).toMatchObject({ revision: 3, rate: null });
  expect((await call("PATCH", path, { body: { key: "another" } })).body).toMatchObject({ status: 422 });
});

const bearer = { kind: "bearer", secret: "TOKEN" };
const oauth2 = {
  kind: "oauth2-refresh-token",
  tokenUrl: "https://id.example.com",
  clientId: "x",
  refreshToken: "REFRESH",
};

describe("what cannot work is refused, with its place:", () => {
  test.each<[string, JsonObject, string, string]>([
    ["a base URL that is none", { baseUrl: "api.example.com" }, "baseUrl", "is no URL"],
    ["another scheme", { baseUrl: "ftp://api.example.com" }, "baseUrl", "only https and http are called"],
    ["a password in the URL", { baseUrl: "https://a:b@api.example.com" }, "baseUrl", "carries a user or password"],
    ["a query in the base URL", { baseUrl: "https://api.example.com/?v=1" }, "baseUrl", "has a query"],
    ["an expression", { baseUrl: "https://{{ settings.host }}/" }, "baseUrl", "is an expression"],
    [
      "no TLS, unasked",
      { baseUrl: "http://api.example.com" },
      "baseUrl",
      'is not encrypted. Use https, or say "allowHttp"',
    ],
    [
      "no TLS, where another port of the host is allowed",
      { baseUrl: "http://x.internal:8080", allowedHosts: ["x.internal:80"] },
      "baseUrl",
      'is not encrypted. Use https, or say "allowHttp": true, or name the host in "allowedHosts", as x.internal:8080',
    ],
    [
      "a secret that is not there",
      { authentication: { ...bearer, secret: "TOKNE" } },
      "authentication.secret",
      'there is no secret "TOKNE"; did you mean "TOKEN"?',
    ],
    [
      "a secret that is nowhere near",
      { authentication: { ...bearer, secret: "STRIPE" } },
      "authentication.secret",
      'there is no secret "STRIPE"; make it by POST /api/secrets',
    ],
    [
      "a client secret that is not there",
      { authentication: { ...oauth2, clientSecret: "NOWHERE" } },
      "authentication.clientSecret",
      "there is no secret",
    ],
    [
      "a token URL without TLS",
      { authentication: { ...oauth2, tokenUrl: "http://id.example.com" } },
      "authentication.tokenUrl",
      "is not encrypted",
    ],
    ["an unknown authentication", { authentication: { kind: "oauth" } }, "authentication.kind", "Invalid"],
    [
      "a colon in a user's name",
      { authentication: { kind: "basic", username: "a:b", secret: "TOKEN" } },
      "authentication.username",
      "has a colon",
    ],
    [
      "a header's name with a space",
      { authentication: { kind: "header", name: "X Key", secret: "TOKEN" } },
      "authentication.name",
      "cannot be the name of a header",
    ],
    [
      "a prefix with a line break",
      { authentication: { kind: "header", name: "X-Key", prefix: "a\nb", secret: "TOKEN" } },
      "authentication.prefix",
      "has a character",
    ],
    ["a header of the client's", { headers: { Host: "elsewhere" } }, "headers.Host", "is written by Tandem itself"],
    [
      "a secret in a header",
      { headers: { Authorization: "Bearer x" } },
      "headers.Authorization",
      "could be read by everybody",
    ],
    ["a header that breaks out", { headers: { "X-A": "b\r\nX-C: d" } }, "headers.X-A", "has a line break"],
    ["a header twice", { headers: { "x-a": "1", "X-A": "2" } }, "headers.X-A", "is there twice"],
    ["a certificate that is none", { certificateAuthority: "hello" }, "certificateAuthority", "holds no certificate"],
    [
      "a broken certificate",
      { certificateAuthority: certificate.replace(/\n..../, "\nAAAA") },
      "certificateAuthority",
      "its certificate 1 cannot be read",
    ],
    [
      "a private key",
      { certificateAuthority: "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----" },
      "certificateAuthority",
      "holds a private key",
    ],
    ["a host that is a URL", { allowedHosts: ["http://crm.internal"] }, "allowedHosts[0]", "is no host"],
    ["a host with a path", { allowedHosts: ["crm.internal/x"] }, "allowedHosts[0]", "is no host"],
    ["a rate of nothing", { rate: { requests: 0, per: "1s" } }, "rate.requests", ">=1"],
    ["a rate of no time", { rate: { requests: 1, per: "0s" } }, "rate.per", "at least 1ms"],
    ["a key with a capital", { key: "Billing" }, "key", ""],
    ["an unknown setting", { timeout: "1s" }, "", "timeout"],
  ])("%s", async (_, wrong, path, message) => {
    const { status, body } = await make(wrong);
    expect({ status, issues: body["issues"] }).toEqual({
      status: 422,
      issues: [{ path, message: expect.stringContaining(message) }],
    });
  });

  test("all faults of one are told at once", async () => {
    const { body } = await make({
      baseUrl: "x",
      headers: { Host: "y" },
      authentication: { kind: "bearer", secret: "Z" },
    });
    expect(body["issues"]).toHaveLength(3);
  });

  test("a change is checked as a whole", async () => {
    const { body } = await make({ baseUrl: "http://crm.internal", allowedHosts: ["crm.internal"] });
    const path = `/api/connections/${String(body["id"])}`;
    const { body: refused } = await call("PATCH", path, { body: { allowedHosts: [] } });
    expect(refused["issues"]).toMatchObject([{ path: "baseUrl" }]);
    expect((await call("GET", path)).body).toMatchObject({ revision: 1, allowedHosts: ["crm.internal"] });
  });

  test("a key that is taken", async () => {
    const { body } = await make();
    expect((await make({ key: body["key"]! })).body).toMatchObject({ status: 409, code: "connection-exists" });
    const key = await strangerKey();
    const own = { key: body["key"]!, baseUrl: "https://api.example.com" };
    expect((await call("POST", "/api/connections", { key, body: own })).status).toBe(201);
  });
});

test("a secret that a connection names stays", async () => {
  const name = "OF_A_CONNECTION";
  const { body: secret } = await call("POST", "/api/secrets", { body: { name, value: "a value of it" } });
  const path = `/api/secrets/${String(secret["id"])}`;
  const { body } = await make({ authentication: { kind: "bearer", secret: name } });
  expect((await call("GET", path)).body).toMatchObject({ usedByConnections: [body["key"]] });
  expect((await call("DELETE", path)).body).toMatchObject({
    code: "secret-in-use",
    detail: `Connections use ${name}: ${String(body["key"])}. Let them use another secret, or delete them.`,
  });
  expect((await call("DELETE", `/api/connections/${String(body["id"])}`)).status).toBe(200);
  expect((await call("DELETE", path)).status).toBe(200);
});

/** A workflow whose step, in a branch, names the connection. */
function calling(key: string, connection: unknown): JsonObject {
  const step = { id: "ask", kind: "http-request", input: { connection: String(connection), path: "/" } };
  const steps = [{ id: "either", kind: "branch", branches: [{ steps: [step] }] }];
  return hookDefinition(key, {}, { steps });
}

describe("a connection that a workflow names", () => {
  test("must be there when it is activated", async () => {
    const { body } = await make();
    const { body: made } = await call("POST", "/api/workflows", {
      body: calling("misspelt", `${String(body["key"])}x`),
    });
    const refused = await call("POST", `/api/workflows/${String(made["id"])}/activate`);
    expect(refused.body).toMatchObject({
      status: 422,
      issues: [
        {
          path: "steps[0].branches[0].steps[0].input.connection",
          message: `unknown connection "${String(body["key"])}x"; did you mean "${String(body["key"])}"?`,
        },
      ],
    });
  });

  test("says where, and stays while that runs", async () => {
    const { body } = await make();
    const path = `/api/connections/${String(body["id"])}`;
    const { id } = await install(calling("calls-it", body["key"]));
    const use = { workflowId: id, workflow: "calls-it", step: "ask" };
    expect((await call("GET", path)).body["usedBy"]).toEqual([{ ...use, active: true }]);
    await call("PUT", `/api/workflows/${id}/draft`, { body: { ...calling("calls-it", body["key"]), name: "Again" } });
    expect((await call("GET", path)).body["usedBy"]).toHaveLength(2);
    expect((await call("DELETE", path)).body).toMatchObject({
      status: 409,
      code: "connection-in-use",
      detail: `Active workflows use ${String(body["key"])}: calls-it (ask). Deactivate them, or let them use another connection.`,
    });
    await call("POST", `/api/workflows/${id}/deactivate`);
    expect((await call("DELETE", path)).status).toBe(200);
    expect((await call("POST", `/api/workflows/${id}/activate`)).status).toBe(422);
  });

  test("is there, or the workflow is not active, when both are asked for at once", async () => {
    for (let round = 0; round < 10; round++) {
      const { body } = await make();
      const { body: made } = await call("POST", "/api/workflows", { body: calling(`races-${round}`, body["key"]) });
      const [activated, deleted] = await Promise.all([
        call("POST", `/api/workflows/${String(made["id"])}/activate`),
        call("DELETE", `/api/connections/${String(body["id"])}`),
      ]);
      expect([
        [200, 409],
        [422, 200],
      ]).toContainEqual([activated.status, deleted.status]);
    }
  });
});

test("what is not there cannot be found, changed or deleted", async () => {
  const path = "/api/connections/01980000-0000-7000-8000-000000000000";
  for (const answer of [await call("GET", path), await call("PATCH", path, { body: {} }), await call("DELETE", path)])
    expect(answer.body).toMatchObject({ status: 404, code: "connection-not-found" });
});
