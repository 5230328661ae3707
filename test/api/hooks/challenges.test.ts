import { describe, expect, test } from "vitest";
import { createTestDatabase } from "../../support/database.ts";
import { startGateway } from "../gateway.ts";
import { createReceiver, signLikeSlack } from "./receiver.ts";

const { pool } = await createTestDatabase();
const { receive, keep, send, deliveries, runs } = createReceiver(await startGateway(pool));

const secret = "canary-slack-77aa";
const token = "canary-verify-31bc";
await keep("SLACK", secret);
await keep("VERIFY", token);

describe("Slack's url_verification", () => {
  const body = JSON.stringify({ type: "url_verification", token: "x", challenge: "3eZbrw1aBm2rZgRNFdxV2595E9CY" });

  test("is answered with its challenge once its signature is right, and starts nothing", async () => {
    const { hook, id } = await receive({
      authentication: { kind: "slack", secret: "SLACK" },
      challenge: { kind: "slack" },
      body: { type: "object", required: ["event"] },
    });
    const answer = await send("POST", hook, { raw: body, headers: signLikeSlack(secret, body) });
    expect([answer.status, answer.text, answer.headers.get("content-type")]).toEqual([
      200,
      "3eZbrw1aBm2rZgRNFdxV2595E9CY",
      "text/plain; charset=utf-8",
    ]);
    expect((await send("POST", hook, { raw: body, headers: signLikeSlack("other", body) })).status).toBe(401);
    expect(await runs(id)).toEqual([]);
    expect((await deliveries(id)).map(({ outcome }) => outcome)).toEqual(["refused", "answered"]);
  });

  test("is data like any other where the webhook does not say so", async () => {
    const { hook, id } = await receive({});
    expect((await send("POST", hook, { raw: body })).status).toBe(415);
    expect((await send("POST", hook, { body: JSON.parse(body) as never })).status).toBe(202);
    expect(await runs(id)).toHaveLength(1);
  });
});

describe("a handshake with a verify token", () => {
  const handshake = (shown: string): string => `?hub.mode=subscribe&hub.verify_token=${shown}&hub.challenge=1158201444`;

  test("is answered where the token is right, and the log does not have the token", async () => {
    const { hook, id } = await receive({ challenge: { kind: "verify-token", secret: "VERIFY" } });
    const answer = await send("GET", `${hook}${handshake(token)}`);
    expect([answer.status, answer.text]).toEqual([200, "1158201444"]);
    expect((await send("GET", `${hook}${handshake("other")}`)).body).toMatchObject({ status: 401 });
    const unsubscribe = handshake(token).replace("=subscribe", "=unsubscribe");
    expect((await send("GET", `${hook}${unsubscribe}`)).status).toBe(401);
    const log = await deliveries(id);
    expect(log.map(({ outcome }) => outcome)).toEqual(["refused", "refused", "answered"]);
    expect(JSON.stringify(log)).not.toContain(token);
    expect(log[1]).toMatchObject({ reason: { code: "verify-token-wrong" } });
    expect(await runs(id)).toEqual([]);
  });

  test("may name its parameters otherwise", async () => {
    const { hook } = await receive({
      challenge: { kind: "verify-token", secret: "VERIFY", token: "secret", challenge: "echo", mode: null },
    });
    expect((await send("GET", `${hook}?secret=${token}&echo=abc`)).text).toBe("abc");
  });

  test("leaves other requests to the webhook", async () => {
    const { hook } = await receive({ challenge: { kind: "verify-token", secret: "VERIFY" } });
    expect((await send("GET", hook)).status).toBe(405);
    expect((await send("POST", `${hook}${handshake(token)}`, { body: {} })).status).toBe(202);
  });
});

describe("a text to be echoed", () => {
  test("is given back as text, before anything is signed", async () => {
    const { hook, id } = await receive({
      authentication: { kind: "bearer", secret: "VERIFY" },
      challenge: { kind: "echo", parameter: "validationToken" },
    });
    const answer = await send("POST", `${hook}?validationToken=Validation%3A+%3Cb%3E`);
    expect([answer.status, answer.text]).toEqual([200, "Validation: <b>"]);
    expect(answer.headers.get("content-type")).toBe("text/plain; charset=utf-8");
    expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
    expect((await send("POST", hook, { body: {} })).status).toBe(401);
    expect(await runs(id)).toEqual([]);
  });

  test("is none past 2,048 characters", async () => {
    const { hook } = await receive({ challenge: { kind: "echo" } });
    const echo = async (length: number) => (await send("GET", `${hook}?validationToken=${"x".repeat(length)}`)).status;
    expect([await echo(2_048), await echo(2_049)]).toEqual([200, 405]);
  });
});

describe("a GET webhook", () => {
  test("starts a run with its query as data, made the types that are declared", async () => {
    const { hook, id } = await receive({
      method: "GET",
      body: {
        type: "object",
        required: ["email"],
        properties: { email: { type: "string" }, seats: { type: "integer" } },
      },
    });
    expect((await send("GET", `${hook}?email=a%40x.example&seats=3`)).status).toBe(202);
    expect((await send("GET", `${hook}?seats=3`)).body).toMatchObject({ status: 422, code: "invalid-body" });
    const { rows } = await pool.query("select trigger from tandem.runs where workflow_id = $1", [id]);
    expect(rows).toMatchObject([
      {
        trigger: {
          method: "GET",
          body: { email: "a@x.example", seats: 3 },
          query: { email: "a@x.example", seats: "3" },
        },
      },
    ]);
  });

  test("tells HEAD what GET would come to, and starts nothing for it", async () => {
    const { hook, id } = await receive({ method: "GET", body: { type: "object", required: ["a"] } });
    expect((await send("HEAD", `${hook}?b=1`)).status).toBe(422);
    expect((await send("HEAD", `${hook}?a=1`)).status).toBe(200);
    expect(await runs(id)).toEqual([]);
    expect(await deliveries(id)).toMatchObject([{ outcome: "answered", method: "HEAD" }, { status: 422 }]);
  });
});

test("a HEAD webhook starts runs", async () => {
  const { hook, id } = await receive({ method: "HEAD" });
  expect((await send("HEAD", `${hook}?a=1`)).status).toBe(202);
  expect((await send("GET", `${hook}?a=1`)).status).toBe(405);
  expect(await runs(id)).toHaveLength(1);
});
