import { expect, test } from "vitest";
import { admit, workspacesWithWork, type Admitted } from "../../src/runs/admission.ts";
import { pauseWorkflow, resumeWorkflow } from "../../src/catalog/pausing.ts";
import { cancelRun } from "../../src/runs/cancel.ts";
import { failAttempt, readWait } from "../../src/runs/attempts.ts";
import { closeCancelled, releaseKey } from "../../src/runs/close.ts";
import { markStarted, takeOverStarts } from "../../src/runs/leases.ts";
import { createId } from "../../src/ids.ts";
import { inTransaction } from "../../src/sql.ts";
import { createTestDatabase } from "../support/database.ts";
import { until } from "../support/until.ts";
import { enqueue, insertWorkflow, insertWorkspace } from "../support/rows.ts";

const { pool } = await createTestDatabase();

async function workspaceWith(limit: number, keys: string[]) {
  const workspaceId = await insertWorkspace(pool, { limit });
  const workflows = await Promise.all(keys.map((key) => insertWorkflow(pool, workspaceId, key)));
  return { workspaceId, workflows: workflows.map((workflow) => ({ workspaceId, ...workflow })) };
}

async function admitAll(workspaceId: string, most = 1_000): Promise<readonly Admitted[]> {
  return (await admit(pool, { workspaceId, owner: "test", most })).admitted;
}

async function close(runId: string): Promise<void> {
  expect(await closeCancelled(pool, { runId, fence: 1 })).toBe(true);
  await releaseKey(pool, runId);
}

test("no more runs than the workspace's limit hold a slot, whoever admits", async () => {
  const { workspaceId, workflows } = await workspaceWith(5, ["one"]);
  for (let i = 0; i < 20; i++) await enqueue(pool, workflows[0]!);
  const rounds = await Promise.all(Array.from({ length: 8 }, () => admitAll(workspaceId)));
  expect(rounds.flat()).toHaveLength(5);
  expect(await admitAll(workspaceId)).toHaveLength(0);
});

test("only workspaces in which something wants to run are looked at, each once", async () => {
  const before = new Set(await workspacesWithWork(pool));
  const made = await Promise.all(Array.from({ length: 5 }, () => workspaceWith(1, ["one"])));
  const [idle, ready, keyed, due, later] = made.map(({ workflows }) => workflows[0]!);
  for (let i = 0; i < 3; i++) await enqueue(pool, ready!);
  await enqueue(pool, { ...keyed!, concurrency: { key: "ada", limit: 1, scope: "workflow" } });
  for (const [workflow, dueAt] of [
    [due!, "now() - interval '1 second'"],
    [later!, "now() + interval '1 hour'"],
  ] as const) {
    const id = await enqueue(pool, workflow);
    await pool.query(`update tandem.runs set status = 'waiting', due_at = ${dueAt} where id = $1`, [id]);
  }
  const found = (await workspacesWithWork(pool)).filter((id) => !before.has(id));
  expect(found.toSorted()).toEqual([ready, keyed, due].map((one) => one!.workspaceId).toSorted());
  expect(found).not.toContain(idle!.workspaceId);
});

test("a transaction that enqueues runs, however long it takes, keeps no other run of its workspace waiting", async () => {
  const { workspaceId, workflows } = await workspaceWith(5, ["one"]);
  const first = await enqueue(pool, workflows[0]!);
  await inTransaction(pool, async (sql) => {
    await enqueue(sql, workflows[0]!);
    expect((await admitAll(workspaceId)).map((run) => run.runId)).toEqual([first]);
  });
  expect(await admitAll(workspaceId)).toHaveLength(1);
});

test("where no run may be started now, those with a concurrency key are judged all the same", async () => {
  const { workspaceId, workflows } = await workspaceWith(5, ["one"]);
  const concurrency = { key: "ada", limit: 1, scope: "workflow", whenBusy: "skip" } as const;
  for (let i = 0; i < 2; i++) await enqueue(pool, { ...workflows[0]!, concurrency });
  expect(await admitAll(workspaceId, 0)).toEqual([]);
  const { rows } = await pool.query("select status, ready from tandem.runs where workspace_id = $1 order by id", [
    workspaceId,
  ]);
  expect(rows).toMatchObject([{ status: "queued", ready: true }, { status: "skipped" }]);
});

test("a limit of 0 holds admission", async () => {
  const { workspaceId, workflows } = await workspaceWith(0, ["one"]);
  await enqueue(pool, workflows[0]!);
  expect(await admitAll(workspaceId)).toHaveLength(0);
});

test("the oldest goes first, a manual run before the others", async () => {
  const { workspaceId, workflows } = await workspaceWith(1, ["one"]);
  const first = await enqueue(pool, workflows[0]!);
  await enqueue(pool, workflows[0]!);
  const manual = await enqueue(pool, { ...workflows[0]!, priority: "manual" });
  expect((await admitAll(workspaceId)).map((run) => run.runId)).toEqual([manual]);
  await close(manual);
  expect((await admitAll(workspaceId)).map((run) => run.runId)).toEqual([first]);
});

test("workflows take turns: a backlog of one does not keep another waiting", async () => {
  const { workspaceId, workflows } = await workspaceWith(4, ["busy", "quiet"]);
  const [busy, quiet] = workflows;
  for (let i = 0; i < 10; i++) await enqueue(pool, busy!);
  expect(await admitAll(workspaceId, 3)).toHaveLength(3);
  const late = await enqueue(pool, quiet!);
  expect((await admitAll(workspaceId)).map((run) => run.runId)).toEqual([late]);
});

test("of one concurrency key as many go at once as it allows, the oldest first, the next when one closes", async () => {
  const { workspaceId, workflows } = await workspaceWith(100, ["keyed"]);
  const concurrency = { key: "ada", limit: 2, scope: "workflow" as const };
  const ids: string[] = [];
  for (let i = 0; i < 5; i++) ids.push(await enqueue(pool, { ...workflows[0]!, concurrency }));
  await enqueue(pool, { ...workflows[0]!, concurrency: { ...concurrency, key: "other" } });
  const admitted = (await admitAll(workspaceId)).map((run) => run.runId);
  expect(admitted).toHaveLength(3);
  expect(admitted).toEqual(expect.arrayContaining(ids.slice(0, 2)));
  expect(await admitAll(workspaceId)).toHaveLength(0);
  await close(ids[1]!);
  expect((await admitAll(workspaceId)).map((run) => run.runId)).toEqual([ids[2]]);
});

test("while several dispatchers judge, no close is missed by those who stand in line, and no limit is passed", async () => {
  const { workspaceId, workflows } = await workspaceWith(100, ["busy"]);
  const keys = ["ada", "bob", "eve"];
  const total = 240;
  const keyOf = new Map<string, string>();
  const holding = new Map(keys.map((key) => [key, 0]));
  let [most, closed] = [0, 0];

  async function comeAndGo(): Promise<void> {
    for (let number = 0; number < total / 4; number++) {
      const key = keys[number % keys.length]!;
      const id = createId();
      keyOf.set(id, key);
      await enqueue(pool, { ...workflows[0]!, id, concurrency: { key, limit: 2, scope: "workflow" } });
    }
  }
  async function dispatch(): Promise<void> {
    while (closed < total) {
      const admitted = await admitAll(workspaceId, 5);
      await Promise.all(admitted.map(({ runId }) => work(keyOf.get(runId)!, runId)));
    }
  }
  async function work(key: string, runId: string): Promise<void> {
    holding.set(key, holding.get(key)! + 1);
    most = Math.max(most, ...holding.values());
    await markStarted(pool, [runId]);
    holding.set(key, holding.get(key)! - 1);
    await close(runId);
    closed += 1;
  }

  await Promise.all([comeAndGo(), comeAndGo(), comeAndGo(), comeAndGo(), dispatch(), dispatch(), dispatch()]);
  expect(closed).toBe(total);
  expect(most).toBeLessThanOrEqual(2);
});

test("a close between reading a key and judging it lets the next run go", async () => {
  const { workspaceId, workflows } = await workspaceWith(100, ["busy"]);
  const add = (key: string, whenBusy: "queue" | "replace" = "queue") =>
    enqueue(pool, { ...workflows[0]!, concurrency: { key, limit: 1, scope: "workflow", whenBusy } });
  const [holder] = [await add("ada"), await add("bob", "replace")];
  await admitAll(workspaceId);
  const replaced = await add("bob", "replace");
  await admitAll(workspaceId);
  // Whoever holds its row holds up the verdicts, in which it comes before the next one of the other key.
  const blocker = await pool.connect();
  await blocker.query("begin");
  await blocker.query("select 1 from tandem.runs where id = $1 for update", [replaced]);
  await add("bob", "replace");
  const next = await add("ada");
  const judging = admitAll(workspaceId);
  await untilBlocked("update tandem.runs");
  expect(await closeCancelled(pool, { runId: holder, fence: 1 })).toBe(true);
  const released = releaseKey(pool, holder);
  await blocker.query("commit");
  blocker.release();
  const admitted = [...(await judging), ...(await released.then(() => admitAll(workspaceId)))];
  expect(admitted.map(({ runId }) => runId)).toEqual([next]);
});

test("workflows share a key only where its scope is the workspace", async () => {
  const { workspaceId, workflows } = await workspaceWith(100, ["in", "out"]);
  for (const workflow of workflows) {
    await enqueue(pool, { ...workflow, concurrency: { key: "pair", limit: 1, scope: "workspace" } });
    await enqueue(pool, { ...workflow, concurrency: { key: "own", limit: 1, scope: "workflow" } });
  }
  expect(await admitAll(workspaceId)).toHaveLength(3);
});

test("a start that was leased and not finished is taken over when the lease is over", async () => {
  const { workspaceId, workflows } = await workspaceWith(100, ["one"]);
  const id = await enqueue(pool, workflows[0]!);
  await admitAll(workspaceId);
  expect(await takeOverStarts(pool, "other")).toEqual([]);
  await pool.query("update tandem.runs set lease_until = now() - interval '1 second' where id = $1", [id]);
  expect((await takeOverStarts(pool, "other")).map((run) => run.runId)).toEqual([id]);
  await markStarted(pool, [id]);
  expect(await takeOverStarts(pool, "third")).toEqual([]);
});

test("a run that waits gives its slot to others and gets one again before new runs of its workflow", async () => {
  const { workspaceId, workflows } = await workspaceWith(1, ["one"]);
  const waiting = await enqueue(pool, workflows[0]!);
  const next = await enqueue(pool, workflows[0]!);
  await admitAll(workspaceId);
  await markStarted(pool, [waiting]);
  const failed = {
    path: "tell",
    attempt: 1,
    error: { code: "mail-unavailable", message: "away" },
    startedAt: new Date(),
    pauseMs: 60_000,
  };
  expect(await failAttempt(pool, { runId: waiting, fence: 1 }, failed)).toEqual({ kind: "wait", waitId: "tell#1" });
  expect((await admitAll(workspaceId)).map((run) => run.runId)).toEqual([next]);
  await enqueue(pool, workflows[0]!);
  await close(next);
  expect(await readWait(pool, { runId: waiting, waitId: "tell#1" })).toBe(false);
  await pool.query("update tandem.runs set due_at = now() where id = $1", [waiting]);
  expect(await admitAll(workspaceId)).toMatchObject([{ runId: waiting, resumed: true }]);
  expect(await readWait(pool, { runId: waiting, waitId: "tell#1" })).toBe(true);
});

/** A run that has waited and whose moment has come. */
async function waitUntilDue(run: Parameters<typeof enqueue>[1]): Promise<string> {
  const id = await enqueue(pool, run);
  await pool.query("update tandem.runs set status = 'waiting', due_at = now(), started_at = now() where id = $1", [id]);
  return id;
}

test("runs whose wait is over take turns between workflows, however many of one there are", async () => {
  const { workspaceId, workflows } = await workspaceWith(4, ["many", "few"]);
  const many: string[] = [];
  for (let i = 0; i < 10; i++) many.push(await waitUntilDue(workflows[0]!));
  const few = await waitUntilDue(workflows[1]!);
  const admitted = (await admitAll(workspaceId)).map((run) => run.runId);
  expect(admitted.toSorted()).toEqual([...many.slice(0, 3), few].toSorted());
});

test("a paused workflow gets no slot, neither for new runs nor for those whose wait is over, and keeps others from none", async () => {
  const { workspaceId, workflows } = await workspaceWith(2, ["paused", "other"]);
  const [paused, other] = workflows;
  const waiting = await waitUntilDue(paused!);
  const queued: string[] = [];
  for (let i = 0; i < 5; i++) queued.push(await enqueue(pool, paused!));
  const others = [await enqueue(pool, other!), await enqueue(pool, other!)];
  await pauseWorkflow(pool, { workspaceId, workflowId: paused!.workflowId, note: null });
  expect((await admitAll(workspaceId)).map((run) => run.runId)).toEqual(others);
  for (const runId of others) await close(runId);
  expect(await admitAll(workspaceId)).toEqual([]);
  await resumeWorkflow(pool, { workspaceId, workflowId: paused!.workflowId });
  expect((await admitAll(workspaceId)).map((run) => [run.runId, run.resumed])).toEqual([
    [waiting, true],
    [queued[0], false],
  ]);
});

test("a run that is cancelled in the moment in which it would get a slot gets none", async () => {
  const { workspaceId, workflows } = await workspaceWith(5, ["one"]);
  const runId = await enqueue(pool, workflows[0]!);
  const canceller = await pool.connect();
  await canceller.query("begin");
  await cancelRun(canceller, { workspaceId, runId });
  const admitting = admitAll(workspaceId);
  await untilBlocked("with recursive held");
  await canceller.query("commit");
  canceller.release();
  expect(await admitting).toEqual([]);
  const { rows } = await pool.query("select status from tandem.runs where id = $1", [runId]);
  expect(rows).toEqual([{ status: "cancelled" }]);
});

/** Until a statement that begins so waits for somebody's lock. */
async function untilBlocked(statement: string): Promise<void> {
  await until("a statement to wait", async () => {
    const { rows } = await pool.query(
      "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like $1",
      [`${statement}%`],
    );
    return rows.length === 1;
  });
}
