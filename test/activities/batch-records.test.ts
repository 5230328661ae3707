import { describe, expect, test } from "vitest";
import { batchUpdateRecords } from "../../src/activities/batch-update-records.ts";
import { batchUpsertRecords } from "../../src/activities/batch-upsert-records.ts";
import type { StepKind } from "../../src/activities/step-kind.ts";
import { FencedError } from "../../src/errors.ts";
import type { Json, JsonObject } from "../../src/json.ts";
import { isLedgerConflict, type RunKey } from "../../src/runs/ledger.ts";
import { standFor } from "../../src/runs/long-lists.ts";
import { createCrm } from "../crm/support.ts";
import { createTestDatabase } from "../support/database.ts";
import { createDyingPool } from "../support/disturbed-pool.ts";
import { createRuns } from "./records-run.ts";

const { pool } = await createTestDatabase();
const crm = await createCrm(pool);
const { objects, object, make, events } = crm;
const runs = await createRuns(pool, crm);
const table = object("company").table;

const companies = (name: string, count: number, values: (i: number) => JsonObject = () => ({})): JsonObject[] =>
  Array.from({ length: count }, (_, i) => ({ name: `${name} ${i}`, ...values(i) }));
const upsert = (records: Json, more: JsonObject = {}): JsonObject => ({
  object: "company",
  match: ["name"],
  records,
  ...more,
});

/** A list of an earlier step of the run, kept as pages. */
async function keep(key: RunKey, records: JsonObject[]): Promise<Json> {
  const padded = records.map((record) => ({ ...record, address: { addressStreet1: "x".repeat(2_000) } }));
  await runs.seal(key, "found", { output: { records: padded }, outcome: null });
  return standFor({ path: "found", name: "records", count: records.length });
}

async function rowsNamed(name: string): Promise<Array<{ id: string; name: string; employees: number | null }>> {
  const { rows } = await pool.query<{ id: string; name: string; employees: number | null }>(
    `select id, name, employees::float from ${table} where name like $1 and deleted_at is null order by created_at, id`,
    [`${name} %`],
  );
  return rows;
}

async function resultsOf({ runId }: RunKey): Promise<unknown[]> {
  const { rows } = await pool.query(
    "select output, lists, outcome from tandem.step_results where run_id = $1 and path = 'step'",
    [runId],
  );
  return rows;
}

test("makes what is not there, changes what is, leaves what is the same, and says what it refused", async () => {
  const same = await make("company", { name: "One 0", employees: 0 });
  await make("company", { name: "One 1", employees: 99 });
  const key = await runs.start();
  const records = [...companies("One", 3, (i) => ({ employees: i })), { name: "One x", employees: "many" }, 7];
  const { output, outcome } = await runs.write(batchUpsertRecords, upsert(records), { key });
  const ids = (await rowsNamed("One")).map(({ id }) => id);
  expect(output).toEqual({
    created: 1,
    updated: 1,
    unchanged: 1,
    refused: [
      { index: 3, code: "invalid-values", reason: expect.stringContaining("employees") as string },
      { index: 4, code: "invalid-values", reason: "A record is an object of fields, or the text of an id." },
    ],
    ids: [same.id, ids[1], ids[2], null, null],
  });
  expect(outcome).toBe("1 created, 1 updated, 1 unchanged, 2 refused");
  expect(batchUpsertRecords.output.safeParse(output).error).toBeUndefined();
  expect(await resultsOf(key)).toEqual([{ output, lists: null, outcome }]);
});

test("its events say which run made them", async () => {
  const key = await runs.start();
  const { output } = await runs.write(batchUpsertRecords, upsert(companies("Origin", 2)), { key });
  const [id] = (output as { ids: string[] }).ids;
  expect(await events(id)).toMatchObject([
    { kind: "created", origin: { runId: key.runId, depth: 1 }, actor: { source: "WORKFLOW", name: "many" } },
  ]);
});

test("changes records by their ids, each by its own values and by those for all", async () => {
  const [a, b] = [await make("company", { name: "Upd 1" }), await make("company", { name: "Upd 2" })];
  const missing = "0197f5f0-0000-7000-8000-000000000009";
  const input = {
    object: "company",
    records: [{ id: a.id, employees: 1 }, b.id, { id: missing, employees: 3 }, { employees: 4 }],
    values: { name: "Upd all" },
  };
  const { output } = await runs.write(batchUpdateRecords, input, { key: await runs.start() });
  expect(output).toMatchObject({ created: 0, updated: 2, ids: [a.id, b.id, null, null] });
  expect((output as { refused: JsonObject[] }).refused).toMatchObject([
    { index: 2, code: "record-not-found" },
    { index: 3, code: "invalid-values" },
  ]);
  expect((await rowsNamed("Upd")).map(({ name, employees }) => [name, employees])).toEqual([
    ["Upd all", 1],
    ["Upd all", null],
  ]);
});

test("fields meet what is there by their modes; a record for which onlyIf does not hold is refused", async () => {
  await make("company", { name: "Mode 0", employees: 5 });
  await make("company", { name: "Mode 1" });
  await make("company", { name: "Mode 2", employees: 50 });
  const onlyIf = { not: { field: "employees", operator: "greaterThan", value: 10 } };
  const records = companies("Mode", 4, () => ({ employees: 7 }));
  const input = upsert(records, { modes: { employees: "only-if-empty" }, onlyIf });
  const { output } = await runs.write(batchUpsertRecords, input, { key: await runs.start() });
  expect(output).toMatchObject({ created: 1, updated: 1, unchanged: 1 });
  expect((output as { refused: JsonObject[] }).refused).toMatchObject([{ index: 2, code: "precondition-failed" }]);
  expect((await rowsNamed("Mode")).map(({ employees }) => employees)).toEqual([5, 7, 50, 7]);
});

test.each([
  ["a list", async (_key: RunKey, records: JsonObject[]): Promise<Json> => records],
  ["a list that is kept as pages", keep],
])("many records, as %s, are written page by page, with their ids in their order", async (_, given) => {
  const key = await runs.start();
  const records = companies(`Many ${_}`, 950, (i) => (i % 100 === 7 ? { employees: "x" } : { employees: i }));
  const { output, outcome } = await runs.write(batchUpsertRecords, upsert(await given(key, records)), { key });
  expect(output).toMatchObject({ created: 940, updated: 0, unchanged: 0, ids: { count: 950 } });
  expect((output as { refused: JsonObject[] }).refused.map(({ index }) => index)).toEqual(
    Array.from({ length: 10 }, (_row, i) => i * 100 + 7),
  );
  expect(outcome).toBe("940 created, 10 refused");
  expect(await resultsOf(key)).toEqual([{ output, lists: { ids: 950 }, outcome }]);
  const ids = await runs.items(key, { path: "step", name: "ids", count: 950 });
  const byName = new Map((await rowsNamed(`Many ${_}`)).map(({ id, name }) => [name, id]));
  expect(ids).toEqual(records.map(({ name }, i) => (i % 100 === 7 ? null : byName.get(String(name)))));
});

test("many refusals are kept as pages", async () => {
  const key = await runs.start();
  const records = companies("Bad", 500, () => ({ employees: "x" }));
  const { output } = await runs.write(batchUpsertRecords, upsert(records), { key });
  expect(output).toMatchObject({ created: 0, refused: { count: 500 } });
  const refused = await runs.items(key, { path: "step", name: "refused", count: 500 });
  expect(refused.map((row) => (row as JsonObject)["index"])).toEqual(Array.from({ length: 500 }, (_, i) => i));
});

test("whatever statement a process dies at, each record is written once, with one event", async () => {
  const key = await runs.start();
  // No match field: whatever was written twice would be there twice.
  const records = Array.from({ length: 450 }, (_, i) => ({ name: `Killed ${i}` }));
  const input = { object: "company", records };
  for (let allowed = 0; ; allowed++) {
    const sql = createDyingPool(pool, { at: allowed + 1, heard: false }).pool;
    const ended = await runs.write(batchUpsertRecords, input, { key, sql }).catch((error: Error) => error);
    if (!(ended instanceof Error)) break;
    expect(ended.message).toBe("The process is dead.");
  }
  const rows = await rowsNamed("Killed");
  expect(rows).toHaveLength(450);
  expect(new Set(rows.map(({ name }) => name)).size).toBe(450);
  const made = (await events()).filter(({ origin }) => origin?.["runId"] === key.runId);
  expect(made).toHaveLength(450);
  const ids = await runs.items(key, { path: "step", name: "ids", count: 450 });
  expect(new Set(ids)).toEqual(new Set(rows.map(({ id }) => id)));
});

test.each([
  ["one page", 150],
  ["several pages", 650],
])("of attempts at once that write %s each record is written once, and one seals", async (_, count) => {
  const key = await runs.start();
  const records = Array.from({ length: count }, (_row, i) => ({ name: `Raced ${count} ${i}` }));
  const attempts = await Promise.allSettled(
    [1, 2, 3].map(() => runs.write(batchUpsertRecords, { object: "company", records }, { key })),
  );
  const lost = attempts.flatMap((attempt) => (attempt.status === "rejected" ? [attempt.reason as unknown] : []));
  expect(lost.map(isLedgerConflict)).toEqual([true, true]);
  expect(await rowsNamed(`Raced ${count}`)).toHaveLength(count);
  expect(await resultsOf(key)).toMatchObject([{ output: { created: count } }]);
});

test.each([
  ["one page", 20],
  ["several pages", 420],
])("a run that is not open under the fence writes nothing of %s", async (_, count) => {
  const key = { ...(await runs.start()), fence: 0 };
  const late = runs.write(batchUpsertRecords, upsert(companies(`Late ${count}`, count)), { key });
  await expect(late).rejects.toBeInstanceOf(FencedError);
  expect(await rowsNamed(`Late ${count}`)).toEqual([]);
});

test("no records are no work", async () => {
  const key = await runs.start();
  const { output, outcome } = await runs.write(batchUpsertRecords, upsert([]), { key });
  expect(output).toEqual({ created: 0, updated: 0, unchanged: 0, refused: [], ids: [] });
  expect(outcome).toBe("nothing written");
});

describe("activation", () => {
  const faults = (kind: StepKind, written: JsonObject): string[] =>
    (kind.check?.(written, { objects, at: "input" }) ?? []).map(({ path, message }) => `${path}: ${message}`);

  test("says what is wrong with match fields, values, modes and onlyIf", () => {
    const written = {
      object: "company",
      match: ["nme", "id"],
      records: "{{ found.records }}",
      values: { employes: 3 },
      modes: { name: "append-unique" },
      onlyIf: { field: "employees", operator: "equals", value: "x" },
    };
    expect(faults(batchUpsertRecords, written).map((fault) => fault.split(": ")[0])).toEqual([
      "input.match[0]",
      "input.values.employes",
      "input.modes.name",
      "input.onlyIf",
    ]);
    expect(faults(batchUpdateRecords, { object: "compny", records: [] })).toEqual([
      'input.object: unknown object "compny"; did you mean "company"?',
    ]);
  });

  test.each([batchUpsertRecords, batchUpdateRecords])("$kind: the sample is one that it takes and gives", (kind) => {
    expect(kind.input.safeParse(kind.sample.input).error).toBeUndefined();
    expect(kind.output.safeParse(kind.sample.output).error).toBeUndefined();
    expect(faults(kind, kind.sample.input)).toEqual([]);
  });

  test("records are a list, and nothing else", () => {
    const parse = (records: Json) => batchUpsertRecords.input.safeParse(upsert(records)).success;
    expect([parse([]), parse({ count: 3 }), parse("x"), parse(null)]).toEqual([true, false, false, false]);
  });
});
