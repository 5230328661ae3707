import { expect, test } from "vitest";
import type { SqlPool } from "../../src/sql.ts";
import { breakOff, createBrokenLine } from "../support/disturbed-pool.ts";
import { createTestDatabase } from "../support/database.ts";
import { definitionOf, startTestEngine } from "../support/engine.ts";
import { until } from "../support/until.ts";

const { pool } = await createTestDatabase();

/** Whether the answer to the next statement that closes a run is lost. */
let losing = false;
const lossy: SqlPool = new Proxy(pool, {
  get(target, key) {
    if (key !== "query") return Reflect.get(target, key) as unknown;
    return (...asked: Parameters<SqlPool["query"]>) => {
      const ask = () => target.query(...asked);
      const { text = "" } = asked[0] as unknown as { text?: string };
      if (!losing || !text.includes("closed as (")) return ask();
      losing = false;
      return breakOff(ask as unknown as () => Promise<unknown>, { heard: true, failure: createBrokenLine() });
    };
  },
});
const engine = await startTestEngine(lossy);
const { client } = engine.link;

/** How the run's workflow ended in Temporal, as soon as it has. */
const endOf = (runId: string): Promise<string> =>
  until(`workflow ${runId} to end`, async () => {
    const { status } = await client.workflow.getHandle(runId).describe();
    return status.name === "RUNNING" ? undefined : status.name;
  });

const made = [{ id: "made", kind: "set", input: { x: 1 } }];

test.each([
  { name: "quick", quickLane: true, output: {}, ends: "COMPLETED" },
  { name: "ordinary", quickLane: false, output: {}, ends: "COMPLETED" },
  { name: "failed", quickLane: true, output: { x: "{{ made.x | divided_by: 0 }}" }, ends: "FAILED" },
])("a workflow that does not hear that it closed its run ends as the run did: $name", async (of) => {
  const workflow = await engine.activate(definitionOf(`closing-${of.name}`, made, { output: of.output }), of);
  losing = true;
  const runId = await engine.enqueue(workflow, {});
  const { status } = await engine.finished(runId);
  expect([status.toUpperCase(), losing]).toEqual([of.ends, false]);
  expect(await endOf(runId)).toBe(of.ends);
});

test("a workflow that is reset after its run is over ends as the run did, and does nothing again", async () => {
  const runId = await engine.enqueue(await engine.activate(definitionOf("closing-reset", made)), {});
  const before = await engine.finished(runId);
  expect(await endOf(runId)).toBe("COMPLETED");
  const { runId: first } = await client.workflow.getHandle(runId).describe();
  const { events } = await client.workflow.getHandle(runId).fetchHistory();
  const begun = events?.find(({ workflowTaskCompletedEventAttributes }) => workflowTaskCompletedEventAttributes);
  await client.workflowService.resetWorkflowExecution({
    namespace: client.options.namespace,
    workflowExecution: { workflowId: runId, runId: first },
    workflowTaskFinishEventId: begun?.eventId ?? null,
    reason: "a person asks for it in the Web UI",
    requestId: runId,
  });
  await until("the workflow to begin again", async () => {
    const { runId: now } = await client.workflow.getHandle(runId).describe();
    return now !== first;
  });
  expect(await endOf(runId)).toBe("COMPLETED");
  expect(await engine.finished(runId)).toEqual(before);
});
