import { describe, expect, test } from "vitest";
import { createTestDatabase } from "../../support/database.ts";
import { startGateway } from "../gateway.ts";
import { createReceiver } from "./receiver.ts";

const { pool } = await createTestDatabase();
const { receive, send, deliveries } = createReceiver(await startGateway(pool));

const page = "https://shop.example";
const asking = (origin: string) => ({
  headers: {
    origin,
    "access-control-request-method": "POST",
    "access-control-request-headers": "content-type,x-form-id",
  },
});

describe("a webhook that pages may post to", () => {
  test("tells their browsers so, and keeps no delivery of the question", async () => {
    const { hook, id } = await receive({ cors: { origins: [page] } });
    const { status, headers } = await send("OPTIONS", hook, asking(page));
    expect(status).toBe(204);
    expect(headers.get("access-control-allow-origin")).toBe(page);
    expect(headers.get("access-control-allow-methods")).toBe("POST");
    expect(headers.get("access-control-allow-headers")).toBe("content-type,x-form-id");
    expect(headers.get("vary")).toMatch(/origin/i);
    expect(await deliveries(id)).toEqual([]);
  });

  test("lets them read every answer, refusals too", async () => {
    const { hook } = await receive({ cors: { origins: [page] }, body: { type: "object" } });
    for (const [body, status] of [
      [{}, 202],
      [[], 422],
    ] as const) {
      const answer = await send("POST", hook, { body: body as never, headers: { origin: page } });
      expect([answer.status, answer.headers.get("access-control-allow-origin")]).toEqual([status, page]);
    }
  });

  test("tells other pages that they are none of them", async () => {
    const { hook } = await receive({ cors: { origins: [page] } });
    expect((await send("OPTIONS", hook, asking("https://evil.example"))).body).toMatchObject({
      status: 403,
      code: "origin-not-allowed",
    });
    const answer = await send("POST", hook, { body: {}, headers: { origin: `${page}.evil.example` } });
    expect(answer.headers.get("access-control-allow-origin")).toBeNull();
  });

  test("may be for all pages", async () => {
    const { hook } = await receive({ cors: { origins: ["*"] } });
    const { status, headers } = await send("OPTIONS", hook, asking("null"));
    expect([status, headers.get("access-control-allow-origin")]).toEqual([204, "*"]);
  });
});

test("without cors, a preflight is a method like any other", async () => {
  const { hook } = await receive({});
  expect((await send("OPTIONS", hook, asking(page))).status).toBe(405);
});

test("a form posts as browsers do, and is led to a page", async () => {
  const { hook } = await receive(
    {
      body: { type: "object", required: ["email"], properties: { seats: { type: "integer" } } },
      answer: { status: 303, headers: { location: "{{ settings.thanks }}" } },
    },
    { settings: { thanks: { type: "url", default: "https://shop.example/thanks" } } },
  );
  const answer = await send("POST", hook, { raw: new URLSearchParams({ email: "a@x.example", seats: "2" }) });
  expect([answer.status, answer.headers.get("location")]).toEqual([303, "https://shop.example/thanks"]);
});

describe("a webhook's own size limit", () => {
  const json = { "content-type": "application/json" };
  const ofSize = (bytes: number): string => `{"a":"${"x".repeat(bytes - 8)}"}`;

  test("may be up to 10 MiB", async () => {
    const { hook, id } = await receive({ maximumBytes: 10 * 1024 * 1024 });
    expect((await send("POST", hook, { raw: ofSize(10 * 1024 * 1024), headers: json })).status).toBe(202);
    expect((await send("POST", hook, { raw: ofSize(10 * 1024 * 1024 + 1), headers: json })).status).toBe(413);
    expect((await deliveries(id))[0]).toMatchObject({ status: 413, body: null, bodyBytes: 10 * 1024 * 1024 + 1 });
  });

  test("may be less than usual", async () => {
    const { hook } = await receive({ maximumBytes: 100 });
    expect((await send("POST", hook, { raw: ofSize(100), headers: json })).status).toBe(202);
    expect((await send("POST", hook, { raw: ofSize(101), headers: json })).status).toBe(413);
  });
});
