import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../../src/json.ts";
import { compileBodySchema } from "../../../src/triggers/body-schema.ts";
import { createTestDatabase } from "../../support/database.ts";
import { hookDefinition, startGateway } from "../gateway.ts";
import { createReceiver, signLikeGitHub } from "./receiver.ts";

const { pool } = await createTestDatabase();
const gateway = await startGateway(pool);
const { call } = gateway;
const { receive, keep, send, deliveries, runs } = createReceiver(gateway);

const pathOf = (id: string, trigger = "form"): string => `/api/workflows/${id}/webhooks/${trigger}/capture`;
const arm = (id: string, body: JsonObject = {}) => call("POST", pathOf(id), { body });
const captured = async (id: string): Promise<JsonObject> => (await call("GET", pathOf(id))).body;

const order = {
  id: "9b2f6c1e-7d34-4c5a-9f1e-2b6a8d0c4e11",
  email: "ada@x.example",
  total: 12.5,
  lines: [{ sku: "a", n: 1 }],
};

describe("the next request of a webhook", () => {
  test("proposes the structure of its body, for a workflow that was never active, and starts nothing", async () => {
    const made = await call("POST", "/api/workflows", { body: hookDefinition("draft") });
    const id = String(made.body["id"]);
    const armed = await arm(id);
    expect(armed.status).toBe(201);
    expect(armed.body).toMatchObject({ wanted: 1, deliveryIds: [], schema: null });
    const hook = new URL(String(armed.body["url"])).pathname;
    const answer = await send("POST", hook, { body: order });
    expect([answer.status, answer.body]).toEqual([202, { captured: true, deliveryId: expect.any(String) }]);
    const { schema, deliveryIds } = await captured(id);
    expect(deliveryIds).toEqual([answer.body["deliveryId"]]);
    expect(schema).toEqual({
      type: "object",
      required: ["id", "email", "total", "lines"],
      properties: {
        id: { type: "string", format: "uuid" },
        email: { type: "string", format: "email" },
        total: { type: "number" },
        lines: {
          type: "array",
          items: {
            type: "object",
            required: ["sku", "n"],
            properties: { sku: { type: "string" }, n: { type: "integer" } },
          },
        },
      },
    });
    expect(await runs(id)).toEqual([]);
    expect((await deliveries(id))[0]).toMatchObject({ outcome: "captured", status: 202, body: { json: order } });
    // One was wanted: the next is refused as ever.
    expect((await send("POST", hook, { body: order })).status).toBe(410);
    const active = await call("POST", `/api/workflows/${id}/activate`);
    expect((active.body["triggers"] as [{ url: string }])[0].url).toBe(armed.body["url"]);
  });

  test("of an active workflow starts its run all the same, and is learnt from", async () => {
    const { id, hook } = await receive({});
    await arm(id, { requests: 2 });
    expect((await send("POST", hook, { body: { a: 1, b: null } })).body).toMatchObject({ duplicate: false });
    expect((await send("POST", hook, { body: { a: 1.5, c: "2026-11-24T10:00:00Z" } })).status).toBe(202);
    expect(await runs(id)).toHaveLength(2);
    const { schema } = await captured(id);
    expect(schema).toEqual({
      type: "object",
      required: ["a"],
      properties: { a: { type: "number" }, b: {}, c: { type: "string", format: "date-time" } },
    });
  });

  test("is also one that does not fit what is declared", async () => {
    const { id, hook } = await receive({ body: { type: "object", required: ["email"] } });
    await arm(id);
    expect((await send("POST", hook, { body: { mail: "a@x.example" } })).status).toBe(422);
    expect(await captured(id)).toMatchObject({ schema: { required: ["mail"] } });
  });

  test("is none of a sender who may not send", async () => {
    await keep("CAPTURED", "canary-captured");
    const { id, hook } = await receive({ authentication: { kind: "github", secret: "CAPTURED" } });
    await arm(id);
    expect((await send("POST", hook, { raw: "{}", headers: signLikeGitHub("other", "{}") })).status).toBe(401);
    expect(await captured(id)).toMatchObject({ deliveryIds: [], schema: null });
    expect((await send("POST", hook, { raw: "{}", headers: signLikeGitHub("canary-captured", "{}") })).status).toBe(
      202,
    );
    expect(await captured(id)).toMatchObject({ deliveryIds: [expect.any(String)], schema: { type: "object" } });
  });

  test("is waited for no longer than was said", async () => {
    const { id, hook } = await receive({});
    await arm(id, { minutes: 1 });
    await pool.query("update tandem.captures set until = now() where workflow_id = $1", [id]);
    await send("POST", hook, { body: {} });
    expect(await captured(id)).toMatchObject({ deliveryIds: [] });
  });

  test("of a draft is held to who may send by it, and shows none of their credentials", async () => {
    await keep("DRAFTED", "canary-drafted");
    const trigger = { authentication: { kind: "header", header: "x-partner", secret: "DRAFTED" } };
    const rest = { settings: { most: { type: "number", default: 5 } } };
    const made = await call("POST", "/api/workflows", {
      body: hookDefinition("drafted", { ...trigger, rateLimit: { requests: "{{ settings.most }}", per: "1m" } }, rest),
    });
    const id = String(made.body["id"]);
    const hook = new URL(String((await arm(id)).body["url"])).pathname;
    expect((await send("POST", hook, { body: {} })).status).toBe(401);
    const headers = { "x-partner": "canary-drafted" };
    expect((await send("POST", hook, { body: {}, headers })).body).toMatchObject({ captured: true });
    expect(JSON.stringify(await deliveries(id))).not.toContain("canary-drafted");
  });

  test("of a draft that does not yet say who may send is none", async () => {
    const authentication = { kind: "header", header: "{{ settings.header }}", secret: "DRAFTED" };
    const made = await call("POST", "/api/workflows", {
      body: hookDefinition("unsaid", { authentication }, { settings: { header: { type: "text", default: "x-a" } } }),
    });
    const hook = new URL(String((await arm(String(made.body["id"]))).body["url"])).pathname;
    expect((await send("POST", hook, { body: {}, headers: { "x-a": "canary-drafted" } })).status).toBe(410);
  });

  test("of a GET webhook is its query", async () => {
    const { id, hook } = await receive({ method: "GET" });
    await arm(id);
    await send("GET", `${hook}?email=a%40x.example`);
    expect(await captured(id)).toMatchObject({ schema: { properties: { email: { format: "email" } } } });
  });

  test("is one among many at once", async () => {
    const { id, hook } = await receive({});
    await arm(id, { requests: 3 });
    await Promise.all(Array.from({ length: 10 }, (_, n) => send("POST", hook, { body: { n } })));
    expect((await captured(id))["deliveryIds"]).toHaveLength(3);
    expect(await runs(id)).toHaveLength(10);
  });
});

test("what is proposed can be declared, and lets the sample through", async () => {
  const { id, hook } = await receive({});
  await arm(id);
  await send("POST", hook, { body: order });
  const { schema } = await captured(id);
  const { issues } = compileBodySchema(schema as JsonObject).check(order, { fromText: false });
  expect(issues).toEqual([]);
});

test("nothing is captured that nobody asked for, nor of webhooks that there are not", async () => {
  const { id } = await receive({});
  expect((await call("GET", pathOf(id))).body).toMatchObject({ status: 404, code: "nothing-captured" });
  expect((await call("POST", pathOf(id, "other"), { body: {} })).body).toMatchObject({ code: "webhook-not-found" });
  expect((await arm(id, { minutes: 0 })).status).toBe(422);
});
