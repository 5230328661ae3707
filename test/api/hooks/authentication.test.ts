import { describe, expect, test } from "vitest";
import { createTestDatabase } from "../../support/database.ts";
import { recordKinds } from "../../support/engine.ts";
import { request, serveGateway, startGateway } from "../gateway.ts";
import { createReceiver, signLikeGitHub } from "./receiver.ts";

const { pool } = await createTestDatabase();
const gateway = await startGateway(pool);
const { call } = gateway;
const { receive, keep, send, deliveries, runs } = createReceiver(gateway);

const secret = "canary-4f8e1c9b7a2d";
await keep("SIGNING", secret);
const signed = await receive({
  authentication: { kind: "github", secret: "SIGNING" },
  dedupe: { header: "x-github-delivery" },
});
const body = '{"zen": "Keep it logically awesome.",  "n": 1.0}';

describe("a webhook with a signature", () => {
  test("starts a run of what was signed, byte by byte", async () => {
    const answer = await send("POST", signed.hook, { raw: body, headers: signLikeGitHub(secret, body) });
    expect(answer.status).toBe(202);
    expect(await runs(signed.id)).toHaveLength(1);
  });

  test("refuses what was not signed so without a word why, starts nothing, and logs the reason", async () => {
    const before = await runs(signed.id);
    const answer = await send("POST", signed.hook, { raw: `${body} `, headers: signLikeGitHub(secret, body) });
    expect(answer.body).toMatchObject({ status: 401, code: "unauthenticated" });
    expect(answer.text).not.toMatch(/signature|hmac|sha256/i);
    expect(await runs(signed.id)).toEqual(before);
    expect((await deliveries(signed.id))[0]).toMatchObject({
      outcome: "refused",
      status: 401,
      reason: { code: "signature-wrong" },
      runId: null,
    });
  });

  test("lets a refused delivery take no dedupe key", async () => {
    const id = { "x-github-delivery": "one" };
    const forged = await send("POST", signed.hook, { raw: body, headers: { ...signLikeGitHub("other", body), ...id } });
    const real = await send("POST", signed.hook, { raw: body, headers: { ...signLikeGitHub(secret, body), ...id } });
    expect([forged.status, real.status, real.body["duplicate"]]).toEqual([401, 202, false]);
  });

  test("takes the value before a rotation as well, until its overlap is over", async () => {
    await keep("ROTATED", "the-first-value");
    const { hook } = await receive({ authentication: { kind: "github", secret: "ROTATED" } });
    const { body: list } = await call("GET", "/api/secrets");
    const { id } = (list["data"] as { id: string; name: string }[]).find(({ name }) => name === "ROTATED")!;
    const status = async (value: string) =>
      (await send("POST", hook, { raw: body, headers: signLikeGitHub(value, body) })).status;
    await call("PUT", `/api/secrets/${id}`, { body: { value: "the-second-value", overlap: "1h" } });
    expect([await status("the-first-value"), await status("the-second-value")]).toEqual([202, 202]);
  });
});

test("a large body is refused before its sender is looked at", async () => {
  const { hook } = await receive({ authentication: { kind: "bearer", secret: "SIGNING" }, maximumBytes: 10 });
  expect((await send("POST", hook, { body: "0123456789" })).status).toBe(413);
  expect((await send("POST", hook, { body: "01234567" })).status).toBe(401);
});

test("a body that does not fit tells a stranger nothing of its structure", async () => {
  const { hook } = await receive({
    authentication: { kind: "bearer", secret: "SIGNING" },
    body: { type: "object", required: ["inner"] },
  });
  const stranger = await send("POST", hook, { body: {} });
  expect([stranger.status, stranger.text.includes("inner")]).toEqual([401, false]);
  const known = await send("POST", hook, { body: {}, headers: { authorization: `Bearer ${secret}` } });
  expect(known.body).toMatchObject({ status: 422, code: "invalid-body" });
});

test("basic tells its scheme, and takes user and secret", async () => {
  const { hook } = await receive({ authentication: { kind: "basic", user: "ada", secret: "SIGNING" } });
  const refused = await send("POST", hook, { body: {} });
  expect([refused.status, refused.headers.get("www-authenticate")]).toEqual([401, expect.stringMatching(/^Basic/)]);
  const credentials = Buffer.from(`ada:${secret}`).toString("base64");
  expect((await send("POST", hook, { body: {}, headers: { authorization: `Basic ${credentials}` } })).status).toBe(202);
});

describe("a list of addresses", () => {
  test("lets through who is in it, and is told by a proxy only where that is trusted", async () => {
    const { hook, id } = await receive({ authentication: { kind: "ip", allowFrom: ["203.0.113.0/24"] } });
    const forwarded = { "x-forwarded-for": "203.0.113.9" };
    expect((await send("POST", hook, { body: {}, headers: forwarded })).status).toBe(401);
    expect((await deliveries(id))[0]).toMatchObject({ reason: { code: "address-not-allowed" }, ip: "127.0.0.1" });
    const behind = await serveGateway(pool, recordKinds, { trustProxy: "loopback" });
    expect((await request(behind, "POST", hook, { body: {}, headers: forwarded })).status).toBe(202);
    expect((await request(behind, "POST", hook, { body: {} })).status).toBe(401);
    expect((await deliveries(id))[1]).toMatchObject({ outcome: "accepted", ip: "203.0.113.9" });
  });
});

test("a webhook cannot be activated with a secret that there is not", async () => {
  const definition = {
    formatVersion: 1,
    key: "misspelt",
    name: "Misspelt",
    triggers: [{ id: "form", kind: "webhook", authentication: { kind: "bearer", secret: "SINGING" } }],
    steps: [],
  };
  const made = await call("POST", "/api/workflows", { body: definition });
  const active = await call("POST", `/api/workflows/${String(made.body["id"])}/activate`);
  const issues = [...((made.body["issues"] ?? active.body["issues"]) as { path: string; message: string }[])];
  expect(issues).toEqual([
    { path: "triggers[0].authentication.secret", message: expect.stringContaining('did you mean "SIGNING"?') },
  ]);
});

describe("what carries credentials", () => {
  test("is in no delivery, no run and no table, in whatever form it came", async () => {
    const forms = [secret, Buffer.from(secret).toString("base64"), encodeURIComponent(secret)];
    const header = await receive({ authentication: { kind: "header", header: "X-Partner-Key", secret: "SIGNING" } });
    const query = await receive({ authentication: { kind: "query", parameter: "key", secret: "SIGNING" } });
    const elsewhere = { "x-note": `see ${forms[1]}`, referer: `https://example.com/?k=${secret}` };
    const sent = [
      await send("POST", header.hook, { body: {}, headers: { "x-partner-key": secret, ...elsewhere } }),
      await send("POST", header.hook, { body: {}, headers: { "x-partner-key": `${secret}x` } }),
      await send("POST", `${query.hook}?key=${secret}&note=${secret}&a=1`, { body: {}, headers: elsewhere }),
    ];
    expect(sent.map(({ status }) => status)).toEqual([202, 401, 202]);
    expect((await deliveries(query.id))[0]).toMatchObject({
      query: { note: "[redacted]", a: "1" },
      headers: { "x-note": expect.stringContaining("see [redacted]") },
    });
    const { rows } = await pool.query<{ text: string }>(
      `select string_agg(t.text, ' ') as text from (
         select d::text || convert_from(d.body, 'UTF8') as text from tandem.deliveries d where d.workflow_id = any($1)
         union all select r::text from tandem.runs r where r.workflow_id = any($1)) t`,
      [[header.id, query.id]],
    );
    for (const form of forms) expect(rows[0]!.text).not.toContain(form);
  });

  test("is not shown with a body that holds it", async () => {
    const { hook, id } = await receive({ authentication: { kind: "bearer", secret: "SIGNING" } });
    await send("POST", hook, { body: { token: secret, a: 1 }, headers: { authorization: `Bearer ${secret}` } });
    expect((await deliveries(id))[0]).toMatchObject({ body: { json: { token: "[redacted]", a: 1 } } });
  });
});
