import { expect, test } from "vitest";
import { activateWorkflow } from "../../../src/catalog/activation.ts";
import { createWorkflow } from "../../../src/catalog/drafts.ts";
import { callWorkflow } from "../../../src/runs/calls/call.ts";
import { cancelRun } from "../../../src/runs/cancel.ts";
import type { Json, JsonObject } from "../../../src/json.ts";
import { triggerKinds } from "../../../src/triggers/registry.ts";
import { createTestDatabase } from "../../support/database.ts";
import { definitionOf, recordKinds, startTestEngine } from "../../support/engine.ts";
import { until } from "../../support/until.ts";
import { callable, controlKinds, createLooks } from "./support.ts";

const { pool } = await createTestDatabase();
const engine = await startTestEngine(pool, { kinds: controlKinds });
const kinds = { ...recordKinds, ...controlKinds };
const { waiting, pass, called, firstCalled, statusOf } = createLooks(pool, engine);

const child = callable("child", [{ id: "greet", kind: "set", input: { text: "Hello {{ trigger.inputs.name }}" } }], {
  output: { text: "{{ greet.text }}", caller: "{{ run.launchedBy.key }}" },
});
const slow = callable("slow-child", [{ id: "pause", kind: "wait", input: { for: "1h" } }], {
  output: { until: "{{ pause.until }}" },
});
for (const definition of [child, slow]) await engine.activate(definition);

let count = 0;
const startOf = async (steps: Json[], rest: JsonObject = {}): Promise<string> => {
  count += 1;
  return engine.enqueue(await engine.activate(definitionOf(`caller-${count}`, steps, rest)), {});
};
const call = (workflow: string, more: JsonObject = {}, rest: JsonObject = {}): Json => ({
  id: "call",
  kind: "run-workflow",
  input: { workflow, inputs: { name: "Ada" }, ...more },
  ...rest,
});

test("a step calls a workflow and goes on with what it gives", async () => {
  const runId = await startOf([call("child")], { output: { text: "{{ call.output.text }}" } });
  const run = await engine.finished(runId);
  expect(run).toMatchObject({ status: "completed", output: { text: "Hello Ada" } });
  const [only, ...more] = await called(runId);
  expect(more).toEqual([]);
  expect(run.steps[0]).toMatchObject({
    outcome: "completed",
    attempts: 1,
    output: { runId: only!.id, status: "completed", output: { text: "Hello Ada", caller: `caller-${count}` } },
  });
  expect(only).toMatchObject({ status: "completed", depth: 1 });
});

test("a workflow that is only started is not waited for", async () => {
  const run = await engine.finished(await startOf([call("slow-child", { wait: false })]));
  const [started] = await called(run.id);
  expect(run).toMatchObject({ status: "completed", steps: [{ output: { runId: started!.id, output: null } }] });
  await waiting(started!.id);
  await cancelRun(pool, { workspaceId: engine.workspace.id, runId: started!.id });
  engine.ring();
  await engine.finished(started!.id);
});

test("a called run that fails is the step's error, with its code", async () => {
  await engine.activate(
    callable("failing-child", [{ id: "end", kind: "stop", input: { as: "failed", message: "No credit." } }]),
  );
  const runId = await startOf([
    call(
      "failing-child",
      {},
      {
        onError: {
          codes: ["workflow-failed"],
          steps: [{ id: "noted", kind: "set", input: { code: "{{ error.workflowCode }}", run: "{{ error.runId }}" } }],
        },
      },
    ),
  ]);
  const run = await engine.finished(runId);
  const [failed] = await called(runId);
  expect(run.status).toBe("completed");
  expect(run.steps.find(({ path }) => path === "noted")?.output).toEqual({ code: "stopped", run: failed!.id });
  expect(run.steps[0]?.error).toMatchObject({
    code: "workflow-failed",
    message: expect.stringContaining("No credit."),
  });
});

test("inputs are checked as the called workflow declares them", async () => {
  const run = await engine.finished(await startOf([call("child", { inputs: { nam: "Ada", count: "x" } })]));
  expect(run).toMatchObject({ status: "failed", error: { code: "invalid-input" } });
  const message = String(run.error?.["message"]);
  expect(message).toContain('there is no input "nam"; did you mean "name"?');
  expect(message).toContain("inputs.name: is required");
  expect(message).toContain("inputs.count: takes a number");
  expect(await called(run.id)).toEqual([]);
});

test("what cannot be called is said: a workflow that is off, or has no manual trigger of its own", async () => {
  const workflow = await engine.activate(callable("sleeping", []));
  await pool.query("update tandem.workflows set status = 'inactive' where id = $1", [workflow.workflowId]);
  expect(await engine.finished(await startOf([call("sleeping")]))).toMatchObject({
    error: { code: "workflow-inactive" },
  });
  await engine.activate(definitionOf("only-hooks", []));
  expect(await engine.finished(await startOf([call("only-hooks")]))).toMatchObject({
    error: { code: "workflow-not-callable" },
  });
});

test("five slots and fifty callers: every called run is done, and never more than five run at once", async () => {
  await pool.query("update tandem.workspaces set run_limit = 5 where id = $1", [engine.workspace.id]);
  const workflow = await engine.activate(definitionOf("many-callers", [call("child")]));
  const runs: string[] = [];
  for (let i = 0; i < 50; i++) runs.push(await engine.enqueue(workflow, {}));
  let most = 0;
  await until(
    "all to be over",
    async () => {
      const { rows } = await pool.query<{ holding: number; open: number }>(
        `select count(*) filter (where status in ('starting', 'running')) as holding,
         count(*) filter (where id = any($1::uuid[]) and ended_at is null) as open
       from tandem.runs where workspace_id = $2`,
        [runs, engine.workspace.id],
      );
      most = Math.max(most, rows[0]!.holding);
      return rows[0]!.open === 0;
    },
    60_000,
  );
  expect(most).toBeLessThanOrEqual(5);
  const { rows } = await pool.query(
    "select status, count(*) as total from tandem.runs where id = any($1::uuid[]) or caller_run_id = any($1::uuid[]) group by 1",
    [runs],
  );
  expect(rows).toEqual([{ status: "completed", total: 100 }]);
  await pool.query("update tandem.workspaces set run_limit = 100 where id = $1", [engine.workspace.id]);
});

test("one slot is enough for a chain of calls, each of which waits for the next", async () => {
  await pool.query("update tandem.workspaces set run_limit = 1 where id = $1", [engine.workspace.id]);
  await engine.activate(callable("middle", [call("child")], { output: { text: "{{ call.output.text }}!" } }));
  const run = await engine.finished(await startOf([call("middle")], { output: { text: "{{ call.output.text }}" } }));
  expect(run).toMatchObject({ status: "completed", output: { text: "Hello Ada!" } });
  await pool.query("update tandem.workspaces set run_limit = 100 where id = $1", [engine.workspace.id]);
});

test("a cancel of the caller cancels what it called, and what that called", async () => {
  await engine.activate(callable("slow-middle", [call("slow-child")]));
  const runId = await startOf([call("slow-middle")]);
  const middle = await firstCalled(runId);
  const last = await firstCalled(middle.id);
  await waiting(last.id);
  await cancelRun(pool, { workspaceId: engine.workspace.id, runId });
  engine.ring();
  for (const id of [runId, middle.id, last.id])
    expect(await engine.finished(id, 3_000)).toMatchObject({ status: "cancelled" });
});

test("a called run whose caller is ended in Temporal is cancelled", async () => {
  const runId = await startOf([call("slow-child")]);
  const slowly = await firstCalled(runId);
  await waiting(slowly.id);
  await engine.link.client.workflow.getHandle(runId).terminate("by hand");
  await pool.query("update tandem.runs set checked_at = now() - interval '1 hour' where id = $1", [runId]);
  engine.ring();
  expect(await engine.finished(runId)).toMatchObject({ status: "failed" });
  expect(await engine.finished(slowly.id)).toMatchObject({ status: "cancelled", error: { code: "caller-over" } });
});

test("workflows that call one another stop at the cap, and say so", async () => {
  await engine.activate(callable("loop", [call("loop")]));
  const runId = await startOf([call("loop")]);
  const run = await engine.finished(runId, 60_000);
  expect(run).toMatchObject({ status: "failed", error: { code: "workflow-failed" } });
  const { rows } = await pool.query<{ depth: number; status: string }>(
    `with recursive chain(id, depth, status) as (
       select id, depth, status from tandem.runs where id = $1
       union all select r.id, r.depth, r.status from chain c join tandem.runs r on r.caller_run_id = c.id
     ) select depth, status from chain order by depth`,
    [runId],
  );
  expect(rows.map(({ depth }) => depth)).toEqual([0, 1, 2, 3, 4, 5, 6]);
  expect(rows.at(-1)).toEqual({ depth: 6, status: "stopped-as-loop" });
});

test("a call that would wait for the key that its own chain holds is refused", async () => {
  const own = async (key: string, steps: Json[]): Promise<string> => {
    const { triggers, ...rest } = callable(key, steps, { concurrency: { key: "one" } });
    const hook = { id: "form", kind: "webhook" };
    const workflow = await engine.activate({ ...rest, triggers: [hook, ...(triggers as Json[])] });
    return engine.enqueue(workflow, {}, { concurrency: { key: "one", limit: 1 } });
  };
  const run = await engine.finished(await own("calls-itself", [call("calls-itself")]));
  expect(run).toMatchObject({ status: "failed", error: { code: "call-waits-for-itself" } });
  await engine.activate(callable("between", [call("calls-itself-by-another")]));
  expect(await engine.finished(await own("calls-itself-by-another", [call("between")]))).toMatchObject({
    error: { code: "workflow-failed", message: expect.stringContaining("call-waits-for-itself") },
  });
  // Whoever only starts it keeps nobody waiting: it goes when this one is over.
  const starting = await own("starts-itself", [
    {
      id: "first",
      kind: "branch",
      branches: [
        {
          when: { left: "{{ trigger.kind }}", operator: "equals", right: "webhook" },
          steps: [call("starts-itself", { wait: false })],
        },
        { steps: [] },
      ],
    },
  ]);
  expect(await engine.finished(starting)).toMatchObject({ status: "completed" });
  const [started] = await called(starting);
  expect(await engine.finished(started!.id)).toMatchObject({ status: "completed" });
});

test("a called run waits in the line of its own key, and its caller with it", async () => {
  await engine.activate(
    callable("lined", [{ id: "pause", kind: "wait", input: { for: "1h" } }], { concurrency: { key: "line" } }),
  );
  const first = await startOf([call("lined")]);
  await waiting(first);
  const [ahead] = await called(first);
  await waiting(ahead!.id);
  const second = await startOf([call("lined")]);
  await waiting(second);
  const [behind] = await called(second);
  expect(await statusOf(behind!.id)).toBe("queued");
  await pass(ahead!.id);
  expect(await engine.finished(first)).toMatchObject({ status: "completed" });
  await waiting(behind!.id);
  await pass(behind!.id);
  expect(await engine.finished(second)).toMatchObject({ status: "completed" });
});

test("exactly one run is called, whatever is lost meanwhile: workers, and the workflows of both", async () => {
  const runId = await startOf([call("slow-child")]);
  const slowly = await firstCalled(runId);
  await waiting(slowly.id);
  await engine.halt();
  for (const id of [runId, slowly.id]) await lose(id);
  await engine.resume();
  for (const id of [runId, slowly.id])
    await until(
      `run ${id} to be started anew`,
      async () => (await fenceOf(id)) > 1 && (await statusOf(id)) === "waiting",
    );
  await pass(slowly.id);
  expect(await engine.finished(runId)).toMatchObject({ status: "completed", steps: [{ outcome: "completed" }] });
  expect(await called(runId)).toMatchObject([{ id: slowly.id, status: "completed" }]);
});

/** Lets Temporal forget a run's workflow. */
async function lose(workflowId: string): Promise<void> {
  const { connection, client, namespace } = engine.link;
  await connection.workflowService.deleteWorkflowExecution({ namespace, workflowExecution: { workflowId } });
  const handle = client.workflow.getHandle(workflowId);
  await until("Temporal to have lost it", async () => (await handle.describe().catch(() => "gone")) === "gone");
  await pool.query("update tandem.runs set checked_at = now() - interval '1 hour' where id = $1", [workflowId]);
}

async function fenceOf(runId: string): Promise<number> {
  const { rows } = await pool.query<{ fence: number }>("select fence from tandem.runs where id = $1", [runId]);
  return rows[0]!.fence;
}

test("several tries of one step at once call one run", async () => {
  const runId = await startOf([call("slow-child")]);
  await waiting(runId);
  const { rows } = await pool.query<{ fence: number; workflow_id: string }>(
    "select fence, workflow_id from tandem.runs where id = $1",
    [runId],
  );
  const again = {
    workspaceId: engine.workspace.id,
    caller: { id: runId, workflowId: rows[0]!.workflow_id, workflowKey: "again", depth: 0 },
    fence: rows[0]!.fence,
    path: "another",
    beside: true,
    workflow: "child",
    inputs: { name: "Ada" },
    waits: true,
  };
  const tries = await Promise.all(Array.from({ length: 8 }, () => callWorkflow(pool, { kinds }, again)));
  expect(new Set(tries.map(({ id }) => id)).size).toBe(1);
  await cancelRun(pool, { workspaceId: engine.workspace.id, runId });
  engine.ring();
  expect(await engine.finished(runId)).toMatchObject({ status: "cancelled" });
});

test("a version that calls a workflow which is not there is not activated", async () => {
  const catalog = {
    workspaceId: engine.workspace.id,
    kinds,
    triggerKinds,
    objects: engine.objects,
    quickLane: true,
    workflows: new Set(["child"]),
  };
  const { id } = await createWorkflow(pool, catalog, definitionOf("misspelt", [call("chidl")]));
  await expect(activateWorkflow(pool, catalog, id)).rejects.toMatchObject({
    status: 422,
    issues: [{ path: "steps[0].input.workflow", message: 'unknown workflow "chidl"; did you mean "child"?' }],
  });
});
