import { describe, expect, test } from "vitest";
import { activateWorkflow } from "../../src/catalog/activation.ts";
import { saveDraft, type Catalog } from "../../src/catalog/drafts.ts";
import type { Json, JsonObject } from "../../src/json.ts";
import { cancelRun } from "../../src/runs/cancel.ts";
import { changeOnce, listOnce, type OnceChange } from "../../src/runs/once/list.ts";
import { forgetOldRuns } from "../../src/runs/retention.ts";
import { listUnknownOutcomes, settleUnknown } from "../../src/runs/unknown-outcomes.ts";
import { triggerKinds } from "../../src/triggers/registry.ts";
import { createTestDatabase } from "../support/database.ts";
import { definitionOf, recordKinds, startTestEngine } from "../support/engine.ts";
import { postKind, startService, type Reply } from "../support/post-kind.ts";
import { until } from "../support/until.ts";

const { pool } = await createTestDatabase();
/** Answers that a test gives when it wants to, by path. */
const held = new Map<string, (reply: Reply | undefined) => void>();
const service = await startService(async ({ path }, before) => {
  if (path.startsWith("/held")) return new Promise((resolve) => held.set(path, resolve));
  if (path.startsWith("/broken")) return undefined;
  if (path.startsWith("/refused-once") && before === 0) return { status: 422, body: { reason: "not yet" } };
  if (path.startsWith("/lost-once") && before === 0) return undefined;
  return { status: 201, body: { number: before + 1 } };
});
const engine = await startTestEngine(pool, { kinds: { post: postKind } });
const { workspace, objects } = engine;
const workspaceId = workspace.id;
const catalog: Catalog = {
  workspaceId,
  kinds: { ...recordKinds, post: postKind },
  triggerKinds,
  objects,
  quickLane: true,
};
const by = { kind: "api-key", name: "Ada", id: "1" };
const word = (as: OnceChange["as"], output: Json = null): OnceChange => ({ as, output, by, note: null });

const once = "invoice:{{ trigger.body.id }}";
const post = (path: string, rest: JsonObject = {}): JsonObject => ({
  id: "charge",
  kind: "post",
  input: { url: `${service.url}${path}`, ...rest },
  once,
});
const company: JsonObject = {
  id: "make",
  kind: "create-record",
  input: { object: "company", values: { name: "{{ trigger.body.name }}" } },
  once,
};

async function workflowOf(key: string, steps: JsonObject[]) {
  const workflow = await engine.activate(
    definitionOf(key, steps, { output: { given: `{{ ${String(steps[0]?.["id"])} }}` } }),
  );
  return {
    ...workflow,
    start: (id: string, body: JsonObject = {}) => engine.enqueue(workflow, { id, ...body }),
    run: async (id: string, body: JsonObject = {}) => engine.finished(await engine.enqueue(workflow, { id, ...body })),
    values: () => listOnce(pool, { workspaceId, workflowId: workflow.workflowId, limit: 50 }),
  };
}

const count = async (name: string): Promise<number> => {
  const { rows } = await pool.query(`select count(*) as n from ${workspace.schemaName}.company where name = $1`, [
    name,
  ]);
  return rows[0].n;
};
const asked = (path: string) => service.received.filter((got) => got.path === path);

describe("a call that is done once under a value", () => {
  test("is not made again: the next run is answered with what it gave", async () => {
    const { run, values } = await workflowOf("once-call", [post("/plain")]);
    const first = await run("7");
    const second = await run("7");
    const other = await run("8");
    expect(first).toMatchObject({ status: "completed", output: { given: { body: { number: 1 } } } });
    expect(second).toMatchObject({ status: "completed", output: first.output, steps: [{ status: "already-done" }] });
    expect(other.output).toMatchObject({ given: { body: { number: 2 } } });
    expect(asked("/plain")).toHaveLength(2);
    expect(await values()).toMatchObject([
      { value: "invoice:8", state: "done", step: "charge" },
      { value: "invoice:7", state: "done", runId: first.id },
    ]);
  });

  test("waits, without a slot, while another run is at it", async () => {
    const { start, values } = await workflowOf("once-wait", [post("/held")]);
    const first = await start("1");
    await until("the service was asked", () => held.has("/held"));
    const second = await start("1");
    await until("the second run waits", async () => {
      const { rows } = await pool.query("select status from tandem.runs where id = $1", [second]);
      return rows[0]?.status === "waiting";
    });
    expect(await values()).toMatchObject([{ state: "held", runId: first }]);
    held.get("/held")?.({ status: 200, body: { held: true } });
    expect(await engine.finished(first)).toMatchObject({ status: "completed" });
    expect(await engine.finished(second, 10_000)).toMatchObject({
      output: { given: { body: { held: true } } },
      steps: [{ status: "already-done" }],
    });
    expect(asked("/held")).toHaveLength(1);
  });

  test("is free again, under another key, after a failure that proves that nothing was done", async () => {
    const { run, values } = await workflowOf("once-free", [post("/refused-once")]);
    expect(await run("1")).toMatchObject({ status: "failed" });
    expect(await values()).toEqual([]);
    expect(await run("1")).toMatchObject({ status: "completed" });
    const keys = asked("/refused-once").map(({ headers }) => headers["idempotency-key"]);
    expect(new Set(keys).size).toBe(2);
  });

  test("is kept where its outcome is not known, until a person says what became of it", async () => {
    const { run, values } = await workflowOf("once-unsure", [post("/broken")]);
    const first = await run("1");
    expect(await values()).toMatchObject([{ state: "unsure", runId: first.id }]);
    const second = await run("1");
    expect(second.steps).toMatchObject([{ status: "outcome-unknown", error: { runId: first.id } }]);
    expect(asked("/broken")).toHaveLength(1);
    const [unknown] = (await listUnknownOutcomes(pool, { workspaceId, limit: 9 })).filter(
      (one) => one.runId === first.id,
    );
    expect(unknown).toMatchObject({ once: { value: "invoice:1" } });
    await settleUnknown(
      pool,
      { workspaceId, id: unknown!.id },
      { as: "done", output: { status: 201 }, note: null, by },
    );
    expect(await run("1")).toMatchObject({ status: "completed", output: { given: { status: 201 } } });
    expect(asked("/broken")).toHaveLength(1);
  });

  test("is sent again as it was stored, by the next run, where the target honours the key", async () => {
    const { start, run, values } = await workflowOf("once-again", [
      { ...post("/lost-once", { honours: true, body: "{{ trigger.body.text }}" }), retry: { maximumAttempts: 1 } },
    ]);
    expect(await engine.finished(await start("1", { text: "first" }))).toMatchObject({ status: "failed" });
    expect(await values()).toMatchObject([{ state: "unsure" }]);
    expect(await run("1", { text: "second" })).toMatchObject({ status: "completed" });
    const [first, second] = asked("/lost-once");
    expect(second?.headers["idempotency-key"]).toBe(first?.headers["idempotency-key"]);
    expect(second?.body).toBe('"first"');
  });

  test("passes to the next run where its own ended before anything was sent, and is in doubt where not", async () => {
    const { start, run, values } = await workflowOf("once-closed", [
      { ...post("/held-closed"), retry: { initialInterval: "1h" } },
    ]);
    const first = await start("1");
    await until("the service was asked", () => held.has("/held-closed"));
    await cancelRun(pool, { workspaceId, runId: first });
    engine.ring();
    expect(await engine.finished(first)).toMatchObject({ status: "cancelled" });
    expect(await values()).toMatchObject([{ state: "unsure", runId: first }]);
    const [entry] = await values();
    await expect(run("1")).resolves.toMatchObject({ status: "failed", error: { code: "outcome-unknown" } });
    await changeOnce(pool, { workspaceId, id: entry!.id }, word("free"));
    expect(await values()).toEqual([]);
    const next = await start("1");
    await until("the service was asked again", () => asked("/held-closed").length === 2);
    held.get("/held-closed")?.({ status: 200, body: {} });
    expect(await engine.finished(next)).toMatchObject({ status: "completed" });
  });

  test("acts again once it is cleared, under another key", async () => {
    const { run, values } = await workflowOf("once-cleared", [post("/cleared")]);
    await run("1");
    const [entry] = await values();
    await changeOnce(pool, { workspaceId, id: entry!.id }, word("free"));
    expect((await run("1")).steps).toMatchObject([{ status: "done" }]);
    const keys = asked("/cleared").map(({ headers }) => headers["idempotency-key"]);
    expect(new Set(keys).size).toBe(2);
  });
});

describe("a change of records that is done once under a value", () => {
  test("is not made again, also by many runs at once", async () => {
    const { start, values } = await workflowOf("once-record", [company]);
    const ids = await Promise.all(Array.from({ length: 12 }, () => start("1", { name: "Once" })));
    const runs = await Promise.all(ids.map((id) => engine.finished(id)));
    expect(runs.every(({ status }) => status === "completed")).toBe(true);
    expect(new Set(runs.map(({ output }) => JSON.stringify(output))).size).toBe(1);
    expect(runs.filter(({ steps }) => steps[0]?.status === "done")).toHaveLength(1);
    expect(await count("Once")).toBe(1);
    expect(await values()).toMatchObject([{ value: "invoice:1", state: "done" }]);
  });

  test("gives its long lists again, also when the run that wrote them is forgotten", async () => {
    const many: JsonObject = {
      id: "many",
      kind: "batch-upsert-records",
      input: { object: "company", match: ["name"], records: "{{ trigger.body.rows }}" },
      once,
    };
    const read: JsonObject = {
      id: "read",
      kind: "set",
      input: { count: "{{ many.ids | size }}", last: "{{ many.ids | last }}" },
    };
    const { run, values } = await workflowOf("once-lists", [many, read]);
    const rows = Array.from({ length: 250 }, (_, n) => ({ name: `Listed ${n}` }));
    const readBy = async (): Promise<Json | undefined> =>
      (await run("1", { rows })).steps.find(({ path }) => path === "read")?.output;
    const first = await readBy();
    expect(first).toMatchObject({ count: 250 });
    expect(await readBy()).toEqual(first);
    await pool.query("update tandem.runs set ended_at = now() - interval '40 days' where ended_at is not null");
    expect((await forgetOldRuns(pool, { days: 30 })).runs).toBeGreaterThan(1);
    expect(await readBy()).toEqual(first);
    const [value] = await values();
    await changeOnce(pool, { workspaceId, id: value!.id }, word("free"));
    const { rows: kept } = await pool.query("select 1 from tandem.once_lists");
    expect(kept).toEqual([]);
  });

  test("leaves the value to the next where it failed", async () => {
    const { run, values } = await workflowOf("once-record-failed", [
      {
        ...company,
        input: {
          object: "company",
          values: { name: "{{ trigger.body.name }}", employees: "{{ trigger.body.employees }}" },
        },
      },
    ]);
    expect(await run("1", { name: "Later", employees: "many" })).toMatchObject({ status: "failed" });
    expect(await values()).toEqual([]);
    expect(await run("1", { name: "Later", employees: 3 })).toMatchObject({ status: "completed" });
    expect(await count("Later")).toBe(1);
  });
});

test("records that are written in several transactions are written by one of two runs at once", async () => {
  const { start, values } = await workflowOf("once-batch", [
    {
      id: "write",
      kind: "batch-upsert-records",
      // Nothing to match by: what is written twice is there twice.
      input: { object: "company", records: "{{ trigger.body.records }}" },
      once,
    },
  ]);
  const records = Array.from({ length: 450 }, (_, i) => ({ name: `Once in parts ${i}` }));
  const runs = await Promise.all([start("7", { records }), start("7", { records })]);
  const ended = await Promise.all(runs.map((id) => engine.finished(id)));
  expect(ended.map(({ steps }) => steps[0]?.status).toSorted()).toEqual(["already-done", "done"]);
  expect(ended.map(({ steps }) => steps[0]?.output)).toEqual(
    [1, 2].map(() => ({ created: 450, updated: 0, unchanged: 0, refused: [], ids: { count: 450 } })),
  );
  const { rows } = await pool.query(
    `select count(*) from ${objects.find("company")?.table} where name like 'Once in parts %'`,
  );
  expect(rows).toEqual([{ count: 450 }]);
  expect(await values()).toMatchObject([{ state: "done" }]);
});

describe("a value", () => {
  test.each([
    ["{{ trigger.body.id }}", { id: "" }, "1 to 500"],
    ["{{ trigger.body.id }}", { id: "x".repeat(501) }, "501 characters"],
    ["{{ trigger.body.other }}", {}, "is missing"],
  ])("that %s gives of %j is refused", async (expression, body, said) => {
    const key = `once-value-${said.replace(/\W/g, "").toLowerCase()}`;
    const workflow = await engine.activate(definitionOf(key, [{ ...post("/values"), once: expression }]));
    const run = await engine.finished(await engine.enqueue(workflow, body));
    expect(run).toMatchObject({ status: "failed" });
    expect(JSON.stringify(run.error)).toContain(said);
  });

  test("stands on steps that have an effect only, and reads what is there", async () => {
    const refusal = (step: JsonObject) => engine.activate(definitionOf("once-nowhere", [step])).catch(String);
    expect(await refusal({ id: "find", kind: "search-records", input: { object: "company" }, once: "x" })).toContain(
      `steps[0].once: "once" stands on steps that change records or act outside`,
    );
    expect(await refusal({ ...post("/x"), once: "{{ trigger.bdy.id }}" })).toContain("steps[0].once");
  });

  test("goes with its step to another id, and is not lost without a word", async () => {
    const { run, workflowId } = await workflowOf("once-moved", [post("/moved")]);
    await run("1");
    const renamed = definitionOf("once-moved", [{ ...post("/moved"), id: "bill" }]);
    await saveDraft(pool, catalog, { workflowId, document: renamed });
    const activate = (moves: Record<string, string | null>) =>
      activateWorkflow(pool, catalog, { workflowId, once: moves });
    await expect(activate({})).rejects.toThrow(`the step "charge" is gone, and 1 values are kept`);
    await expect(activate({ charge: "bil" })).rejects.toThrow(`did you mean "bill"?`);
    const { active } = await activate({ charge: "bill" });
    const next = await engine.enqueue({ workflowId, versionId: active!.id }, { id: "1" });
    expect((await engine.finished(next)).steps).toMatchObject([{ path: "bill", status: "already-done" }]);
    // A run of the version before finds it where it went.
    expect((await run("1")).steps).toMatchObject([{ path: "charge", status: "already-done" }]);
    expect(asked("/moved")).toHaveLength(1);
  });

  test("that is forgotten, or went to another step, leaves its key to nothing that is done anew", async () => {
    const { run, workflowId } = await workflowOf("once-anew", [post("/anew")]);
    const activate = async (id: string, moves: Record<string, string | null>) => {
      await saveDraft(pool, catalog, { workflowId, document: definitionOf("once-anew", [{ ...post("/anew"), id }]) });
      const { active } = await activateWorkflow(pool, catalog, { workflowId, once: moves });
      return engine.finished(await engine.enqueue({ workflowId, versionId: active!.id }, { id: "1" }));
    };
    await run("1");
    expect((await activate("bill", { charge: "bill" })).steps).toMatchObject([{ status: "already-done" }]);
    expect((await activate("charge", { bill: null })).steps).toMatchObject([{ status: "done" }]);
    const keys = asked("/anew").map(({ headers }) => headers["idempotency-key"]);
    expect([keys.length, new Set(keys).size]).toEqual([2, 2]);
  });

  test("is found where it went by a run of the version before that changes records", async () => {
    const { run, workflowId } = await workflowOf("once-moved-record", [company]);
    await run("1", { name: "Moved" });
    const renamed = definitionOf("once-moved-record", [{ ...company, id: "found" }]);
    await saveDraft(pool, catalog, { workflowId, document: renamed });
    await activateWorkflow(pool, catalog, { workflowId, once: { make: "found" } });
    expect((await run("1", { name: "Moved" })).steps).toMatchObject([{ path: "make", status: "already-done" }]);
    expect(await count("Moved")).toBe(1);
    expect((await run("2", { name: "Moved" })).steps).toMatchObject([{ path: "make", status: "done" }]);
  });
});
