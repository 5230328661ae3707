import { expect, test } from "vitest";
import { admit } from "../../../src/runs/admission.ts";
import { readWait } from "../../../src/runs/attempts.ts";
import { tellCallers } from "../../../src/runs/calls/tell.ts";
import { closeAs } from "../../../src/runs/close.ts";
import { unreadWaits } from "../../../src/runs/leases.ts";
import { FencedError } from "../../../src/errors.ts";
import { makeDue, settleBeside } from "../../../src/runs/waits/due.ts";
import { waitUntil } from "../../../src/runs/waits/open.ts";
import { parkRun, waitForSlot } from "../../../src/runs/waits/park.ts";
import { createTestDatabase } from "../../support/database.ts";
import { enqueue, insertWorkflow, insertWorkspace } from "../../support/rows.ts";

const { pool } = await createTestDatabase();
const workspaceId = await insertWorkspace(pool, { limit: 1_000 });
const workflow = { workspaceId, ...(await insertWorkflow(pool, workspaceId, "waits")) };

const later = (): Date => new Date(Date.now() + 3_600_000);

async function runningRun(): Promise<string> {
  const id = await enqueue(pool, workflow);
  await pool.query("update tandem.runs set status = 'running', started_at = now() where id = $1", [id]);
  return id;
}

const open = (runId: string, path: string, until = later()): Promise<string> =>
  waitUntil(pool, { runId, fence: 1 }, { path, until, beside: true });

async function stateOf(runId: string): Promise<{ status: string; due: boolean }> {
  const { rows } = await pool.query<{ status: string; due: boolean }>(
    "select status, due_at <= now() as due from tandem.runs where id = $1",
    [runId],
  );
  return rows[0]!;
}

const admitAll = async (): Promise<string[]> =>
  (await admit(pool, { workspaceId, owner: "test", most: 1_000 })).admitted.map(({ runId }) => runId);

test("a run is parked while all its waits lie ahead, and asks for a slot when the first is due", async () => {
  const runId = await runningRun();
  await open(runId, "one", new Date(Date.now() + 1_800_000));
  const second = await open(runId, "two");
  expect(await parkRun(pool, { runId, fence: 1 })).toBe(true);
  expect(await stateOf(runId)).toEqual({ status: "waiting", due: false });
  expect(await admitAll()).not.toContain(runId);
  await makeDue(pool, { runId, waitId: second });
  expect(await admitAll()).toContain(runId);
  // Only what is due is settled; the other waits on.
  expect(await readWait(pool, { runId, waitId: second })).toBe(true);
  expect(await readWait(pool, { runId, waitId: "one#timer" })).toBe(false);
  expect(await parkRun(pool, { runId, fence: 1 })).toBe(true);
});

test("a run one of whose waits is due, or was settled and is not read yet, is not parked", async () => {
  const runId = await runningRun();
  await open(runId, "one");
  const second = await open(runId, "two", new Date(Date.now() - 1_000));
  expect(await parkRun(pool, { runId, fence: 1 })).toBe(false);
  expect(await settleBeside(pool)).toContain(runId);
  expect(await parkRun(pool, { runId, fence: 1 })).toBe(false);
  await readWait(pool, { runId, waitId: second });
  expect(await parkRun(pool, { runId, fence: 1 })).toBe(true);
});

test("whatever comes first, the wait or its end: no run is parked for good", async () => {
  for (let round = 0; round < 100; round++) {
    const runId = await runningRun();
    const waitId = await open(runId, "one");
    await Promise.all([parkRun(pool, { runId, fence: 1 }), makeDue(pool, { runId, waitId }), settleBeside(pool)]);
    const { status, due } = await stateOf(runId);
    expect(status === "running" || due).toBe(true);
    const goesOn = status === "waiting" ? await admitAll() : await settleBeside(pool);
    expect(status === "running" || goesOn.includes(runId)).toBe(true);
    expect(await readWait(pool, { runId, waitId })).toBe(true);
  }
});

test("a step that begins in a run that holds no slot waits for one, as often as it must", async () => {
  const runId = await runningRun();
  await open(runId, "one");
  await parkRun(pool, { runId, fence: 1 });
  for (let round = 0; round < 2; round++) {
    const waitId = await waitForSlot(pool, { runId, fence: 1 }, "two");
    expect(await readWait(pool, { runId, waitId })).toBe(false);
    expect(await admitAll()).toContain(runId);
    expect(await readWait(pool, { runId, waitId })).toBe(true);
    expect(await parkRun(pool, { runId, fence: 1 })).toBe(true);
  }
});

test("who has not read that its wait is over is rung, for as long as it may be waiting for it", async () => {
  const runId = await runningRun();
  await open(runId, "one", new Date(Date.now() - 1_000));
  await settleBeside(pool);
  const ring = async (settled: string): Promise<boolean> => {
    await pool.query(
      `update tandem.waits set settled_at = now() - $2::interval, rung_at = now() - interval '3 seconds' where run_id = $1`,
      [runId, settled],
    );
    return (await unreadWaits(pool)).includes(runId);
  };
  expect([await ring("3 seconds"), await ring("9 minutes"), await ring("11 minutes")]).toEqual([true, true, false]);
});

test("who has not read so for long is rung ever more rarely, and not for ever", async () => {
  const runId = await runningRun();
  await open(runId, "one", new Date(Date.now() - 1_000));
  await settleBeside(pool);
  const ring = async (settled: string, rung: string): Promise<boolean> => {
    await pool.query(
      `update tandem.waits set settled_at = now() - $2::interval, rung_at = now() - $3::interval where run_id = $1`,
      [runId, settled, rung],
    );
    return (await unreadWaits(pool)).includes(runId);
  };
  expect(await ring("20 minutes", "1 minute")).toBe(false);
  expect(await ring("20 minutes", "5 minutes")).toBe(true);
  expect(await ring("6 days", "50 minutes")).toBe(false);
  expect(await ring("6 days", "61 minutes")).toBe(true);
  expect(await ring("8 days", "2 hours")).toBe(false);
});

test("a wait whose moment lies ahead is not over since its run was given a slot for something else", async () => {
  const runId = await runningRun();
  const key = { runId, fence: 1 };
  const waitId = await waitUntil(pool, key, { path: "one", until: later(), beside: false });
  // A workflow that was reset begins with another step.
  const slot = await waitForSlot(pool, key, "zero");
  expect(await admitAll()).toContain(runId);
  expect(await readWait(pool, { runId, waitId: slot })).toBe(true);
  expect(await readWait(pool, { runId, waitId })).toBe(false);
});

test("a wait that is opened after its run was parked is in time, too", async () => {
  const runId = await runningRun();
  await open(runId, "one");
  expect(await parkRun(pool, { runId, fence: 1 })).toBe(true);
  await open(runId, "two", new Date(Date.now() - 1_000));
  expect(await admitAll()).toContain(runId);
  expect(await readWait(pool, { runId, waitId: "two#timer" })).toBe(true);
});

test("whatever comes first, the parking or a wait: no run sleeps longer than the wait", async () => {
  for (let round = 0; round < 50; round++) {
    const runId = await runningRun();
    await open(runId, "one");
    await Promise.all([parkRun(pool, { runId, fence: 1 }), open(runId, "two", new Date(Date.now() - 1_000))]);
    const goesOn = (await stateOf(runId)).status === "waiting" ? await admitAll() : await settleBeside(pool);
    expect(goesOn).toContain(runId);
  }
});

test("a run under another fence neither waits nor is parked", async () => {
  const runId = await runningRun();
  await open(runId, "one");
  await pool.query("update tandem.runs set fence = 2 where id = $1", [runId]);
  await expect(open(runId, "two")).rejects.toThrow(FencedError);
  await expect(parkRun(pool, { runId, fence: 1 })).rejects.toThrow(FencedError);
  await expect(waitForSlot(pool, { runId, fence: 1 }, "two")).rejects.toThrow(FencedError);
  expect(await stateOf(runId)).toMatchObject({ status: "running" });
});

test("a wait that is opened while the run is closed brings the run back to nothing", async () => {
  const runId = await runningRun();
  await Promise.allSettled([
    closeAs(pool, { runId, fence: 1, status: "failed", error: null }),
    waitUntil(pool, { runId, fence: 1 }, { path: "one", until: later(), beside: false }),
  ]);
  const { rows } = await pool.query("select status, ended_at is not null as over from tandem.runs where id = $1", [
    runId,
  ]);
  expect(rows).toEqual([{ status: "failed", over: true }]);
});

test("a called run starts in its caller's slot: neither goes beyond the limit, and it goes before what is new", async () => {
  const small = await insertWorkspace(pool, { limit: 1 });
  const own = { workspaceId: small, ...(await insertWorkflow(pool, small, "small")) };
  const admitSmall = async (): Promise<string[]> =>
    (await admit(pool, { workspaceId: small, owner: "test", most: 10 })).admitted.map(({ runId }) => runId);
  const caller = await enqueue(pool, own);
  expect(await admitSmall()).toEqual([caller]);
  const next = await enqueue(pool, own);
  await pool.query("update tandem.runs set status = 'waiting' where id = $1", [caller]);
  const called = await enqueue(pool, {
    ...own,
    priority: "called",
    caller: { runId: caller, path: "call", waits: true, givesSlot: true },
  });
  await pool.query("insert into tandem.waits (run_id, id, kind) values ($1, 'call#call', 'call')", [caller]);
  expect(await admitSmall()).toEqual([called]);
  expect(await admitSmall()).toEqual([]);
  await closeAs(pool, { runId: called, fence: 1, status: "failed", error: null });
  await tellCallers(pool);
  // Its caller was here before: it goes before what is new.
  expect(await admitSmall()).toEqual([caller]);
  expect(await readWait(pool, { runId: caller, waitId: "call#call" })).toBe(true);
  await closeAs(pool, { runId: caller, fence: 1, status: "failed", error: null });
  expect(await admitSmall()).toEqual([next]);
});
