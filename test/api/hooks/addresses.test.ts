import { describe, expect, test } from "vitest";
import { createTestDatabase } from "../../support/database.ts";
import { startGateway } from "../gateway.ts";
import { createReceiver } from "./receiver.ts";

const { pool } = await createTestDatabase();
const gateway = await startGateway(pool);
const { call } = gateway;
const { receive, send } = createReceiver(gateway);

const rotate = (id: string, body: { overlap?: string } = {}) =>
  call("POST", `/api/workflows/${id}/webhooks/form/rotate`, { body });
const pathOf = (url: unknown): string => new URL(String(url)).pathname;
const status = async (hook: string) => (await send("POST", hook, { body: {} })).status;

describe("a webhook's new address", () => {
  test("is taken beside the one before, until the overlap is over", async () => {
    const { id, hook } = await receive({});
    const { status: rotated, body } = await rotate(id, { overlap: "1h" });
    const next = pathOf(body["url"]);
    expect(rotated).toBe(200);
    expect(next).not.toBe(hook);
    expect(Date.parse(String(body["previousExpiresAt"])) - Date.now()).toBeGreaterThan(3_500_000);
    expect([await status(hook), await status(next)]).toEqual([202, 202]);
    await pool.query(
      "update tandem.webhooks set expires_at = now() where workflow_id = $1 and expires_at is not null",
      [id],
    );
    expect([await status(hook), await status(next)]).toEqual([404, 202]);
  });

  test("is the one that the workflow shows, also after it is activated again", async () => {
    const { id } = await receive({});
    const { body } = await rotate(id);
    await call("POST", `/api/workflows/${id}/deactivate`);
    await call("POST", `/api/workflows/${id}/activate`);
    const shown = await call("GET", `/api/workflows/${id}`);
    expect(shown.body["triggers"]).toMatchObject([{ id: "form", url: body["url"] }]);
  });

  test("ends all others at once where no overlap is wanted", async () => {
    const { id, hook } = await receive({});
    const second = pathOf((await rotate(id)).body["url"]);
    const { body } = await rotate(id, { overlap: "0s" });
    expect(body["previousExpiresAt"]).toBeNull();
    expect([await status(hook), await status(second), await status(pathOf(body["url"]))]).toEqual([404, 404, 202]);
  });

  test("is one for each of many rotations at once", async () => {
    const { id } = await receive({});
    const rotated = await Promise.all(Array.from({ length: 5 }, () => rotate(id)));
    const paths = rotated.map(({ body }) => pathOf(body["url"]));
    expect(new Set(paths).size).toBe(5);
    expect(await Promise.all(paths.map(status))).toEqual([202, 202, 202, 202, 202]);
  });

  test("is refused while too many older ones are taken", async () => {
    const { id } = await receive({});
    const statuses: number[] = [];
    for (let n = 0; n < 12; n++) statuses.push((await rotate(id)).status);
    expect(statuses).toEqual([...Array.from({ length: 10 }, () => 200), 409, 409]);
    expect((await rotate(id, { overlap: "0s" })).status).toBe(200);
  });

  test("is for webhooks that there are", async () => {
    const { id } = await receive({});
    expect((await call("POST", `/api/workflows/${id}/webhooks/other/rotate`, { body: {} })).body).toMatchObject({
      status: 404,
      code: "webhook-not-found",
    });
    expect((await rotate(id, { overlap: "31d" })).status).toBe(422);
  });
});
