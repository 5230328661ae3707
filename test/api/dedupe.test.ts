import { describe, expect, test } from "vitest";
import { createTestDatabase } from "../support/database.ts";
import { hookDefinition, startGateway } from "./gateway.ts";

const { pool } = await createTestDatabase();
const { call, install } = await startGateway(pool);
const byHeader = await install(hookDefinition("by-header", { dedupe: { header: "X-Event-Id" } }));
const byPath = await install(
  hookDefinition("by-path", { dedupe: { path: "event.id" }, body: { type: "object", required: ["email"] } }),
);

const withHeader = (key: string, body = {}) =>
  call("POST", byHeader.hook, { key: null, body, headers: { "x-event-id": key } });
const withPath = (id: unknown, rest = {}) =>
  call("POST", byPath.hook, {
    key: null,
    body: JSON.parse(JSON.stringify({ event: { id }, email: "a@x.example", ...rest })),
  });

/** As if the keys had been taken so many days ago. */
async function ageKeys(days: number): Promise<void> {
  await pool.query("update tandem.webhook_keys set created_at = now() - make_interval(hours => $1)", [
    Math.round(days * 24),
  ]);
}

describe("a delivery with a key that was seen", () => {
  test("is answered with the first run and duplicate true, whatever its body says, and is kept", async () => {
    const first = await withHeader("one", { a: 1 });
    const again = await withHeader("one", { a: 2 });
    expect([first.body["duplicate"], again.status, again.body["duplicate"]]).toEqual([false, 202, true]);
    expect(again.body["runId"]).toBe(first.body["runId"]);
    expect(again.body["deliveryId"]).not.toBe(first.body["deliveryId"]);
    const { body } = await call("GET", `/api/deliveries?workflowId=${byHeader.id}&outcome=duplicate`);
    expect(body["data"]).toEqual([
      expect.objectContaining({
        id: again.body["deliveryId"],
        runId: first.body["runId"],
        dedupeKey: "one",
        status: 202,
      }),
    ]);
  });

  test("may name it in the body, as text or as a number of any size", async () => {
    const first = await withPath("1234567890123456789");
    const raw = '{"event":{"id":1234567890123456789},"email":"a@x.example"}';
    const again = await call("POST", byPath.hook, { key: null, raw, headers: { "content-type": "application/json" } });
    expect(again.body).toMatchObject({ runId: first.body["runId"], duplicate: true });
  });

  test("starts one run when fifty arrive at the same moment", async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, () => withHeader("burst")));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
    expect(new Set(answers.map(({ body }) => body["runId"])).size).toBe(1);
    expect(answers.filter(({ body }) => body["duplicate"] === false)).toHaveLength(1);
    expect(new Set(answers.map(({ body }) => body["deliveryId"])).size).toBe(50);
  });

  test("is a repeat for seven days, then starts one new run, however many arrive", async () => {
    const first = await withHeader("old");
    await ageKeys(6.9);
    expect((await withHeader("old")).body).toMatchObject({ runId: first.body["runId"], duplicate: true });
    await ageKeys(7.1);
    const later = await Promise.all(Array.from({ length: 20 }, () => withHeader("old")));
    const runs = new Set(later.map(({ body }) => body["runId"]));
    expect(runs.size).toBe(1);
    expect(runs).not.toContain(first.body["runId"]);
    expect(later.filter(({ body }) => body["duplicate"] === false)).toHaveLength(1);
  });

  test("is another's in another workflow", async () => {
    const [one, other] = [await withHeader("shared"), await withPath("shared")];
    expect(other.body["duplicate"]).toBe(false);
    expect(other.body["runId"]).not.toBe(one.body["runId"]);
  });
});

test("deliveries without a key are never repeats", async () => {
  const answers = [await withHeader(""), await withHeader(""), await withPath(null), await withPath(null)];
  expect(answers.map(({ body }) => body["duplicate"])).toEqual([false, false, false, false]);
  expect(new Set(answers.map(({ body }) => body["runId"])).size).toBe(4);
});

test("a refused delivery does not take the key", async () => {
  expect((await withPath("late", { email: undefined })).status).toBe(422);
  const corrected = await withPath("late");
  expect([corrected.status, corrected.body["duplicate"]]).toEqual([202, false]);
});
