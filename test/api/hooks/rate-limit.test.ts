import { describe, expect, test } from "vitest";
import { takeFromRate } from "../../../src/runs/webhook-rates.ts";
import { createTestDatabase } from "../../support/database.ts";
import { recordKinds } from "../../support/engine.ts";
import { request, serveGateway, startGateway } from "../gateway.ts";
import { createReceiver } from "./receiver.ts";

const { pool } = await createTestDatabase();
const gateway = await startGateway(pool);
const { receive, send, deliveries, runs, keep } = createReceiver(gateway);

/** As if what was taken had been taken so long ago. */
async function age(workflowId: string, ms: number): Promise<void> {
  await pool.query(
    `update tandem.webhook_rates set hits = (select jsonb_object_agg(k::bigint - ceil($2::float8 * 20 / window_ms)::bigint, v)
       from jsonb_each(hits) h(k, v)) where workflow_id = $1`,
    [workflowId, ms],
  );
}

describe("a webhook with a rate limit", () => {
  test("takes so many, then answers 429 with when to come again, and logs it", async () => {
    const { hook, id } = await receive({ rateLimit: { requests: 3, per: "1h" } });
    const answers = [];
    for (let n = 0; n < 5; n++) answers.push(await send("POST", hook, { body: { n } }));
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202, 429, 429]);
    expect(answers[4]!.body).toMatchObject({ code: "too-many-requests" });
    const after = Number(answers[4]!.headers.get("retry-after"));
    expect(after).toBeGreaterThan(3_500);
    expect(after).toBeLessThanOrEqual(3_600 * 1.05);
    expect(await runs(id)).toHaveLength(3);
    expect((await deliveries(id))[0]).toMatchObject({ outcome: "refused", status: 429, body: { json: { n: 4 } } });
  });

  test("takes as many again when their time has passed, and not before", async () => {
    const { hook, id } = await receive({ rateLimit: { requests: 2, per: "1h" } });
    const statuses = async () => [
      (await send("POST", hook, { body: {} })).status,
      (await send("POST", hook, { body: {} })).status,
    ];
    expect(await statuses()).toEqual([202, 202]);
    await age(id, 3_500_000);
    expect(await statuses()).toEqual([429, 429]);
    await age(id, 300_000);
    expect(await statuses()).toEqual([202, 202]);
  });

  test("counts across several gateways, and lets no more through at once", async () => {
    const { hook } = await receive({ rateLimit: { requests: 20, per: "1h" } });
    const gateways = [gateway.url, await serveGateway(pool, recordKinds), await serveGateway(pool, recordKinds)];
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, n) => request(gateways[n % 3]!, "POST", hook, { body: { n } })),
    );
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(20);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(40);
  });

  test("counts nothing of who may not send, and all of who may, also what does not fit", async () => {
    await keep("LIMITED", "a-limited-secret");
    const { hook } = await receive({
      authentication: { kind: "bearer", secret: "LIMITED" },
      rateLimit: { requests: 1, per: "1h" },
      body: { type: "object" },
    });
    const headers = { authorization: "Bearer a-limited-secret" };
    expect((await send("POST", hook, { body: {} })).status).toBe(401);
    expect((await send("POST", hook, { body: [], headers })).status).toBe(422);
    expect((await send("POST", hook, { body: {}, headers })).status).toBe(429);
  });

  test("counts anew when its window is another", async () => {
    const { id } = await receive({});
    const of = { workflowId: id, triggerId: "form" };
    expect(await takeFromRate(pool, of, { requests: 1, windowMs: 60_000 })).toBeUndefined();
    expect(await takeFromRate(pool, of, { requests: 1, windowMs: 60_000 })).toBeGreaterThan(0);
    expect(await takeFromRate(pool, of, { requests: 1, windowMs: 3_600_000 })).toBeUndefined();
  });
});

test("a webhook without one counts nothing", async () => {
  const { hook, id } = await receive({});
  await send("POST", hook, { body: {} });
  const { rows } = await pool.query("select 1 from tandem.webhook_rates where workflow_id = $1", [id]);
  expect(rows).toEqual([]);
});
