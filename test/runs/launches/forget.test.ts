import { expect, test } from "vitest";
import { createId } from "../../../src/ids.ts";
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
