import { expect, test } from "vitest";
import { z } from "zod";
import { countRecords } from "../../src/activities/count-records.ts";
import { searchRecords } from "../../src/activities/search-records.ts";
import { createRecords } from "../../src/crm/batch.ts";
import { createView } from "../../src/crm/views.ts";
import { FencedError, type Issue } from "../../src/errors.ts";
import type { JsonObject } from "../../src/json.ts";
import { createCrm } from "../crm/support.ts";
import { createTestDatabase } from "../support/database.ts";
import { createDyingPool } from "../support/disturbed-pool.ts";
import { createRuns } from "./records-run.ts";

const { pool } = await createTestDatabase();
const crm = await createCrm(pool);
const { objects, object, workspace, writer } = crm;
const runs = await createRuns(pool, crm);

async function make(name: string, count: number, values: JsonObject = {}): Promise<string[]> {
  const rows = Array.from({ length: count }, (_, i) => ({ name, employees: i, ...values }));
  const made = await createRecords(writer, { object: object("company"), rows, records: false });
  return made.map(({ id }) => String(id));
}

const named = (name: string): JsonObject => ({
  object: "company",
  filter: { field: "name", operator: "equals", value: name },
  all: true,
});
const list = (count: number) => ({ path: "step", name: "records", count });
const idsOf = (records: unknown[]): string[] => records.map((record) => String((record as JsonObject)["id"]));

test("what is one page of records is given as they are, in the order of their ids", async () => {
  const ids = await make("few", 7);
  const key = await runs.start();
  const { output, lists, outcome } = await runs.read(searchRecords, { ...named("few"), fields: ["name"] }, { key });
  expect(lists).toBeUndefined();
  expect(output).toEqual({
    records: ids.toSorted().map((id) => ({ id, name: "few" })),
    first: { id: ids.toSorted()[0], name: "few" },
    total: 7,
    totalIsEstimate: false,
  });
  expect(outcome).toBe("7 found");
});

test("more are kept as pages of at most 200, each record once, in the order of their ids", async () => {
  const ids = await make("many", 1_000);
  const key = await runs.start();
  const { output, lists } = await runs.read(searchRecords, { ...named("many"), fields: ["employees"] }, { key });
  expect(lists).toEqual({ records: 1_000 });
  const items = await runs.items(key, list(1_000));
  expect(idsOf(items)).toEqual(ids.toSorted());
  expect(output).toEqual({ records: { count: 1_000 }, first: items[0], total: 1_000, totalIsEstimate: false });
  expect(Object.keys(items[0] as JsonObject).toSorted()).toEqual(["employees", "id"]);
  const { rows } = await pool.query("select max(jsonb_array_length(items)) as most from tandem.step_lists");
  expect(rows).toEqual([{ most: 200 }]);
});

test("a page of long records has fewer of them", async () => {
  const text = "é".repeat(6_000);
  const ids = await make("long", 201, { address: { addressStreet1: text } });
  const key = await runs.start();
  await runs.read(searchRecords, named("long"), { key });
  const { rows } = await pool.query<{ items: number; bytes: number }>(
    "select jsonb_array_length(items) as items, octet_length(items::text) as bytes from tandem.step_lists where run_id = $1",
    [key.runId],
  );
  expect(Math.max(...rows.map(({ bytes }) => bytes))).toBeLessThan(1_060_000);
  expect(rows.reduce((sum, { items }) => sum + items, 0)).toBe(201);
  expect(idsOf(await runs.items(key, list(201)))).toEqual(ids.toSorted());
});

test("whatever statement a process dies at, the next goes on after the last page, and no record comes twice", async () => {
  const ids = await make("killed", 900);
  const key = await runs.start();
  for (let allowed = 0; ; allowed++) {
    const sql = createDyingPool(pool, { at: allowed + 1, heard: false }).pool;
    const ended = await runs.read(searchRecords, named("killed"), { key, sql }).catch((error: Error) => error);
    if (!(ended instanceof Error)) break;
    expect(ended.message).toBe("The process is dead.");
  }
  expect(idsOf(await runs.items(key, list(900)))).toEqual(ids.toSorted());
});

test("of two attempts at once each goes on after what the other wrote", async () => {
  const ids = await make("raced", 2_000);
  const key = await runs.start();
  const attempts = await Promise.all([1, 2, 3].map(() => runs.read(searchRecords, named("raced"), { key })));
  expect(attempts.map(({ lists }) => lists)).toEqual(Array.from({ length: 3 }, () => ({ records: 2_000 })));
  expect(idsOf(await runs.items(key, list(2_000)))).toEqual(ids.toSorted());
});

test("records that come and go meanwhile come at most once, those that stay exactly once", async () => {
  const stay = await make("moving", 600);
  const key = await runs.start();
  const gone = stay.slice(0, 50);
  const during = (async () => {
    for (let i = 0; i < 5; i++) {
      await make("moving", 40);
      await pool.query(`update ${object("company").table} set deleted_at = now() where id = any($1)`, [
        gone.slice(i * 10, i * 10 + 10),
      ]);
    }
  })();
  const [{ lists = {} }] = await Promise.all([runs.read(searchRecords, named("moving"), { key }), during]);
  const found = idsOf(await runs.items(key, list(lists["records"] ?? 0)));
  expect(new Set(found).size).toBe(found.length);
  expect(found).toEqual(expect.arrayContaining(stay.slice(50)));
});

test("nothing is written for a run that is not open under the fence", async () => {
  await make("fenced", 500);
  const key = await runs.start();
  const late = runs.read(searchRecords, named("fenced"), { key: { ...key, fence: 0 } });
  await expect(late).rejects.toBeInstanceOf(FencedError);
  const { rows } = await pool.query("select 1 from tandem.step_lists where run_id = $1", [key.runId]);
  expect(rows).toEqual([]);
});

test("looks within a view and for words, and leaves the view's order aside", async () => {
  await make("viewed", 250);
  await make("viewed other", 20);
  await createView(
    { sql: pool, workspaceId: workspace.id, objects },
    {
      object: object("company"),
      name: "large",
      label: "Large",
      filter: { field: "employees", operator: "lessThan", value: 240 },
      sort: [{ field: "employees", direction: "desc" }],
      columns: [],
      search: null,
    },
  );
  const key = await runs.start();
  const { lists } = await runs.read(
    searchRecords,
    { object: "company", view: "large", search: "viewed", all: true },
    { key },
  );
  expect(lists).toEqual({ records: 260 });
  const found = idsOf(await runs.items(key, list(260)));
  expect(found).toEqual(found.toSorted());
  const counted = await runs.read(countRecords, { object: "company", view: "large", search: "viewed" }, { key });
  expect(counted).toEqual({ output: { count: 260 }, outcome: "260" });
});

test.each([true, false])("all that a search gives is declared, so that steps may read it: all %s", async (all) => {
  await make(`declared ${all}`, 1);
  const { output } = await runs.read(searchRecords, { ...named(`declared ${all}`), all }, { key: await runs.start() });
  const { properties } = z.toJSONSchema(searchRecords.output);
  expect(Object.keys(properties ?? {}).toSorted()).toEqual(Object.keys(output as JsonObject).toSorted());
});

test("counting counts all, however many there are", async () => {
  await pool.query(
    `insert into ${object("company").table} (id, name, created_by, updated_by) select gen_random_uuid(), 'counted', '{}', '{}' from generate_series(1, 12000)`,
  );
  const { all: _all, ...counted } = named("counted");
  const { output } = await runs.read(countRecords, counted, { key: await runs.start() });
  expect(output).toEqual({ count: 12_000 });
});

test("activation refuses an order and a limit beside all", () => {
  const check = (written: JsonObject): readonly Issue[] =>
    searchRecords.check?.(written, { objects, at: "input" }) ?? [];
  const written = { ...named("x"), sort: [{ field: "name" }], limit: 5 };
  expect(check(written).map(({ path }) => path)).toEqual(["input.sort", "input.limit"]);
  expect(check(written)[0]?.message).toContain("in the order of their ids");
  expect(check({ ...written, all: false })).toEqual([]);
});
