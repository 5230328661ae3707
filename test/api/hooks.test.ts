import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../src/json.ts";
import { createTestDatabase } from "../support/database.ts";
import { hookDefinition, startGateway, type Sent } from "./gateway.ts";

const { pool } = await createTestDatabase();
const gateway = await startGateway(pool);
const { call, install } = gateway;
const json = { "content-type": "application/json" };
const form = { "content-type": "application/x-www-form-urlencoded" };

const leads = await install(
  hookDefinition("leads", {
    body: {
      type: "object",
      required: ["email"],
      properties: {
        email: { type: "string", format: "email" },
        seats: { type: "integer" },
        id: { type: "string" },
        person: { type: "object", properties: { age: { type: "number" } } },
      },
    },
  }),
);
const open = await install(hookDefinition("open"));

async function post(hook: string, sent: Sent) {
  return call("POST", hook, { key: null, ...sent });
}

/** Posts, and gives the trigger of the run that it started. */
async function triggerOf(hook: string, sent: Sent): Promise<JsonObject> {
  const { status, body, text } = await post(hook, sent);
  if (status !== 202) throw new Error(`Not accepted: ${text}`);
  const run = await call("GET", `/api/runs/${String(body["runId"])}`);
  return run.body["trigger"] as JsonObject;
}

async function deliveriesOf(workflowId: string): Promise<JsonObject[]> {
  const { body } = await call("GET", `/api/deliveries?workflowId=${workflowId}&limit=200`);
  return body["data"] as JsonObject[];
}

describe("a delivery", () => {
  test("is answered with 202, the run and itself, when both are committed", async () => {
    const { status, headers, body } = await post(leads.hook, { body: { email: "ada@x.example" } });
    expect(status).toBe(202);
    expect(body).toEqual({ runId: expect.any(String), deliveryId: expect.any(String), duplicate: false });
    expect(headers.get("x-powered-by")).toBeNull();
    const run = await call("GET", `/api/runs/${String(body["runId"])}`);
    expect(run.body).toMatchObject({
      status: "queued",
      workflowId: leads.id,
      triggerId: "form",
      triggerKind: "webhook",
    });
    const [delivery] = await deliveriesOf(leads.id);
    expect(delivery).toMatchObject({
      id: body["deliveryId"],
      runId: body["runId"],
      outcome: "accepted",
      status: 202,
      reason: null,
    });
  });

  test("gives body, headers and query, without what authenticates the sender", async () => {
    const trigger = await triggerOf(`${open.hook}?utm=a&tag=1&tag=2`, {
      body: { a: [1, { b: null }] },
      headers: { "X-Source": "site", Authorization: "Bearer secret", Cookie: "a=b", "X-Api-Key": "secret" },
    });
    expect(trigger).toMatchObject({
      id: "form",
      kind: "webhook",
      method: "POST",
      body: { a: [1, { b: null }] },
      query: { utm: "a", tag: ["1", "2"] },
      headers: { "x-source": "site", "content-type": "application/json" },
    });
    for (const name of ["authorization", "cookie", "x-api-key"]) expect(trigger["headers"]).not.toHaveProperty(name);
  });

  test.each<[string, Sent, unknown]>([
    ["JSON without a content type", { raw: new Uint8Array(Buffer.from('{"a":1}')) }, { a: 1 }],
    ["JSON of a vendor's type", { raw: "[1]", headers: { "content-type": "application/vnd.x+json" } }, [1]],
    ["gzip", { raw: new Uint8Array(gzipSync('{"a":1}')), headers: { ...json, "content-encoding": "gzip" } }, { a: 1 }],
    [
      "a form",
      {
        raw: new URLSearchParams([
          ["a", "ä b"],
          ["c", "1"],
          ["c", "2"],
        ]),
      },
      { a: "ä b", c: ["1", "2"] },
    ],
    ["nothing", {}, null],
    ["19 digits", { raw: '{"id": 1234567890123456789}', headers: json }, { id: "1234567890123456789" }],
  ])("may be %s", async (_what, sent, body) => {
    expect((await triggerOf(open.hook, sent))["body"]).toEqual(body);
  });

  test("may be the fields of a multipart form", async () => {
    const fields = new FormData();
    fields.set("email", "ada@x.example");
    fields.set("seats", "3");
    expect((await triggerOf(leads.hook, { raw: fields }))["body"]).toEqual({ email: "ada@x.example", seats: 3 });
  });

  test("has its text made the type that is declared, and an id kept exactly", async () => {
    expect((await triggerOf(leads.hook, { raw: "email=ada%40x.example&seats=12", headers: form }))["body"]).toEqual({
      email: "ada@x.example",
      seats: 12,
    });
    const raw = '{"email": "ada@x.example", "id": 9007199254740993}';
    expect((await triggerOf(leads.hook, { raw, headers: json }))["body"]).toEqual({
      email: "ada@x.example",
      id: "9007199254740993",
    });
  });
});

describe("a refused delivery", () => {
  const long = "x".repeat(1024 * 1024);
  test.each<[string, Sent, number, string]>([
    ["is not JSON", { raw: '{"email":', headers: json }, 400, "malformed-request"],
    ["holds a NUL", { raw: '{"email":"a\\u0000@x.example"}', headers: json }, 400, "malformed-request"],
    ["holds a raw NUL", { raw: '{"email":"a\0"}', headers: json }, 400, "malformed-request"],
    [
      "is nested 50,000 deep",
      { raw: `{"a":${"[".repeat(50_000)}${"]".repeat(50_000)}}`, headers: json },
      400,
      "malformed-request",
    ],
    ["holds a number past all numbers", { raw: '{"a":1e400}', headers: json }, 400, "malformed-request"],
    [
      "holds __proto__",
      { raw: '{"__proto__":{"x":1},"email":"a@x.example"}', headers: json },
      400,
      "malformed-request",
    ],
    ["is not UTF-8", { raw: new Uint8Array([0x22, 0xff, 0x22]), headers: json }, 400, "malformed-request"],
    [
      "holds a NUL in a key that comes twice",
      { raw: '{"a\\u0000":1,"a\\u0000":2}', headers: json },
      400,
      "malformed-request",
    ],
    ["holds half a character where none may be", { raw: "{😀}", headers: json }, 400, "malformed-request"],
    ["has half a surrogate", { raw: '{"email":"\\ud800"}', headers: json }, 400, "malformed-request"],
    [
      "has a key twice",
      { raw: '{"email":"a@x.example","email":"b@x.example"}', headers: json },
      400,
      "malformed-request",
    ],
    ["is broken gzip", { raw: "nope", headers: { ...json, "content-encoding": "gzip" } }, 400, "malformed-request"],
    ["is too large", { raw: JSON.stringify({ email: long }), headers: json }, 413, "body-too-large"],
    [
      "inflates too far",
      { raw: new Uint8Array(gzipSync(long + long)), headers: { ...json, "content-encoding": "gzip" } },
      413,
      "body-too-large",
    ],
    [
      "is of another type",
      { raw: "<a/>", headers: { "content-type": "application/xml" } },
      415,
      "unsupported-media-type",
    ],
    ["is text", { raw: "hello" }, 415, "unsupported-media-type"],
    [
      "is in another encoding",
      { raw: "x", headers: { ...json, "content-encoding": "br" } },
      415,
      "unsupported-encoding",
    ],
    ["lacks what is declared", { body: {} }, 422, "invalid-body"],
  ])("that %s is told why, starts nothing, and is kept", async (_what, sent, status, code) => {
    const before = await call("GET", `/api/runs?workflowId=${leads.id}&limit=1`);
    const answer = await post(leads.hook, sent);
    expect(answer.status).toBe(status);
    expect(answer.headers.get("content-type")).toMatch(/^application\/problem\+json/);
    expect(answer.body).toMatchObject({
      status,
      code,
      type: `/problems/${code}`,
      title: expect.any(String),
      detail: expect.any(String),
    });
    expect(answer.text).not.toMatch(/\.ts:|node_modules/);
    expect((await deliveriesOf(leads.id))[0]).toMatchObject({
      outcome: "refused",
      status,
      runId: null,
      reason: { code, detail: answer.body["detail"] },
    });
    expect((await call("GET", `/api/runs?workflowId=${leads.id}&limit=1`)).body).toEqual(before.body);
  });

  test("names every fault with its path", async () => {
    const { body } = await post(leads.hook, { body: { email: "nope", seats: "many", person: { age: "old" } } });
    const issues = body["issues"] as { path: string; message: string }[];
    expect(issues.map(({ path }) => path).toSorted()).toEqual(["body.email", "body.person.age", "body.seats"]);
    expect((await deliveriesOf(leads.id))[0]).toMatchObject({ reason: { issues } });
  });

  test("at one byte less than too much is accepted", async () => {
    const raw = `{"a":"${"x".repeat(1024 * 1024 - 8)}"}`;
    expect(raw.length).toBe(1024 * 1024);
    expect((await post(open.hook, { raw, headers: json })).status).toBe(202);
  });

  test("with a query that is no UTF-8 is 400", async () => {
    expect((await post(`${open.hook}?a=%ff`, { body: {} })).status).toBe(400);
  });
});

describe("an address", () => {
  test.each(["/hooks/nobody", "/hooks/a%2fb", `/hooks/${"x".repeat(200)}`])(
    "that nobody has (%s) is 404",
    async (path) => {
      const answer = await post(path, { body: {} });
      expect([answer.status, answer.headers.get("content-type")]).toEqual([
        404,
        "application/problem+json; charset=utf-8",
      ]);
    },
  );

  test.each(["/hooks/%ff", "/hooks/%00"])("that is not valid (%s) is 400", async (path) => {
    expect((await post(path, { body: {} })).status).toBe(400);
  });

  test.each(["GET", "PUT", "PATCH", "DELETE"])(
    "answers %s with 405 and what it takes, and keeps that",
    async (method) => {
      const answer = await call(method, leads.hook, { key: null, ...(method === "GET" ? {} : { body: {} }) });
      expect([answer.status, answer.headers.get("allow")]).toEqual([405, "POST"]);
      expect((await deliveriesOf(leads.id))[0]).toMatchObject({ method, outcome: "refused", status: 405 });
    },
  );

  test("takes GET where that is configured, with the query for the run", async () => {
    const { hook } = await install(hookDefinition("by-get", { method: "GET" }));
    expect((await call("GET", `${hook}?a=1`, { key: null })).status).toBe(202);
    const refused = await call("POST", hook, { key: null, body: {} });
    expect([refused.status, refused.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
  });

  test("of an inactive workflow is 410 and kept; active again, it is the same address", async () => {
    const { id, hook } = await install(hookDefinition("switched"));
    await call("POST", `/api/workflows/${id}/deactivate`);
    expect((await post(hook, { body: {} })).status).toBe(410);
    expect((await deliveriesOf(id))[0]).toMatchObject({ outcome: "refused", status: 410 });
    await call("POST", `/api/workflows/${id}/activate`);
    expect((await post(hook, { body: {} })).status).toBe(202);
  });

  test("of a trigger that the active version lacks is 410", async () => {
    const { id, hook } = await install(hookDefinition("renamed"));
    await call("PUT", `/api/workflows/${id}/draft`, { body: hookDefinition("renamed", { id: "other" }) });
    expect((await call("POST", `/api/workflows/${id}/activate`)).status).toBe(200);
    expect((await post(hook, { body: {} })).status).toBe(410);
  });
});

describe("settings and concurrency", () => {
  test("a run keeps the settings as they were", async () => {
    const settings = { inbox: { type: "email", default: "sales@x.example" }, days: { type: "number" } };
    const { id, hook } = await install(
      hookDefinition("with-settings", {}, { settings: { ...settings, days: { type: "number", default: 3 } } }),
    );
    await call("PUT", `/api/workflows/${id}/settings`, { body: { days: 5 } });
    const { body } = await post(hook, { body: {} });
    await call("PUT", `/api/workflows/${id}/settings`, { body: { days: 9 } });
    const run = await call("GET", `/api/runs/${String(body["runId"])}`);
    expect(run.body["settings"]).toEqual({ inbox: "sales@x.example", days: 5 });
  });

  test("a key that cannot be evaluated does not refuse the delivery: its run is failed, with the reason", async () => {
    const { hook } = await install(
      hookDefinition("keyed", {}, { concurrency: { key: "{{ trigger.body.email }}", limit: 1 } }),
    );
    expect((await post(hook, { body: { email: "a@x.example" } })).status).toBe(202);
    const { status, body } = await post(hook, { body: {} });
    expect(status).toBe(202);
    const run = await call("GET", `/api/runs/${String(body["runId"])}`);
    expect(run.body).toMatchObject({
      status: "failed",
      error: { code: "concurrency-key", message: expect.stringContaining("trigger.body.email is missing") },
    });
  });
});
