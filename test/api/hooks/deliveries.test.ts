import { describe, expect, test } from "vitest";
import { createTestDatabase } from "../../support/database.ts";
import { startGateway } from "../gateway.ts";
import { createReceiver } from "./receiver.ts";

const { pool } = await createTestDatabase();
const gateway = await startGateway(pool);
const { call } = gateway;
const { receive, send, deliveries } = createReceiver(gateway);

const ids = async (query: string): Promise<unknown[]> =>
  ((await call("GET", `/api/deliveries?${query}`)).body["data"] as { id: string }[]).map(({ id }) => id);

describe("the list of deliveries", () => {
  test("is narrowed by workflow, trigger, outcome, reason, run and time", async () => {
    const { id: workflowId, hook: path } = await receive({ body: { type: "object" }, dedupe: { header: "x-id" } });
    const started = new Date();
    const first = await send("POST", path, { body: {}, headers: { "x-id": "1" } });
    const again = await send("POST", path, { body: {}, headers: { "x-id": "1" } });
    await send("POST", path, { body: [] });
    const [refused] = await deliveries(workflowId);
    const of = `workflowId=${workflowId}`;
    expect(await ids(of)).toEqual([refused!["id"], again.body["deliveryId"], first.body["deliveryId"]]);
    expect(await ids(`${of}&triggerId=form`)).toHaveLength(3);
    expect(await ids(`${of}&triggerId=other`)).toEqual([]);
    expect(await ids(`${of}&outcome=accepted`)).toEqual([first.body["deliveryId"]]);
    expect(await ids(`${of}&reason=invalid-body`)).toEqual([refused!["id"]]);
    expect(await ids(`runId=${String(first.body["runId"])}`)).toEqual([
      again.body["deliveryId"],
      first.body["deliveryId"],
    ]);
    expect(await ids(`${of}&from=${started.toISOString()}`)).toHaveLength(3);
    expect(await ids(`${of}&to=${started.toISOString()}`)).toEqual([]);
    expect((await call("GET", "/api/deliveries?outcome=lost")).status).toBe(400);
  });

  test("goes on page by page under its filter", async () => {
    const { id: workflowId, hook: path } = await receive({});
    for (let n = 0; n < 5; n++) await send("POST", path, { body: { n } });
    const list = `/api/deliveries?workflowId=${workflowId}&limit=3`;
    const page = await call("GET", list);
    const next = await call("GET", `${list}&cursor=${String(page.body["nextCursor"])}`);
    expect([page.body["data"], next.body["data"]]).toMatchObject([{ length: 3 }, { length: 2 }]);
    expect(next.body["nextCursor"]).toBeNull();
  });
});

const { id, hook } = await receive({ maximumBytes: 1_000 });

describe("a delivery", () => {
  const newest = async () => (await deliveries(id))[0]!;

  test("is shown with headers, query, address and its body as JSON", async () => {
    await send("POST", `${hook}?a=1`, { body: { b: [1] }, headers: { "x-source": "site" } });
    expect(await newest()).toMatchObject({
      outcome: "accepted",
      method: "POST",
      ip: "127.0.0.1",
      query: { a: "1" },
      headers: { "x-source": "site", "content-type": "application/json" },
      body: { json: { b: [1] } },
      bodyBytes: 9,
      replays: [],
    });
  });

  test("has the fields of a form", async () => {
    await send("POST", hook, { raw: new URLSearchParams({ a: "ä" }) });
    expect((await newest())["body"]).toEqual({ json: { a: "ä" } });
  });

  test("has text where it is no JSON, and base64 where it is no text", async () => {
    await send("POST", hook, { raw: "<a/>", headers: { "content-type": "application/xml" } });
    expect((await newest())["body"]).toEqual({ text: "<a/>" });
    await send("POST", hook, { raw: new Uint8Array([0xff, 0x00]), headers: { "content-type": "application/json" } });
    expect((await newest())["body"]).toEqual({ base64: "/wA=" });
  });

  test("has no body that was not read to its end", async () => {
    await send("POST", hook, { body: "x".repeat(1_000) });
    expect(await newest()).toMatchObject({ status: 413, body: null, bodyBytes: 1_002 });
  });

  test("that there is not is 404", async () => {
    expect((await call("GET", `/api/deliveries/${id}`)).body).toMatchObject({ code: "delivery-not-found" });
  });
});
