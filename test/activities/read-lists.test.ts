import { describe, expect, test } from "vitest";
import { readLists, TooManyPages } from "../../src/activities/read-lists.ts";
import { compileCondition } from "../../src/definition/conditions.ts";
import {
  compileValue,
  type Compiled,
  type Evaluation,
  type PathSegment,
  type Place,
} from "../../src/definition/expressions.ts";
import type { Json, JsonObject } from "../../src/json.ts";
import { longListOf } from "../../src/runs/long-lists.ts";
import type { RunKey } from "../../src/runs/ledger.ts";
import { loadRows, readKnown } from "../../src/runs/known-rows.ts";
import { createCrm } from "../crm/support.ts";
import { countingPool } from "../support/bytes.ts";
import { createTestDatabase } from "../support/database.ts";
import { createRuns } from "./records-run.ts";

const { pool, url } = await createTestDatabase();
const runs = await createRuns(pool, await createCrm(pool));
const counting = countingPool(url);

const megabyte = 1_048_576;

/** A run in which the step `found` gave records of a kilobyte each. */
async function found(count: number, more: JsonObject = {}): Promise<RunKey> {
  const key = await runs.start();
  const records = Array.from({ length: count }, (_, i) => ({ i, name: `Record ${i}`, text: "x".repeat(1_000) }));
  await runs.seal(key, "found", { output: { ...more, records, total: count }, outcome: null });
  return key;
}

interface Options {
  readonly mostPages?: number;
  readonly byReference?: string[];
  readonly place?: Place;
}

/** What is known where a step is done: only what its expressions name is loaded. */
async function known(
  { runId }: RunKey,
  compiled: Pick<Compiled, "references">,
  { mostPages = Infinity, byReference = [] }: Options,
) {
  const subs = compiled.references.map(({ path }): PathSegment[] => path.slice(1));
  const rows = await loadRows(counting.pool, runId, [{ path: "found", subs, error: false }]);
  const row = rows.get("found");
  const evaluation: Evaluation = {
    lookup: ([root, ...rest]) => (root === "found" && row !== undefined ? readKnown(row, rest) : undefined),
    timeZone: "UTC",
    now: new Date(0),
  };
  const reader = { sql: counting.pool, runId, mostPages, byReference: (at: string) => byReference.includes(at) };
  return { evaluation, reader };
}

/** Evaluates as a step does. */
async function evaluate(key: RunKey, source: Json, options: Options = {}): Promise<Json | undefined> {
  const { place = "data" } = options;
  const { compiled } = compileValue(source, { at: "at", optional: "allowed", place });
  const { evaluation, reader } = await known(key, compiled, options);
  return compiled.evaluate(await readLists(reader, compiled.reads, evaluation));
}

test("what is in a long list can be read as if it were short", async () => {
  const key = await found(3_000);
  const source = {
    size: "{{ found.records | size }}",
    first: "{{ found.records[0].i }}",
    last: "{{ found.records | last }}",
    some: "{{ found.records[2500].name }}",
    beyond: "{{ found.records[3000].name | default: 'none' }}",
    nothing: "{{ found.records.count | default: 'none' }}",
    sum: "{{ found.records | sum: 'i' }}",
    chosen: "{{ found.records | where: 'i', 1234 | map: 'name' }}",
    sorted: "{{ found.records | map: 'i' | sort | last }}",
    text: "{{ found.total }} of {{ found.records | size }}",
  };
  expect(await evaluate(key, source)).toEqual({
    size: 3_000,
    first: 0,
    last: { i: 2_999, name: "Record 2999", text: "x".repeat(1_000) },
    some: "Record 2500",
    beyond: "none",
    nothing: "none",
    sum: (2_999 * 3_000) / 2,
    chosen: ["Record 1234"],
    sorted: 2_999,
    text: "3000 of 3000",
  });
});

test("a whole list, and what it lies in, is loaded where nothing less will do", async () => {
  const key = await found(1_500, { page: { title: "All" } });
  const whole = (await evaluate(key, { all: "{{ found }}", again: "{{ found.records }}" })) as {
    all: JsonObject;
    again: Json[];
  };
  expect(whole.again).toHaveLength(1_500);
  expect(whole.all).toEqual({ page: { title: "All" }, records: whole.again, total: 1_500 });
});

test("a list that is handed on as it is stays unread", async () => {
  const key = await found(1_500);
  const source = { items: "{{ found.records }}", others: "{{ found.records | size }}" };
  const value = (await evaluate(key, source, { byReference: ["at.items"] })) as JsonObject;
  expect(longListOf(value["items"])).toEqual({ path: "found", name: "records", count: 1_500 });
  expect(value["others"]).toBe(1_500);
});

test("a list that is handed on as it is stays whole where an expression beside it reads some of it", async () => {
  const key = await found(1_500);
  const source = { items: "{{ found.records }}", third: "{{ found.records[2].name }}" };
  const value = (await evaluate(key, source, { byReference: ["at.items"] })) as JsonObject;
  expect(longListOf(value["items"])).toEqual({ path: "found", name: "records", count: 1_500 });
  expect(value["third"]).toBe("Record 2");
});

describe("bytes that are read", () => {
  test.each([
    ["{{ found.total }}", 0.01],
    ["{{ found.records | size }}", 0.01],
    ["{{ found.records[17000].name }}", 0.3],
    ["{{ found.records | first }}", 0.3],
    ["{{ found.records | last }}", 0.3],
    ["{{ found.records | where: 'i', 300 | first }}", 0.6],
    ["{{ found.records | sum: 'i' }}", 25],
  ])("by %s of a list of 20 MB are %d MB at most", async (expression, most) => {
    const key = await big();
    const before = counting.bytes();
    await evaluate(key, expression);
    expect(counting.bytes() - before).toBeLessThan(most * megabyte);
  });

  let kept: Promise<RunKey> | undefined;
  const big = (): Promise<RunKey> => (kept ??= found(20_000));
});

test("whether a long list is empty needs none of it", async () => {
  const key = await found(3_000);
  const { compiled } = compileCondition({ left: "{{ found.records }}", operator: "isNotEmpty" }, { at: "when" });
  const before = counting.bytes();
  const { evaluation, reader } = await known(key, compiled, {});
  expect(compiled.evaluate(await readLists(reader, compiled.reads, evaluation))).toBe(true);
  const text = "{% if found.records %}some{% else %}none{% endif %}";
  expect(await evaluate(key, text, { place: "text" })).toBe("some");
  expect(counting.bytes() - before).toBeLessThan(10_000);
});

test("a list of more than 64 MiB is read page by page, or not at all", async () => {
  const key = await found(70_000);
  expect(await evaluate(key, "{{ found.records | sum: 'i' }}")).toBe((69_999 * 70_000) / 2);
  await expect(evaluate(key, { body: "{{ found.records }}" })).rejects.toThrow(
    /^at\.body: found\.records has 70000 items, more than 64 MiB together: loop over it/,
  );
});

test("where few pages may be read, a step that needs more says so and reads no more", async () => {
  const key = await found(3_000);
  const most = { mostPages: 3 };
  expect(await evaluate(key, "{{ found.records | where: 'i', 500 | size }}", { mostPages: 20 })).toBe(1);
  await expect(evaluate(key, "{{ found.records | sum: 'i' }}", most)).rejects.toBeInstanceOf(TooManyPages);
  expect(await evaluate(key, "{{ found.records | first }}", most)).toMatchObject({ i: 0 });
});
