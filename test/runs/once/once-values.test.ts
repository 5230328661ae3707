import { expect, test } from "vitest";
import { createId } from "../../../src/ids.ts";
import { listOnce } from "../../../src/runs/once/list.ts";
import { holdOnce, lockOnce, type OnceKey, type OnceStanding } from "../../../src/runs/once/once-values.ts";
import { takeFromClosed } from "../../../src/runs/once/settle.ts";
import { takeOnce } from "../../../src/runs/once/take.ts";
import { markSending, storeCall } from "../../../src/runs/outside-calls.ts";
import { inTransaction } from "../../../src/sql.ts";
import { createTestDatabase } from "../../support/database.ts";
import { enqueue, insertWorkflow, insertWorkspace } from "../../support/rows.ts";

const { pool } = await createTestDatabase();
const workspaceId = await insertWorkspace(pool);
const workflow = { workspaceId, ...(await insertWorkflow(pool, workspaceId, "once")) };
const path = "charge";

const onceOf = (value: string): OnceKey => ({ workspaceId, workflowId: workflow.workflowId, stepId: path, value });

async function startRun(): Promise<string> {
  const runId = await enqueue(pool, workflow);
  await pool.query("update tandem.runs set status = 'running', started_at = now() where id = $1", [runId]);
  return runId;
}

const close = (runId: string) =>
  pool.query("update tandem.runs set status = 'cancelled', ended_at = now(), fence = fence + 1 where id = $1", [runId]);
const standing = (value: string, runId: string): Promise<OnceStanding> =>
  inTransaction(pool, (sql) => lockOnce(sql, onceOf(value), { runId, path }));
const take = (value: string, runId: string, resends = true) =>
  takeOnce(pool, onceOf(value), { key: { runId, fence: 1 }, path, beside: false, resends });

async function send(runId: string, { repeatable }: { repeatable: boolean }): Promise<void> {
  const key = { runId, fence: 1 };
  await storeCall(pool, key, { path, key: "k", request: { n: 1 }, repeatable });
  await markSending(pool, key, { path, attempt: 1 });
}

test("a value belongs to the first that asks, and stays its own", async () => {
  const [first, second] = [await startRun(), await startRun()];
  const taken = await take("first", first);
  expect(taken).toMatchObject({ kind: "held" });
  expect(await take("first", first)).toEqual(taken);
  expect(await take("first", second)).toMatchObject({ kind: "waiting", waitId: "charge#once-1" });
  const { rows } = await pool.query("select status from tandem.runs where id = $1", [second]);
  expect(rows).toEqual([{ status: "waiting" }]);
});

test("of many that ask at once one has it", async () => {
  const runs = await Promise.all(Array.from({ length: 10 }, startRun));
  const taken = await Promise.all(runs.map((runId) => take("many", runId)));
  expect(taken.filter(({ kind }) => kind === "held")).toHaveLength(1);
  expect(taken.filter(({ kind }) => kind === "waiting")).toHaveLength(9);
});

test("a run that ended without sending leaves it to the next, under another key", async () => {
  const [first, second] = [await startRun(), await startRun()];
  const before = await take("ended", first);
  await close(first);
  const after = await take("ended", second);
  expect(after).toMatchObject({ kind: "held" });
  expect(after).not.toMatchObject({ key: (before as { key: string }).key });
});

test("a run that ended while it sent leaves it in doubt, or to the next where the request may be repeated", async () => {
  const [sure, unsure, repeated] = [await startRun(), await startRun(), await startRun()];
  await take("lost", unsure);
  await send(unsure, { repeatable: false });
  await close(unsure);
  expect(await take("lost", sure)).toMatchObject({ kind: "unsure", runId: unsure });
  const before = await take("again", repeated);
  await send(repeated, { repeatable: true });
  await close(repeated);
  expect(await take("again", sure, false)).toMatchObject({ kind: "unsure" });
  expect(await take("again", sure)).toMatchObject({ kind: "held", key: (before as { key: string }).key });
  const { rows } = await pool.query(
    "select request, sending_since is not null as unsure from tandem.outside_calls where run_id = $1",
    [sure],
  );
  expect(rows).toEqual([{ request: { n: 1 }, unsure: true }]);
});

test("what a run that is over holds is settled before the run is forgotten", async () => {
  const [idle, sent] = [await startRun(), await startRun()];
  await take("idle", idle);
  await take("sent", sent);
  await send(sent, { repeatable: false });
  await Promise.all([close(idle), close(sent)]);
  await takeFromClosed(pool);
  await pool.query("delete from tandem.runs where id = any($1)", [[idle, sent]]);
  const next = await startRun();
  expect(await standing("idle", next)).toMatchObject({ kind: "free" });
  expect(await standing("sent", next)).toMatchObject({ kind: "unsure" });
  const listed = await listOnce(pool, { workspaceId, value: "sent", limit: 5 });
  expect(listed).toMatchObject([{ state: "unsure", runId: sent }]);
});

test("of a holder that nobody knows anything of it is not known whether it acted", async () => {
  const gone = { key: { runId: createId(), fence: 1 }, path };
  const before = await standing("gone", gone.key.runId);
  if (before.kind !== "free") throw new Error(before.kind);
  await holdOnce(pool, before, gone);
  expect(await standing("gone", await startRun())).toMatchObject({ kind: "unsure" });
});
