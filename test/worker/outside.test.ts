import { expect, test } from "vitest";
import { listUnknownOutcomes, settleUnknown } from "../../src/runs/unknown-outcomes.ts";
import { cancelRun } from "../../src/runs/cancel.ts";
import type { Json, JsonObject } from "../../src/json.ts";
import { createTestDatabase } from "../support/database.ts";
import { definitionOf, startTestEngine } from "../support/engine.ts";
import { postKind, startService } from "../support/post-kind.ts";
import { until } from "../support/until.ts";

const { pool } = await createTestDatabase();
const never = new Promise<never>(() => {});
const service = await startService(async ({ path }, before) => {
  if (path === "/broken") return undefined;
  if (path === "/broken-once") return before === 0 ? undefined : { status: 201, body: { id: "inv_1" } };
  if (path === "/refused") return { status: 422, body: { reason: "no currency" } };
  if (path === "/busy") return before < 6 ? { status: 429, body: {} } : { status: 200, body: {} };
  if (path.startsWith("/hangs")) return never;
  return { status: 200, body: { path } };
});
const engine = await startTestEngine(pool, { kinds: { post: postKind } });
const workspaceId = engine.workspace.id;

function post(path: string, rest: JsonObject = {}, step: JsonObject = {}): JsonObject {
  return { id: "call", kind: "post", input: { url: `${service.url}${path}`, ...rest }, ...step };
}

async function start(key: string, steps: Json[], rest: JsonObject = {}): Promise<string> {
  return engine.enqueue(await engine.activate(definitionOf(key, steps, rest)), {});
}

const askedFor = (path: string) => service.received.filter((got) => got.path === path);
const listed = async () => listUnknownOutcomes(pool, { workspaceId, limit: 100 });

test("a call that was not answered is not sent again, and ends as outcome-unknown", async () => {
  const run = await engine.finished(await start("broken", [post("/broken")]));
  expect(run).toMatchObject({
    status: "failed",
    error: { code: "outcome-unknown", attempts: 1 },
    steps: [{ status: "outcome-unknown", error: { code: "outcome-unknown", cause: "broken-line" } }],
  });
  expect(askedFor("/broken")).toHaveLength(1);
  const [unknown] = await listed();
  expect(unknown).toMatchObject({ runId: run.id, path: "call", workflowKey: "broken", kind: "post", once: null });
  const by = { kind: "api-key", name: "Ada", id: "1" };
  const word = { as: "done", output: null, note: "It is there.", by } as const;
  await settleUnknown(pool, { workspaceId, id: unknown!.id }, word);
  expect(await listed()).toEqual([]);
  await expect(settleUnknown(pool, { workspaceId, id: unknown!.id }, word)).rejects.toMatchObject({ status: 404 });
});

test("onError takes it by its code, and reads that the step failed", async () => {
  const onError = {
    codes: ["outcome-unknown"],
    steps: [],
    output: { code: "{{ error.code }}", cause: "{{ error.cause }}" },
  };
  const steps = [post("/broken", {}, { onError })];
  const output = {
    ok: "{{ call.ok }}",
    code: "{{ call.code | default: '' }}",
    cause: "{{ call.cause | default: '' }}",
  };
  const run = await engine.finished(await start("handled", steps, { output }));
  expect(run).toMatchObject({
    status: "completed",
    output: { ok: false, code: "outcome-unknown", cause: "broken-line" },
  });
});

test("where the target honours the key, the same request is sent again under it", async () => {
  const run = await engine.finished(await start("honoured", [post("/broken-once", { honours: true, body: { n: 1 } })]));
  expect(run).toMatchObject({ status: "completed", steps: [{ status: "done", outcome: "201", attempts: 2 }] });
  const [first, second] = askedFor("/broken-once");
  expect(second?.headers["idempotency-key"]).toBe(first?.headers["idempotency-key"]);
  expect(second?.body).toBe(first?.body);
  expect(await listed().then((all) => all.filter(({ workflowKey }) => workflowKey === "honoured"))).toEqual([]);
});

test("a refusal is no doubt: its answer is in the error", async () => {
  const run = await engine.finished(await start("refused", [post("/refused")]));
  expect(run.steps).toMatchObject([
    { status: "failed", error: { code: "http-status", status: 422, body: { reason: "no currency" } } },
  ]);
  const { rows } = await pool.query("select sending_since from tandem.outside_calls where run_id = $1", [run.id]);
  expect(rows).toEqual([{ sending_since: null }]);
});

test("what does not count is tried as long as it takes", async () => {
  const run = await engine.finished(await start("busy", [post("/busy")]));
  expect(run).toMatchObject({ status: "completed", steps: [{ attempts: 1 }] });
  const { rows } = await pool.query(
    "select counts, count(*) as n from tandem.step_attempts where run_id = $1 group by 1 order by 1",
    [run.id],
  );
  expect(rows).toEqual([
    { counts: false, n: 6 },
    { counts: true, n: 1 },
  ]);
});

test("a call that its time cut off is in doubt, and one that its run's cancel cut off, too", async () => {
  const late = await engine.finished(await start("late", [post("/hangs-late", {}, { timeout: "1s" })]));
  expect(late.steps).toMatchObject([{ status: "outcome-unknown", error: { cause: "timeout" } }]);
  const runId = await start("cancelled", [post("/hangs-cancelled")]);
  await until("the service was asked", () => askedFor("/hangs-cancelled").length > 0);
  await cancelRun(pool, { workspaceId, runId });
  engine.ring();
  expect(await engine.finished(runId)).toMatchObject({ status: "cancelled" });
  const found = await listed();
  expect(found.find((one) => one.runId === late.id)).toMatchObject({ kind: "post" });
  expect(found.find((one) => one.runId === runId)).toMatchObject({ kind: null, error: null });
  expect(askedFor("/hangs-late")).toHaveLength(1);
});

test("of another workspace nothing is listed or settled", async () => {
  const runId = (await engine.finished(await start("ours", [post("/broken")]))).id;
  const unknown = (await listed()).find((one) => one.runId === runId);
  const stranger = "00000000-0000-7000-8000-000000000000";
  expect(await listUnknownOutcomes(pool, { workspaceId: stranger, limit: 10 })).toEqual([]);
  await expect(
    settleUnknown(pool, { workspaceId: stranger, id: unknown!.id }, { as: "done", output: null, note: null, by: {} }),
  ).rejects.toMatchObject({ status: 404 });
});
