import { expect, test } from "vitest";
import { loadRun } from "../../src/runs/attempts.ts";
import { createTestDatabase } from "../support/database.ts";
import { enqueue, insertWorkflow, insertWorkspace } from "../support/rows.ts";

const { pool } = await createTestDatabase();
const workspaceId = await insertWorkspace(pool);
const workflow = { workspaceId, ...(await insertWorkflow(pool, workspaceId, "lists")) };
const records = Array.from({ length: 1_234 }, (_, number) => ({ number, name: `Record ${number}` }));

async function load(runId: string, ...paths: string[][]): Promise<Map<string, unknown>> {
  await pool.query("update tandem.runs set status = 'running', started_at = now() where id = $1", [runId]);
  const loaded = await loadRun(pool, { runId, fence: 1 }, { trigger: paths, paths: [] });
  return new Map(loaded?.run.trigger);
}

test("a long list of a trigger is kept beside the run, and read in its order like any other part", async () => {
  const trigger = { id: "launch", kind: "manual", object: "person" };
  const runId = await enqueue(pool, { ...workflow, trigger, lists: { records, none: [] } });
  const { rows } = await pool.query("select trigger from tandem.runs where id = $1", [runId]);
  expect(rows[0].trigger).toEqual({ ...trigger, records: { count: 1_234 }, none: { count: 0 } });

  const parts = await load(runId, ["object"], ["records"], ["records", "777", "name"], ["none"]);
  expect(parts.get("object")).toBe("person");
  expect(parts.get("records")).toEqual(records);
  expect(parts.get("records\u0000777\u0000name")).toBe("Record 777");
  expect(parts.get("none")).toEqual([]);
});

test("the whole trigger holds its lists, and a list that nothing reads stays where it is", async () => {
  const trigger = { id: "launch", kind: "manual" };
  const runId = await enqueue(pool, { ...workflow, trigger, lists: { records: records.slice(0, 3) } });
  expect((await load(runId, [])).get("")).toEqual({ ...trigger, records: records.slice(0, 3) });
  expect((await load(runId, ["kind"])).get("kind")).toBe("manual");
});
