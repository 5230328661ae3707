import { describe, expect, test } from "vitest";
import { createReplays } from "../../../src/api/hooks/replays.ts";
import type { JsonObject } from "../../../src/json.ts";
import { createLog } from "../../../src/log.ts";
import { claimReplay, commitReplayed } from "../../../src/runs/replays.ts";
import { createTestDatabase } from "../../support/database.ts";
import { recordKinds } from "../../support/engine.ts";
import { until } from "../../support/until.ts";
import { startGateway } from "../gateway.ts";
import { createReceiver, signLikeGitHub } from "./receiver.ts";

const { pool } = await createTestDatabase();
const gateway = await startGateway(pool);
const { call } = gateway;
const { receive, keep, send, deliveries, runs } = createReceiver(gateway);

const replay = (deliveryId: unknown, body: JsonObject = {}) =>
  call("POST", `/api/deliveries/${String(deliveryId)}/replay`, { body });
const replayMany = async (filter: JsonObject): Promise<string> => {
  const { status, body, text } = await call("POST", "/api/deliveries/replay", { body: { filter } });
  if (status !== 202) throw new Error(`Not accepted: ${text}`);
  return String(body["id"]);
};
const finished = (id: string): Promise<JsonObject> =>
  until("the replay is finished", async () => {
    const { body } = await call("GET", `/api/deliveries/replays/${id}`);
    return body["status"] === "running" ? undefined : body;
  });

/** Activates another version of a workflow. */
async function change(id: string, definition: JsonObject): Promise<void> {
  const saved = await call("PUT", `/api/workflows/${id}/draft`, { body: definition });
  const active = await call("POST", `/api/workflows/${id}/activate`);
  if (saved.status !== 200 || active.status !== 200) throw new Error(`${saved.text} ${active.text}`);
}

const definitionOf = async (id: string): Promise<JsonObject> =>
  (await call("GET", `/api/workflows/${id}`)).body["definition"] as JsonObject;

describe("a delivery that is replayed", () => {
  test("starts a new run under the active version, which says what it repeats", async () => {
    const { id, hook } = await receive({ dedupe: { header: "x-id" } });
    const sent = await send("POST", `${hook}?q=1`, { body: { n: 1 }, headers: { "x-id": "1" } });
    await change(id, { ...(await definitionOf(id)), name: "Another version" });
    const { status, body } = await replay(sent.body["deliveryId"]);
    expect(status).toBe(202);
    expect(body).toEqual({ runId: expect.any(String), replayOf: sent.body["deliveryId"] });
    expect(body["runId"]).not.toBe(sent.body["runId"]);
    const [first, second] = await Promise.all(
      [sent.body["runId"], body["runId"]].map(async (runId) => (await call("GET", `/api/runs/${String(runId)}`)).body),
    );
    expect(first!["trigger"]).toMatchObject({ replayOf: null });
    expect(second!["trigger"]).toEqual({ ...(first!["trigger"] as JsonObject), replayOf: sent.body["deliveryId"] });
    expect((await deliveries(id))[0]).toMatchObject({ replays: [{ runId: body["runId"], reason: null }] });
  });

  test("that did not fit starts one once its structure is mended", async () => {
    const { id, hook } = await receive({ body: { type: "object", required: ["email"] } });
    await send("POST", hook, { body: { mail: "a@x.example" } });
    const [{ id: deliveryId } = {}] = await deliveries(id);
    expect((await replay(deliveryId)).body).toMatchObject({ status: 422, code: "invalid-body" });
    const definition = await definitionOf(id);
    await change(id, { ...definition, triggers: [{ id: "form", kind: "webhook" }] });
    expect((await replay(deliveryId)).status).toBe(202);
    expect(await runs(id)).toHaveLength(1);
  });

  test("of an unknown sender is so only by force", async () => {
    await keep("REPLAYED", "canary-replayed");
    const { id, hook } = await receive({ authentication: { kind: "github", secret: "REPLAYED" } });
    await send("POST", hook, { raw: "{}", headers: signLikeGitHub("other", "{}") });
    const [{ id: deliveryId } = {}] = await deliveries(id);
    expect((await replay(deliveryId)).body).toMatchObject({ status: 409, code: "sender-unknown" });
    expect((await replay(deliveryId, { force: true })).status).toBe(202);
  });

  test("of an unknown sender whose body is large is not kept, so that nobody fills the disk with what is refused", async () => {
    await keep("LARGE", "canary-large-body");
    const { id, hook } = await receive({ authentication: { kind: "github", secret: "LARGE" } });
    const raw = JSON.stringify("x".repeat(65_535));
    await send("POST", hook, { raw, headers: signLikeGitHub("other", raw) });
    const [{ id: deliveryId, bodyBytes } = {}] = await deliveries(id);
    expect(bodyBytes).toBe(raw.length);
    expect((await replay(deliveryId, { force: true })).body).toMatchObject({ status: 409, code: "body-not-kept" });
    await send("POST", hook, { raw, headers: signLikeGitHub("canary-large-body", raw) });
    const [known] = await deliveries(id);
    expect((await replay(known?.["id"])).status).toBe(202);
  });

  test("of a GET starts one of its query", async () => {
    const { id, hook } = await receive({ method: "GET" });
    const sent = await send("GET", `${hook}?a=1`);
    await replay(sent.body["deliveryId"]);
    const { rows } = await pool.query("select trigger -> 'body' as body from tandem.runs where workflow_id = $1", [id]);
    expect(rows).toEqual([{ body: { a: "1" } }, { body: { a: "1" } }]);
  });

  test.each<[string, () => Promise<unknown>, string]>([
    [
      "was too large",
      async () => {
        const { id, hook } = await receive({ maximumBytes: 10 });
        await send("POST", hook, { body: "x".repeat(10) });
        return (await deliveries(id))[0]!["id"];
      },
      "body-not-kept",
    ],
    [
      "was a challenge",
      async () => {
        const { id, hook } = await receive({ challenge: { kind: "echo" } });
        await send("POST", `${hook}?validationToken=x`);
        return (await deliveries(id))[0]!["id"];
      },
      "nothing-to-replay",
    ],
    [
      "came to a workflow that is not active any more",
      async () => {
        const { id, hook } = await receive({});
        const { body } = await send("POST", hook, { body: {} });
        await call("POST", `/api/workflows/${id}/deactivate`);
        return body["deliveryId"];
      },
      "workflow-inactive",
    ],
  ])("that %s starts nothing", async (_what, deliver, code) => {
    expect((await replay(await deliver())).body).toMatchObject({ status: 409, code });
  });
});

describe("many deliveries that are replayed", () => {
  /** As many deliveries of a webhook as are wanted, of which every tenth does not fit. */
  async function received(count: number): Promise<string> {
    const { id, hook } = await receive({ body: { type: "object", required: ["n"] } });
    await send("POST", hook, { body: { n: 0 } });
    // Copies, so that hundreds take no time; times lie in ids.
    await pool.query(
      `insert into tandem.deliveries (id, workspace_id, workflow_id, trigger_id, outcome, status, method, headers, query, body, body_bytes)
       select overlay(d.id::text placing lpad(to_hex(n), 4, '0') from 20 for 4)::uuid, d.workspace_id, d.workflow_id, d.trigger_id,
         d.outcome, d.status, d.method, d.headers, d.query,
         convert_to(case when n % 10 = 0 then '{}' else format('{"n":%s}', n) end, 'UTF8'), 10
       from tandem.deliveries d, generate_series(1, $2::integer - 1) n where d.workflow_id = $1`,
      [id, count],
    );
    return id;
  }

  test("each start one run, oldest first; those that do not fit are told", async () => {
    const workflowId = await received(500);
    const done = await finished(await replayMany({ workflowId, outcome: "accepted" }));
    expect(done).toMatchObject({ status: "finished", total: 500, started: 451, refused: 49 });
    expect((done["refusals"] as JsonObject[])[0]).toMatchObject({ reason: { code: "invalid-body" } });
    const { rows } = await pool.query<{ count: number; of: number }>(
      "select count(*)::integer as count, count(distinct trigger ->> 'replayOf')::integer as of from tandem.runs where workflow_id = $1 and trigger ->> 'replayOf' is not null",
      [workflowId],
    );
    expect(rows).toEqual([{ count: 451, of: 451 }]);
  });

  test("start one run each, whichever gateway dies in the middle", async () => {
    const workflowId = await received(300);
    const log = createLog("test", "fatal");
    const workers = Array.from({ length: 3 }, () => createReplays({ pool, kinds: recordKinds, log }));
    for (const worker of workers) worker.start();
    const id = await replayMany({ workflowId });
    // Whoever has it loses its claim again and again, as if it had died: another goes on beside it.
    const robbing = setInterval(() => {
      void pool.query("update tandem.replays set claimed_until = null where id = $1", [id]);
      for (const worker of workers) worker.ring();
    }, 5);
    const done = await finished(id);
    clearInterval(robbing);
    await Promise.all(workers.map((worker) => worker.stop()));
    expect(done).toMatchObject({ started: 271, refused: 29 });
    const { rows } = await pool.query<{ count: number; of: number }>(
      "select count(*)::integer as count, count(distinct trigger ->> 'replayOf')::integer as of from tandem.runs where workflow_id = $1 and trigger ->> 'replayOf' is not null",
      [workflowId],
    );
    expect(rows).toEqual([{ count: 271, of: 271 }]);
  });

  test("of a workflow that cannot be started are told so, and keep no other replay waiting", async () => {
    const [broken, sound] = [await received(3), await received(3)];
    await pool.query(
      `update tandem.triggers set settings = settings || '{"method": "NONE"}', revision = nextval('tandem.trigger_revision')
       where workflow_id = $1`,
      [broken],
    );
    const [first, second] = [await replayMany({ workflowId: broken }), await replayMany({ workflowId: sound })];
    expect(await finished(second)).toMatchObject({ started: 3 });
    const told = await finished(first);
    expect(told).toMatchObject({ started: 0, refused: 3 });
    expect((told["refusals"] as JsonObject[])[0]).toMatchObject({ reason: { code: "cannot-start" } });
  });

  test("are those that had come by then", async () => {
    const { id: workflowId, hook } = await receive({});
    await send("POST", hook, { body: {} });
    const first = await finished(await replayMany({ workflowId }));
    await send("POST", hook, { body: {} });
    expect(first).toMatchObject({ total: 1, started: 1 });
    const none = await finished(await replayMany({ workflowId, reason: "invalid-body" }));
    expect(none).toMatchObject({ status: "finished", total: 0, started: 0 });
  });

  test("stop where they are when that is wanted", async () => {
    const workflowId = await received(10);
    const id = await replayMany({ workflowId });
    await finished(id);
    expect((await call("POST", `/api/deliveries/replays/${id}/cancel`)).body).toMatchObject({
      code: "replay-finished",
    });
    await pool.query("update tandem.replays set status = 'running', claimed_until = null where id = $1", [id]);
    const claimed = await claimReplay(pool);
    expect((await call("POST", `/api/deliveries/replays/${id}/cancel`)).body).toMatchObject({ status: "cancelled" });
    expect(await commitReplayed(pool, claimed!, [])).toBe(false);
  });

  test("are of one workflow, and one's own", async () => {
    expect((await call("POST", "/api/deliveries/replay", { body: { filter: {} } })).body).toMatchObject({
      status: 422,
      issues: [{ path: "filter.workflowId", message: "is required" }],
    });
    const unknown = { workflowId: gateway.workspaceId, outcome: "refused" };
    expect((await call("POST", "/api/deliveries/replay", { body: { filter: unknown } })).body).toMatchObject({
      status: 404,
      code: "workflow-not-found",
    });
    expect((await call("GET", `/api/deliveries/replays/${gateway.workspaceId}`)).status).toBe(404);
  });
});
