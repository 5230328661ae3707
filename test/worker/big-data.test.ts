import { expect, test } from "vitest";
import type { Json, JsonObject } from "../../src/json.ts";
import { createTestDatabase } from "../support/database.ts";
import { definitionOf, startTestEngine, type FinishedRun } from "../support/engine.ts";
import { connectTo, httpKind } from "../support/http.ts";
import { createAskKind, createOutside, says } from "../support/test-kinds.ts";
import { startApi } from "../http/support.ts";

const { pool } = await createTestDatabase();
const rows: Json[] = Array.from({ length: 10_000 }, (_, i) => ({
  name: `Row ${i}`,
  employees: i % 50,
  linkedinLink: { primaryLinkUrl: `https://rows.example/${i}`, primaryLinkLabel: "x".repeat(100) },
}));
const outside = createOutside({ rows: [says(rows)] });
const engine = await startTestEngine(pool, { kinds: { ...httpKind(pool), "ask-test": createAskKind(outside) } });
const { objects, workspace } = engine;
await pool.query("insert into tandem.installation (id) values ($1)", [engine.installation]);
const table = objects.find("company")?.table ?? "";

const stepOf = (run: FinishedRun, path: string): FinishedRun["steps"][number] => {
  const step = run.steps.find((each) => each.path === path);
  if (step === undefined) throw new Error(`The run did no step ${path}.`);
  return step;
};

/** How much of a run is in Temporal. */
async function historyOf(runId: string): Promise<{ events: number; bytes: number }> {
  const history = await engine.link.client.workflow.getHandle(runId).fetchHistory();
  return { events: history.events?.length ?? 0, bytes: JSON.stringify(history).length };
}

async function runOf(name: string, steps: Json[], limitMs = 120_000): Promise<FinishedRun> {
  const workflow = await engine.activate(definitionOf(name, steps));
  const run = await engine.finished(await engine.enqueue(workflow, {}), limitMs);
  expect(run).toMatchObject({ status: "completed", error: null });
  return run;
}

test("a hundred thousand records are searched, summed and changed, and others' runs go on meanwhile", async () => {
  await pool.query(
    `insert into ${table} (id, name, employees, created_by, updated_by)
     select gen_random_uuid(), 'Large ' || n, n % 10, '{}', '{}' from generate_series(1, 100000) n`,
  );
  const small = await engine.activate(
    definitionOf("small", [
      { id: "company", kind: "create-record", input: { object: "company", values: { name: "Small" } } },
    ]),
  );
  const large = runOf("large", [
    {
      id: "found",
      kind: "search-records",
      input: {
        object: "company",
        filter: { field: "name", operator: "startsWith", value: "Large " },
        fields: ["employees"],
        all: true,
      },
    },
    {
      id: "figures",
      kind: "set",
      input: {
        size: "{{ found.records | size }}",
        employees: "{{ found.records | sum: 'employees' }}",
        last: "{{ found.records[99999].employees }}",
      },
    },
    {
      id: "few",
      kind: "set",
      input: { rows: "{{ found.records | where: 'employees', 3 | map: 'id' }}" },
    },
    {
      id: "marked",
      kind: "batch-update-records",
      input: { object: "company", records: "{{ few.rows }}", values: { employees: 1000 } },
    },
  ]);
  let over = false;
  void large.finally(() => (over = true));
  const times: number[] = [];
  while (!over && times.length < 30) {
    const begun = performance.now();
    await engine.finished(await engine.enqueue(small, {}));
    times.push(performance.now() - begun);
  }
  const run = await large;
  expect(stepOf(run, "found").output).toMatchObject({ records: { count: 100_000 }, total: 100_000 });
  expect(stepOf(run, "figures").output).toMatchObject({ size: 100_000, employees: 450_000 });
  expect(stepOf(run, "marked").output).toMatchObject({ updated: 10_000, refused: [], ids: { count: 10_000 } });
  const { rows: changed } = await pool.query(`select count(*) from ${table} where employees = 1000`);
  expect(changed).toEqual([{ count: 10_000 }]);
  const { rows: events } = await pool.query<{ count: number }>(
    "select count(*) from tandem.outbox where origin ->> 'runId' = $1",
    [run.id],
  );
  expect(events).toEqual([{ count: 10_000 }]);
  const history = await historyOf(run.id);
  expect(history.events).toBeLessThan(100);
  expect(history.bytes).toBeLessThan(100_000);
  // A small run takes some 100 ms: none waited for the large one.
  expect(times).toHaveLength(30);
  expect(Math.max(...times)).toBeLessThan(5_000);
}, 180_000);

test("ten thousand rows that a step gave are written to records, page by page", async () => {
  const run = await runOf("rows", [
    { id: "given", kind: "ask-test", input: { name: "rows" } },
    {
      id: "written",
      kind: "batch-upsert-records",
      input: { object: "company", match: ["name"], records: "{{ given.said }}", modes: { employees: "only-if-empty" } },
    },
    {
      id: "counted",
      kind: "count-records",
      input: { object: "company", filter: { field: "name", operator: "startsWith", value: "Row " } },
    },
  ]);
  expect(stepOf(run, "given").output).toEqual({ said: { count: 10_000 } });
  expect(stepOf(run, "written")).toMatchObject({
    input: { records: { count: 10_000 } },
    output: { created: 10_000, updated: 0, refused: [], ids: { count: 10_000 } },
    lane: "ordinary",
  });
  expect(stepOf(run, "counted").output).toEqual({ count: 10_000 });
  expect((await historyOf(run.id)).bytes).toBeLessThan(100_000);
});

test("a step is done once under a value that is an item of a long list", async () => {
  const workflow = await engine.activate(
    definitionOf("once-of-many", [
      { id: "given", kind: "ask-test", input: { name: "rows" } },
      {
        id: "made",
        kind: "create-record",
        input: { object: "person", values: { jobTitle: "{{ given.said[9998].name }}" } },
        once: "{{ given.said[9999].name }}",
      },
    ]),
  );
  const [first, second] = [
    await engine.finished(await engine.enqueue(workflow, {})),
    await engine.finished(await engine.enqueue(workflow, {})),
  ];
  expect(stepOf(first, "made")).toMatchObject({ status: "done", output: { record: { jobTitle: "Row 9998" } } });
  expect(stepOf(second, "made").status).toBe("already-done");
  const { rows: values } = await pool.query("select value from tandem.once_values where workflow_id = $1", [
    workflow.workflowId,
  ]);
  expect(values).toEqual([{ value: "Row 9999" }]);
});

test("an answer of 50 MB flows on page by page", async () => {
  const items = Array.from({ length: 50_000 }, (_, i) => ({ i, name: `Item ${i}`, text: "y".repeat(960) }));
  const answer = JSON.stringify({ data: items, page: { of: 1 } });
  expect(answer.length).toBeGreaterThan(50_000_000);
  const api = await startApi((_, response) => response.setHeader("content-type", "application/json").end(answer));
  await connectTo(pool, workspace.id, { key: "large", baseUrl: api.url });
  const run = await runOf("answer", [
    {
      id: "fetched",
      kind: "http-request",
      input: { connection: "large", path: "/", maximumBytes: 60_000_000 },
    },
    {
      id: "figures",
      kind: "set",
      input: {
        size: "{{ fetched.body.data | size }}",
        last: "{{ fetched.body.data[49999].name }}",
        sum: "{{ fetched.body.data | sum: 'i' }}",
        pages: "{{ fetched.body.page.of }}",
      },
    },
  ]);
  expect((stepOf(run, "fetched").output as JsonObject)["body"]).toEqual({ data: { count: 50_000 }, page: { of: 1 } });
  expect(stepOf(run, "figures").output).toEqual({ size: 50_000, last: "Item 49999", sum: 1_249_975_000, pages: 1 });
  expect((await historyOf(run.id)).bytes).toBeLessThan(100_000);
});
