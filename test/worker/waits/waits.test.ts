import { expect, test } from "vitest";
import { cancelRun } from "../../../src/runs/cancel.ts";
import { createTestDatabase } from "../../support/database.ts";
import { definitionOf, startTestEngine } from "../../support/engine.ts";
import { until } from "../../support/until.ts";
import { controlKinds, createLooks } from "./support.ts";
import type { Json } from "../../../src/json.ts";

const { pool } = await createTestDatabase();
const engine = await startTestEngine(pool, { kinds: controlKinds });
const { waiting, pass, statusOf } = createLooks(pool, engine);

let count = 0;
const runOf = async (steps: Json[], rest = {}): Promise<string> => {
  count += 1;
  return engine.enqueue(await engine.activate(definitionOf(`waits-${count}`, steps, rest)), {});
};
const after = { id: "after", kind: "set", input: { until: "{{ pause.until }}" } };

test("a run that waits holds no slot, and goes on when its moment has come", async () => {
  const before = Date.now();
  const runId = await runOf([{ id: "pause", kind: "wait", input: { for: "2h" } }, after]);
  await waiting(runId);
  const { rows } = await pool.query<{ due: Date }>("select due_at as due from tandem.runs where id = $1", [runId]);
  expect(rows[0]!.due.getTime() - before).toBeGreaterThan(7_190_000);
  await pass(runId);
  const run = await engine.finished(runId);
  expect(run).toMatchObject({ status: "completed", steps: [{ path: "pause", attempts: 1 }, { path: "after" }] });
  // The moment that was meant, not the one at which it went on.
  const [pause, then] = run.steps;
  expect(pause!.output).toEqual(then!.output);
  expect(Date.parse((pause!.output as { until: string }).until) - before).toBeGreaterThan(7_190_000);
});

test("a wait of a moment is over by itself", async () => {
  const run = await engine.finished(await runOf([{ id: "pause", kind: "wait", input: { for: "300ms" } }, after]));
  expect(run).toMatchObject({ status: "completed" });
});

test("a moment that is past is no wait", async () => {
  const input = { until: "2001-07-01T09:00", timeZone: "Europe/Berlin" };
  const run = await engine.finished(await runOf([{ id: "pause", kind: "wait", input }, after]));
  expect(run.steps[0]).toMatchObject({ output: { until: "2001-07-01T07:00:00.000Z" }, outcome: "over" });
  const { rows } = await pool.query("select 1 from tandem.waits where run_id = $1", [run.id]);
  expect(rows).toEqual([]);
});

test("what is no moment fails the step with the place and what it takes", async () => {
  const run = await engine.finished(
    await runOf([{ id: "pause", kind: "wait", input: { until: "{{ 'tomorrow' }}" } }, after]),
  );
  expect(run).toMatchObject({ status: "failed", error: { code: "invalid-input", step: "pause" } });
  expect(String(run.error?.["message"])).toContain("2026-03-29T09:00");
});

test("a run that waits is cancelled within three seconds", async () => {
  const runId = await runOf([{ id: "pause", kind: "wait", input: { for: "30d" } }, after]);
  await waiting(runId);
  const asked = Date.now();
  await cancelRun(pool, { workspaceId: engine.workspace.id, runId });
  engine.ring();
  expect(await engine.finished(runId, 3_000)).toMatchObject({ status: "cancelled", steps: [] });
  expect(Date.now() - asked).toBeLessThan(3_000);
});

test("a run that waits goes on though its workers were stopped and its workflow was lost meanwhile", async () => {
  const runId = await runOf([{ id: "pause", kind: "wait", input: { for: "1h" } }, after]);
  await waiting(runId);
  await engine.halt();
  const handle = engine.link.client.workflow.getHandle(runId);
  await engine.link.connection.workflowService.deleteWorkflowExecution({
    namespace: engine.link.namespace,
    workflowExecution: { workflowId: runId },
  });
  await until("Temporal to have lost it", async () => (await handle.describe().catch(() => "gone")) === "gone");
  await pool.query("update tandem.runs set checked_at = now() - interval '1 hour' where id = $1", [runId]);
  await engine.resume();
  await until("it to be started anew", async () => {
    const { rows } = await pool.query<{ fence: number }>("select fence from tandem.runs where id = $1", [runId]);
    return rows[0]!.fence > 1 && (await statusOf(runId)) === "waiting";
  });
  await pass(runId);
  expect(await engine.finished(runId)).toMatchObject({
    status: "completed",
    steps: [{ path: "pause" }, { path: "after" }],
  });
});

test("steps beside one another wait beside one another: the run gives its slot back when all of them wait", async () => {
  await pool.query("update tandem.workspaces set run_limit = 1 where id = $1", [engine.workspace.id]);
  const runId = await runOf([
    {
      id: "both",
      kind: "parallel",
      branches: [
        {
          name: "long",
          steps: [{ id: "first", kind: "wait", input: { for: "1h" } }],
          output: { until: "{{ first.until }}" },
        },
        {
          name: "short",
          steps: [
            { id: "second", kind: "wait", input: { for: "700ms" } },
            { id: "third", kind: "wait", input: { for: "1h" } },
          ],
          output: { until: "{{ third.until }}" },
        },
      ],
    },
  ]);
  await until("both branches to wait", async () => {
    const { rows } = await pool.query<{ id: string }>(
      "select id from tandem.waits where run_id = $1 and settled_at is null order by id",
      [runId],
    );
    return rows.map(({ id }) => id).join() === "first#timer,third#timer";
  });
  await waiting(runId);
  const other = await engine.finished(await runOf([{ id: "x", kind: "set", input: { x: 1 } }]));
  expect(other.status).toBe("completed");
  await pass(runId);
  expect(await engine.finished(runId)).toMatchObject({ status: "completed" });
  await pool.query("update tandem.workspaces set run_limit = 100 where id = $1", [engine.workspace.id]);
});

test.each([
  ["completed", { status: "completed", error: null }],
  ["failed", { status: "failed", error: { code: "stopped", message: "No more of 17." } }],
])("stop ends the run as %s from inside a branch in a loop", async (as, ended) => {
  const run = await engine.finished(
    await runOf([
      {
        id: "each",
        kind: "iterator",
        items: [15, 16, 17, 18],
        steps: [
          {
            id: "way",
            kind: "branch",
            branches: [
              {
                when: { left: "{{ each.item }}", operator: "equals", right: 17 },
                steps: [{ id: "end", kind: "stop", input: { as, message: "No more of {{ each.item }}." } }],
              },
              { steps: [] },
            ],
          },
        ],
      },
      { id: "never", kind: "set", input: { x: 1 } },
    ]),
  );
  expect(run).toMatchObject(ended);
  const paths = run.steps.map(({ path }) => path);
  expect(paths).toContain("each[2].end");
  expect(paths).not.toContain("never");
  expect(paths.some((path) => path.startsWith("each[3]"))).toBe(false);
});
