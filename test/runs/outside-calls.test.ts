import { expect, test } from "vitest";
import { FencedError } from "../../src/errors.ts";
import type { RunKey } from "../../src/runs/ledger.ts";
import { findCall, markAnswered, markSending, saveProgress, storeCall } from "../../src/runs/outside-calls.ts";
import { createTestDatabase } from "../support/database.ts";
import { enqueue, insertWorkflow, insertWorkspace } from "../support/rows.ts";

const { pool } = await createTestDatabase();
const workspaceId = await insertWorkspace(pool);
const workflow = { workspaceId, ...(await insertWorkflow(pool, workspaceId, "calls")) };
const path = "charge";

async function storedCall({ repeatable = false } = {}): Promise<RunKey> {
  const runId = await enqueue(pool, workflow);
  await pool.query("update tandem.runs set status = 'running', started_at = now() where id = $1", [runId]);
  await storeCall(pool, { runId, fence: 1 }, { path, key: "k", request: { n: 1 }, repeatable });
  return { runId, fence: 1 };
}

const find = ({ runId }: RunKey) => findCall(pool, runId, path);
const mark = (key: RunKey, attempt: number) => markSending(pool, key, { path, attempt });

test("what is sent is stored once: another try's request counts for all", async () => {
  const key = await storedCall();
  const again = await storeCall(pool, key, { path, key: "k", request: { n: 2 }, repeatable: true });
  expect(again).toMatchObject({ request: { n: 1 }, repeatable: false });
});

test("a call that was begun and not answered is in doubt for the next try, and may not be sent", async () => {
  const key = await storedCall();
  expect(await mark(key, 1)).toBe("marked");
  expect(await find(key)).toMatchObject({ unsure: true });
  expect(await mark(key, 2)).toBe("in-doubt");
});

test("one that may be repeated is marked anew by the next try", async () => {
  const key = await storedCall({ repeatable: true });
  expect(await mark(key, 1)).toBe("marked");
  expect(await mark(key, 2)).toBe("marked");
});

test("an answered call is in no doubt", async () => {
  const key = await storedCall();
  await mark(key, 1);
  await markAnswered(pool, key, { path, attempt: 1 });
  expect(await mark(key, 2)).toBe("marked");
});

test("a try that was stopped and wakes up after a later one sends nothing, and clears nothing", async () => {
  const key = await storedCall();
  await mark(key, 2);
  await markAnswered(pool, key, { path, attempt: 2 });
  await expect(mark(key, 1)).rejects.toThrow(FencedError);
  await mark(key, 3);
  await markAnswered(pool, key, { path, attempt: 2 });
  await saveProgress(pool, key, { path, attempt: 2 }, { old: true });
  expect(await find(key)).toMatchObject({ unsure: true, progress: {} });
});

test("of many tries at once one sends", async () => {
  const key = await storedCall();
  const tries = await Promise.allSettled([1, 2, 3, 4, 5, 6, 7, 8].map((attempt) => mark(key, attempt)));
  const came = tries.map((one) => (one.status === "fulfilled" ? one.value : (one.reason as Error).name));
  expect(came.filter((word) => word === "marked")).toHaveLength(1);
  expect(came.every((word) => ["marked", "in-doubt", "FencedError"].includes(word))).toBe(true);
});

test("nothing is sent for a run that is closed or was started anew", async () => {
  const key = await storedCall();
  await pool.query("update tandem.runs set fence = 2 where id = $1", [key.runId]);
  await expect(mark(key, 1)).rejects.toThrow(FencedError);
  await expect(saveProgress(pool, key, { path, attempt: 1 }, {})).rejects.toThrow(FencedError);
});
