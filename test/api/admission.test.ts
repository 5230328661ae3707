import { expect, test } from "vitest";
import type { Json, JsonObject } from "../../src/json.ts";
import { createTestDatabase } from "../support/database.ts";
import { definitionOf, recordKinds, startTestEngine } from "../support/engine.ts";
import { createAskKind, createCallKind, createOutside, fails, hangs, says } from "../support/test-kinds.ts";
import { until } from "../support/until.ts";
import { startGateway } from "./gateway.ts";

const outside = createOutside({ slow: [hangs], later: [fails("busy", true), says("later")] });
const kinds = { ...recordKinds, call: createCallKind(outside), "ask-test": createAskKind(outside) };
const { pool } = await createTestDatabase();
const engine = await startTestEngine(pool, { kinds });
const { call, install, strangerKey } = await startGateway(pool, { kinds, workspaceId: engine.workspace.id });

const quick: Json[] = [{ id: "answer", kind: "set", input: { x: 1 } }];
const slow: Json[] = [{ id: "call", kind: "call", input: { name: "slow" } }];

async function start(hook: string, body: Json = {}): Promise<string> {
  const answer = await call("POST", hook, { key: null, body });
  expect(answer.status).toBe(202);
  engine.ring();
  return String(answer.body["runId"]);
}

async function statusOf(runId: string): Promise<JsonObject> {
  const { status, error } = (await call("GET", `/api/runs/${runId}`)).body;
  return { status: status ?? null, error: error ?? null };
}

async function untilStatus(runId: string, status: string): Promise<void> {
  await until(`run ${runId} to be ${status}`, async () => (await statusOf(runId))["status"] === status);
}

async function cancelAll(...runIds: string[]): Promise<void> {
  for (const runId of runIds) await call("POST", `/api/runs/${runId}/cancel`);
  engine.ring();
  for (const runId of runIds) await engine.finished(runId);
}

async function queueOf(workflowId: string): Promise<JsonObject | undefined> {
  const { workflows } = (await call("GET", "/api/admission")).body;
  return (workflows as JsonObject[]).find((queue) => queue["workflowId"] === workflowId);
}

test("a paused workflow's webhooks answer 202, its runs wait, and they go in their order when it is resumed", async () => {
  const { id, hook } = await install(definitionOf("pausing", quick));
  const paused = await call("POST", `/api/workflows/${id}/pause`, { body: { note: "Billing moves house" } });
  expect(paused).toMatchObject({ status: 200, body: { paused: { note: "Billing moves house" }, queued: 0 } });
  const waiting = [await start(hook), await start(hook)];
  // Another workflow's run that came later goes: the dispatcher has looked.
  const other = await install(definitionOf("not-paused", quick));
  await engine.finished(await start(other.hook));
  expect(await queueOf(id)).toMatchObject({ queued: 2, ready: 2, held: 0, paused: { note: "Billing moves house" } });
  for (const runId of waiting) expect(await statusOf(runId)).toMatchObject({ status: "queued" });
  expect((await call("GET", `/api/workflows/${id}`)).body).toMatchObject({
    status: "active",
    paused: { since: expect.any(String), note: "Billing moves house" },
  });
  expect((await call("GET", "/metrics", { key: null })).text).toMatch(/tandem_queue_runs\{state="paused"\} 2/);

  expect(await call("POST", `/api/workflows/${id}/resume`)).toMatchObject({ status: 200, body: { paused: null } });
  engine.ring();
  for (const runId of waiting) expect(await engine.finished(runId)).toMatchObject({ status: "completed" });
  expect(await queueOf(id)).toBeUndefined();
});

test("a run that has a slot goes on when its workflow is paused; one whose wait ends meanwhile stays where it is", async () => {
  const running = await install(definitionOf("paused-running", slow));
  const runId = await start(running.hook);
  await untilStatus(runId, "running");
  await call("POST", `/api/workflows/${running.id}/pause`);
  expect(await queueOf(running.id)).toMatchObject({ held: 1, runIds: [runId], paused: { note: null } });
  expect(await statusOf(runId)).toMatchObject({ status: "running" });
  await cancelAll(runId);
  expect(await queueOf(running.id)).toMatchObject({ held: 0, runIds: [] });

  const retry = { maximumAttempts: 2, initialInterval: "1m" };
  const waits = await install(
    definitionOf("paused-waiting", [{ id: "ask", kind: "ask-test", retry, input: { name: "later" } }]),
  );
  const waiting = await start(waits.hook);
  await untilStatus(waiting, "waiting");
  await call("POST", `/api/workflows/${waits.id}/pause`, { body: {} });
  await pool.query("update tandem.runs set due_at = now() - interval '3 seconds' where id = $1", [waiting]);
  await engine.finished(await start((await install(definitionOf("passes-by", quick))).hook));
  const queue = await queueOf(waits.id);
  expect(queue).toMatchObject({ waiting: 1, due: 1, held: 0 });
  expect(queue?.["oldestWaitSeconds"]).toBeGreaterThanOrEqual(3);
  await call("POST", `/api/workflows/${waits.id}/resume`);
  expect(await engine.finished(waiting)).toMatchObject({ status: "completed" });
});

test("pausing again keeps the moment and takes the newer note; what is no note is refused", async () => {
  const { id } = await install(definitionOf("pause-twice", quick));
  const first = await call("POST", `/api/workflows/${id}/pause`, { body: { note: "one" } });
  const second = await call("POST", `/api/workflows/${id}/pause`, { body: { note: "two" } });
  expect(second.body["paused"]).toEqual({ ...(first.body["paused"] as JsonObject), note: "two" });
  expect((await call("POST", `/api/workflows/${id}/pause`, { body: { notes: "two" } })).status).toBe(422);
  expect((await call("POST", `/api/workflows/${id}/resume`)).status).toBe(200);
  expect(await call("POST", `/api/workflows/${id}/resume`)).toMatchObject({ status: 200, body: { paused: null } });
  for (const path of ["pause", "resume"]) {
    const answer = await call("POST", `/api/workflows/${id}/${path}`, { key: await strangerKey() });
    expect(answer).toMatchObject({ status: 404, body: { code: "workflow-not-found" } });
  }
});

test("what waits, what its key blocks, how long, and who holds the slots are told", async () => {
  const { id, hook } = await install(
    definitionOf("in-line", slow, { concurrency: { key: "{{ trigger.body.customer }}", limit: 1 } }),
  );
  const holder = await start(hook, { customer: "ada" });
  await untilStatus(holder, "running");
  const blocked = [await start(hook, { customer: "ada" }), await start(hook, { customer: "ada" })];
  await pool.query("update tandem.runs set created_at = created_at - interval '90 seconds' where id = $1", [
    blocked[0],
  ]);
  await until("the runs to be judged", async () => (await queueOf(id))?.["blocked"] === 2);
  const { body } = await call("GET", "/api/admission");
  expect(body).toMatchObject({ limit: 100, held: 1, queued: 2 });
  expect(body["oldestWaitSeconds"]).toBeGreaterThanOrEqual(90);
  expect(await queueOf(id)).toMatchObject({ queued: 2, ready: 0, blocked: 2, held: 1, runIds: [holder], paused: null });
  const { text } = await call("GET", "/metrics", { key: null });
  expect(text).toMatch(/tandem_queue_runs\{state="blocked"\} 2/);
  expect(text).toMatch(/tandem_queue_oldest_wait_seconds\{state="blocked"\} (9\d|1\d\d)/);
  expect(text).toMatch(/tandem_slots_held 1/);
  expect((await call("GET", "/api/admission", { key: await strangerKey() })).body).toMatchObject({
    held: 0,
    queued: 0,
    oldestWaitSeconds: null,
    workflows: [],
  });
  await cancelAll(...blocked, holder);
});

test("a workspace that may hold nothing counts as full", async () => {
  const full = async (): Promise<number> =>
    Number(/tandem_workspaces_full (\d+)/.exec((await call("GET", "/metrics", { key: null })).text)?.[1]);
  const { runLimit } = (await call("GET", "/api/settings")).body;
  const before = await full();
  await call("PUT", "/api/settings", { body: { runLimit: 0 } });
  expect(await full()).toBe(before + 1);
  await call("PUT", "/api/settings", { body: { runLimit: runLimit ?? null } });
  expect(await full()).toBe(before);
});

const busy = (key: string, whenBusy: string): JsonObject =>
  definitionOf(key, slow, { concurrency: { key: "one", limit: 1, whenBusy } });

test("with `skip` a run that finds its key busy is skipped, and says by whom", async () => {
  const { hook } = await install(busy("busy-skip", "skip"));
  const holder = await start(hook);
  const late = await start(hook);
  await untilStatus(late, "skipped");
  expect((await statusOf(late))["error"]).toMatchObject({ code: "busy", message: expect.stringContaining(holder) });
  await cancelAll(holder);
  const next = await start(hook);
  await untilStatus(next, "running");
  await cancelAll(next);
});

test("with `queue-latest` only the newest waits", async () => {
  const { hook } = await install(busy("busy-latest", "queue-latest"));
  const [holder, older, newest] = [await start(hook), await start(hook), await start(hook)];
  await untilStatus(older, "skipped");
  expect((await statusOf(older))["error"]).toMatchObject({ code: "superseded" });
  expect(await statusOf(newest)).toMatchObject({ status: "queued" });
  await cancelAll(holder);
  await untilStatus(newest, "running");
  await cancelAll(newest);
});

test("with `replace` a running run is cancelled and the new one starts when it has ended", async () => {
  const { hook } = await install(busy("busy-replace", "replace"));
  const first = await start(hook);
  await untilStatus(first, "running");
  const [second, third] = [await start(hook), await start(hook)];
  expect(await engine.finished(first)).toMatchObject({ status: "cancelled", error: { code: "replaced" } });
  await untilStatus(third, "running");
  expect(["cancelled", "skipped"]).toContain((await statusOf(second))["status"]);
  await cancelAll(third);
});
