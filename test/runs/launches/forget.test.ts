import { expect, test } from "vitest";
import { StepError } from "../../../src/errors.ts";
import { createId } from "../../../src/ids.ts";
import { failLaunch } from "../../../src/runs/launches/expand.ts";
import { forgetLaunches } from "../../../src/runs/launches/forget.ts";
import { createTestDatabase } from "../../support/database.ts";
import { enqueue, insertWorkflow, insertWorkspace } from "../../support/rows.ts";

const { pool } = await createTestDatabase();

test("launches are forgotten when they were over long ago and none of their runs is left", async () => {
  const workspaceId = await insertWorkspace(pool);
  const workflow = { workspaceId, ...(await insertWorkflow(pool, workspaceId, "launched")) };
  const launch = async (status: string, endedAt: string | null): Promise<string> => {
    const id = createId();
    await pool.query(
      `insert into tandem.launches (workflow_id, launch_id, id, workspace_id, status, launched_by, ended_at)
       values ($1, $2::uuid::text, $2::uuid, $3, $4, '{}', $5)`,
      [workflow.workflowId, id, workspaceId, status, endedAt],
    );
    return id;
  };
  await launch("started", "2026-01-01");
  await launch("refused", "2026-01-02");
  const kept = [
    await launch("started", "2026-01-01"),
    await launch("starting", null),
    await launch("cancelled", "2026-03-01"),
  ];
  await enqueue(pool, { ...workflow, launchedBy: { kind: "signal", launch: kept[0]! } });
  expect(await forgetLaunches(pool, new Date("2026-02-01"))).toBe(2);
  const { rows } = await pool.query<{ id: string }>("select id from tandem.launches order by id");
  expect(rows.map(({ id }) => id)).toEqual(kept);
});

test("of a launch over all records that fails in the middle no list is left, as it makes no run", async () => {
  const workspaceId = await insertWorkspace(pool);
  const { workflowId } = await insertWorkflow(pool, workspaceId, "failing");
  const [id, runId] = [createId(), createId()];
  await pool.query(
    `insert into tandem.launches (workflow_id, launch_id, id, workspace_id, status, launched_by, run_id) values ($1, 'one', $2, $3, 'starting', '{}', $4)`,
    [workflowId, id, workspaceId, runId],
  );
  await pool.query("insert into tandem.run_lists (run_id, name, page, items) values ($1, 'records', 0, '[1]')", [
    runId,
  ]);
  await failLaunch(pool, id, new StepError("unknown-view", "It is gone."));
  const { rows: launches } = await pool.query("select status, error from tandem.launches where id = $1", [id]);
  expect(launches).toEqual([{ status: "failed", error: { code: "unknown-view", message: "It is gone." } }]);
  expect((await pool.query("select 1 from tandem.run_lists where run_id = $1", [runId])).rows).toEqual([]);
});
