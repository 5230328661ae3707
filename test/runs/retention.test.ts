import { expect, test } from "vitest";
import { firstIdAt } from "../../src/ids.ts";
import { createPartitions } from "../../src/migrations.ts";
import { sealRows, type StepRow } from "../../src/runs/ledger.ts";
import { forgetEvents } from "../../src/runs/record-events.ts";
import { forgetOldRuns } from "../../src/runs/retention.ts";
import { createTestDatabase } from "../support/database.ts";
import { enqueue, insertWorkflow, insertWorkspace } from "../support/rows.ts";

const { pool } = await createTestDatabase();
const workspaceId = await insertWorkspace(pool);
const workflow = { workspaceId, ...(await insertWorkflow(pool, workspaceId, "one")) };
const dayMs = 86_400_000;
const now = new Date();
let made = 0;

/** A run that was enqueued and, if it did, ended so many days ago. */
async function run({ enqueued, ended }: { enqueued: number; ended?: number }): Promise<string> {
  const at = new Date(now.getTime() - enqueued * dayMs);
  await createPartitions(pool, at);
  const id = firstIdAt(new Date(at.getTime() + ++made));
  await enqueue(pool, { ...workflow, id });
  await pool.query("update tandem.runs set status = 'running', started_at = now() where id = $1", [id]);
  const row: StepRow = {
    path: "x",
    kind: "set",
    status: "done",
    outcome: null,
    verdict: { kind: "done" },
    input: null,
    // A list that is kept as a page.
    output: ["x".repeat(1_048_577)],
    error: null,
    attempts: 1,
    attempt: null,
    lane: "quick",
    startedAt: at,
    endedAt: at,
  };
  await sealRows(pool, { runId: id, fence: 1 }, [row]);
  if (ended !== undefined)
    await pool.query("update tandem.runs set status = 'completed', ended_at = $2 where id = $1", [
      id,
      new Date(now.getTime() - ended * dayMs),
    ]);
  return id;
}

async function known(): Promise<string[]> {
  const { rows } = await pool.query<{ id: string }>("select id from tandem.runs order by id");
  const { rows: results } = await pool.query<{ id: string }>(
    "select run_id as id from tandem.step_results order by run_id",
  );
  expect(results).toEqual(rows);
  const { rows: pages } = await pool.query("select distinct run_id as id from tandem.step_lists order by run_id");
  expect(pages).toEqual(rows);
  return rows.map(({ id }) => id);
}

test("runs are forgotten by when they closed, whole days at once, and what is open stays with its steps", async () => {
  const gone = [await run({ enqueued: 60, ended: 59 }), await run({ enqueued: 60, ended: 40 })];
  const open = await run({ enqueued: 50 });
  const beside = await run({ enqueued: 50, ended: 49 });
  const late = await run({ enqueued: 45, ended: 2 });
  const recent = await run({ enqueued: 3, ended: 2 });
  expect(await known()).toHaveLength(6);
  expect(await forgetOldRuns(pool, { days: 30, now })).toMatchObject({ runs: 1 });
  expect(await known()).toEqual([open, late, recent].toSorted());
  const { rows } = await pool.query<{ name: string }>("select relname as name from pg_class where relname = any($1)", [
    [60, 50].map(
      (days) => `step_results_${new Date(now.getTime() - days * dayMs).toISOString().slice(0, 10).replaceAll("-", "")}`,
    ),
  ]);
  expect(rows).toHaveLength(1);
  expect([...gone, beside]).toHaveLength(3);
  expect(await forgetOldRuns(pool, { days: 30, now })).toEqual({ days: 0, runs: 0 });
});

test("long lists of what was done once stay when the run is forgotten that gave them, with its day or by itself", async () => {
  const [withDay, byItself] = [await run({ enqueued: 80, ended: 79 }), await run({ enqueued: 70, ended: 69 })];
  const open = await run({ enqueued: 70 });
  for (const runId of [withDay, byItself])
    await pool.query(
      `insert into tandem.once_values (id, workspace_id, workflow_id, step_id, value, seed, state, run_id, path, output, lists)
       values ($1::uuid, $2, $3, 'x', $1::uuid::text, 'seed', 'done', $1::uuid, 'x', '{"count":1}', '{"":1}')`,
      [runId, workspaceId, workflow.workflowId],
    );
  expect(await forgetOldRuns(pool, { days: 30, now })).toMatchObject({ runs: 1 });
  expect(await known()).toContain(open);
  const { rows } = await pool.query(
    "select once_id as id, first, length(items ->> 0) as long from tandem.once_lists order by once_id",
  );
  expect(rows).toEqual([withDay, byItself].toSorted().map((id) => ({ id, first: 0, long: 1_048_577 })));
});

test("record events are forgotten by when they were relayed, and what is younger stays", async () => {
  await pool.query(
    `insert into tandem.record_events (id, workspace_id, object, record_id, kind, changed_fields, actor, created_at, relayed_at)
     select n, $1, 'company', gen_random_uuid(), 'created', '{}', '{}', now(), $2::timestamptz - case when n <= 2500 then interval '40 days' else interval '1 day' end
     from generate_series(1, 2510) n`,
    [workspaceId, now],
  );
  expect(await forgetEvents(pool, new Date(now.getTime() - 30 * dayMs))).toBe(2_500);
  const { rows } = await pool.query<{ id: number }>("select min(id) as id, count(*) as left from tandem.record_events");
  expect(rows).toEqual([{ id: 2_501, left: 10 }]);
});
