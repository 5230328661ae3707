import { expect, test } from "vitest";
import { FencedError } from "../../src/errors.ts";
import { createId } from "../../src/ids.ts";
import { beginAttempt, loadRun } from "../../src/runs/attempts.ts";
import { cancelRun } from "../../src/runs/cancel.ts";
import { beginGated, createSeal, isLedgerConflict, sealRows, type StepRow } from "../../src/runs/ledger.ts";
import { loadRows } from "../../src/runs/known-rows.ts";
import { inTransaction } from "../../src/sql.ts";
import { createTestDatabase } from "../support/database.ts";
import { until } from "../support/until.ts";
import { enqueue, insertWorkflow, insertWorkspace } from "../support/rows.ts";

const { pool } = await createTestDatabase();
const workspaceId = await insertWorkspace(pool);
const workflow = { workspaceId, ...(await insertWorkflow(pool, workspaceId, "one")) };
await pool.query("create table tandem.effects (run_id uuid, note text)");

async function startedRun(): Promise<{ runId: string; fence: number }> {
  const runId = await enqueue(pool, {
    ...workflow,
    trigger: { id: "form", kind: "webhook", body: { email: "ada@x.example", none: null } },
  });
  await pool.query("update tandem.runs set status = 'running', started_at = now() where id = $1", [runId]);
  return { runId, fence: 1 };
}

function row(path: string, output: StepRow["output"] = { value: path }): StepRow {
  return {
    path,
    kind: "set",
    status: "done",
    outcome: null,
    verdict: { kind: "done" },
    input: null,
    output,
    error: null,
    attempts: 1,
    attempt: null,
    lane: "quick",
    startedAt: new Date(),
    endedAt: new Date(),
  };
}

/** An effect as a step has it: a row elsewhere that must land with the result or not at all. */
async function act(key: { runId: string; fence: number }, path: string, note: string, riders: StepRow[] = []) {
  const seal = createSeal(key, { ...row(path), input: null }, riders);
  const statement = seal.begin();
  statement.with(
    "done",
    `insert into tandem.effects select g.run_id, ${statement.param(note, "text")} from gate g returning note`,
  );
  return seal.commit(pool, statement, {
    from: "done",
    output: "jsonb_build_object('note', note)",
    outcome: "'created'",
  });
}

async function effects(runId: string): Promise<string[]> {
  const { rows } = await pool.query<{ note: string }>("select note from tandem.effects where run_id = $1", [runId]);
  return rows.map((found) => found.note);
}

async function paths(runId: string): Promise<string[]> {
  const { rows } = await pool.query<{ path: string }>(
    "select path from tandem.step_results where run_id = $1 order by ordinal",
    [runId],
  );
  return rows.map((found) => found.path);
}

test("an effect, the results it rests on and its own result commit as one", async () => {
  const key = await startedRun();
  expect(await act(key, "create", "a", [row("found"), row("company")])).toEqual({
    output: { note: "a" },
    outcome: "created",
  });
  expect(await paths(key.runId)).toEqual(["found", "company", "create"]);
});

test("of twenty attempts of one step at once one acts, and the others hear that it did", async () => {
  const key = await startedRun();
  const attempts = await Promise.allSettled(Array.from({ length: 20 }, (_, i) => act(key, "create", `attempt ${i}`)));
  const lost = attempts.filter((attempt) => attempt.status === "rejected");
  expect(lost).toHaveLength(19);
  for (const { reason } of lost as PromiseRejectedResult[]) expect(isLedgerConflict(reason)).toBe(true);
  expect(await effects(key.runId)).toHaveLength(1);
});

test("an attempt under an older fence changes nothing", async () => {
  const key = await startedRun();
  await pool.query("update tandem.runs set fence = 2 where id = $1", [key.runId]);
  await expect(act(key, "create", "late")).rejects.toBeInstanceOf(FencedError);
  await expect(sealRows(pool, key, [row("found")])).rejects.toBeInstanceOf(FencedError);
  expect(await effects(key.runId)).toEqual([]);
  expect(await paths(key.runId)).toEqual([]);
});

test("a cancelled run takes no more changes from the moment the cancel is committed", async () => {
  const key = await startedRun();
  await cancelRun(pool, { workspaceId, runId: key.runId });
  await expect(act(key, "create", "late")).rejects.toBeInstanceOf(FencedError);
  await expect(cancelRun(pool, { workspaceId, runId: key.runId })).resolves.toBeUndefined();
});

test("a run of another workspace cannot be cancelled, nor one that is over", async () => {
  const key = await startedRun();
  await expect(cancelRun(pool, { workspaceId: createId(), runId: key.runId })).rejects.toMatchObject({ status: 404 });
  await sealRows(pool, key, [], { status: "completed", output: { ok: true }, error: null });
  await expect(cancelRun(pool, { workspaceId, runId: key.runId })).rejects.toMatchObject({ status: 409 });
});

test("closing waits for a transaction that holds the gate, and what comes later is too late", async () => {
  const key = await startedRun();
  const order: string[] = [];
  let closing: Promise<void> | undefined;
  await inTransaction(pool, async (sql) => {
    const statement = beginGated(key, { locked: true });
    await sql.query(statement.query("select 1 from gate"));
    closing = sealRows(pool, key, [], { status: "completed", output: null, error: null }).then(
      () => void order.push("closed"),
    );
    await until("the close to wait for the lock", async () => {
      const { rows } = await pool.query(
        "select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like '%closed%' and datname = current_database()",
      );
      return rows.length > 0;
    });
    order.push("committed");
  });
  await closing;
  expect(order).toEqual(["committed", "closed"]);
});

test("a session that stops in the middle of a transaction is rolled back by Postgres", async () => {
  const key = await startedRun();
  const stalled = inTransaction(pool, async (sql) => {
    const statement = beginGated(key, { locked: true });
    await sql.query(statement.query("select 1 from gate"));
    await until("the session to be ended", async () => {
      const { rows } = await pool.query(
        "select 1 from pg_stat_activity where state = 'idle in transaction' and datname = current_database()",
      );
      return rows.length === 0;
    });
    await sql.query("insert into tandem.effects values ($1, 'from the dead')", [key.runId]);
  });
  await expect(stalled).rejects.toThrow(/terminat|not queryable|connection/i);
  expect(await effects(key.runId)).toEqual([]);
});

test("a step loads just the paths that its expressions name, and tells null from missing", async () => {
  const key = await startedRun();
  await sealRows(pool, key, [row("found", { first: { id: "7", note: null }, records: ["x".repeat(200_000)] })]);
  const needs = {
    trigger: [
      ["body", "email"],
      ["body", "none"],
      ["body", "absent"],
    ],
    rows: [
      {
        path: "found",
        subs: [
          ["first", "id"],
          ["first", "note"],
          ["first", "absent"],
        ],
        error: false,
      },
    ],
    loops: [],
  };
  const begun = await beginAttempt(pool, key, "next", needs);
  if (begun.kind !== "begun") throw new Error(begun.kind);
  expect(Object.fromEntries(begun.run.trigger)).toEqual({ "body\u0000email": "ada@x.example", "body\u0000none": null });
  expect(Object.fromEntries(begun.rows.get("found")!.parts)).toEqual({ "first\u0000id": "7", "first\u0000note": null });
  expect(begun).toMatchObject({ attempt: 1, counted: 0 });
  expect(await loadRows(pool, key.runId, [])).toEqual(new Map());
});

test("a sealed step answers the next attempt, which leaves no row of its own", async () => {
  const key = await startedRun();
  await sealRows(pool, key, [row("found")]);
  expect(await beginAttempt(pool, key, "found", { trigger: [], rows: [], loops: [] })).toMatchObject({
    kind: "sealed",
    verdict: { kind: "done" },
  });
  const { rows } = await pool.query("select 1 from tandem.step_attempts where run_id = $1", [key.runId]);
  expect(rows).toEqual([]);
  expect((await loadRun(pool, key, { trigger: [], paths: ["found"] }))?.verdicts.get("found")).toEqual({
    kind: "done",
  });
});
