import { expect, test } from "vitest";
import { beginAttempt } from "../../src/runs/attempts.ts";
import { closeAs, closeCancelled } from "../../src/runs/close.ts";
import { sealRows, type RunKey } from "../../src/runs/ledger.ts";
import { waitUntil } from "../../src/runs/waits/open.ts";
import { createTestDatabase } from "../support/database.ts";
import { enqueue, insertWorkflow, insertWorkspace } from "../support/rows.ts";

const { pool } = await createTestDatabase();
const workspaceId = await insertWorkspace(pool);
const workflow = { workspaceId, ...(await insertWorkflow(pool, workspaceId, "one")) };

/** A run two of whose steps are beside each other: one is being tried, the other waits. */
async function busyRun(): Promise<RunKey> {
  const key = { runId: await enqueue(pool, workflow), fence: 1 };
  await pool.query("update tandem.runs set status = 'running', started_at = now() where id = $1", [key.runId]);
  await beginAttempt(pool, key, "tried", { trigger: [], rows: [], loops: [] });
  await waitUntil(pool, key, { path: "waits", until: new Date(Date.now() + 3_600_000), beside: true });
  return key;
}

async function openOf({ runId }: RunKey): Promise<unknown> {
  const { rows } = await pool.query(
    `select (select count(*) from tandem.step_attempts where run_id = $1 and ended_at is null) as attempts,
       (select count(*) from tandem.waits where run_id = $1 and settled_at is null) as waits`,
    [runId],
  );
  return rows[0];
}

test.each<{ ends: string; close: (key: RunKey) => Promise<unknown> }>([
  {
    ends: "is completed",
    close: (key) => sealRows(pool, key, [], { status: "completed", output: null, error: null }),
  },
  {
    ends: "fails",
    close: (key) => sealRows(pool, key, [], { status: "failed", output: null, error: { code: "x", message: "x" } }),
  },
  { ends: "is cancelled", close: (key) => closeCancelled(pool, key) },
  { ends: "was ended in Temporal", close: (key) => closeAs(pool, { ...key, status: "failed", error: null }) },
])("a run that $ends leaves no try and no wait open", async ({ close }) => {
  const [key, other] = [await busyRun(), await busyRun()];
  await expect(closeAs(pool, { ...key, fence: 0, status: "failed", error: null })).resolves.toBeUndefined();
  expect(await openOf(key)).toEqual({ attempts: 1, waits: 1 });
  await close(key);
  expect(await openOf(key)).toEqual({ attempts: 0, waits: 0 });
  expect(await openOf(other)).toEqual({ attempts: 1, waits: 1 });
});
