import { Context } from "@temporalio/activity";
import { expect, test } from "vitest";
import { createRecords } from "../../src/crm/batch.ts";
import type { Json, JsonObject } from "../../src/json.ts";
import { findRun } from "../../src/runs/read.ts";
import { createTestDatabase } from "../support/database.ts";
import { definitionOf, startTestEngine, type FinishedRun } from "../support/engine.ts";
import { createAskKind, createCallKind, createOutside, fails, says } from "../support/test-kinds.ts";

const { pool } = await createTestDatabase();
const outside = createOutside({
  fine: [says("fine")],
  flaky: [fails("busy", true), says("at last")],
  broken: [fails("refused", false)],
  heavy: [
    async () => {
      if (Context.current().info.isLocal) throw new Error("It is more than a block can do.");
      return "as an activity";
    },
  ],
});
const engine = await startTestEngine(pool, {
  kinds: { call: createCallKind(outside), "ask-test": createAskKind(outside) },
});

let made = 0;
async function runOf(
  steps: Json[],
  { body = {}, quickLane = true, output }: { body?: JsonObject; quickLane?: boolean; output?: JsonObject } = {},
): Promise<FinishedRun> {
  outside.asked.clear();
  made += 1;
  const definition = definitionOf(`loops-${made}`, steps, output === undefined ? {} : { output });
  const workflow = await engine.activate(definition, { quickLane });
  return engine.finished(await engine.enqueue(workflow, body));
}

const addresses = (count: number, name: string): string[] =>
  Array.from({ length: count }, (_, i) => `${name}${i}@loops.example`);

const createEach = (name: string, more: JsonObject = {}): JsonObject => ({
  id: "each",
  kind: "iterator",
  items: "{{ trigger.body.addresses }}",
  steps: [
    {
      id: "person",
      kind: "create-record",
      input: { object: "person", values: { jobTitle: name, emails: { primaryEmail: "{{ each.item }}" } } },
    },
  ],
  output: { id: "{{ person.id }}", index: "{{ each.index }}" },
  ...more,
});

test.each([
  { lane: "quick", quickLane: true },
  { lane: "ordinary", quickLane: false },
])("a loop does each item once, in order, and hands out what each gave: $lane lane", async ({ lane, quickLane }) => {
  const run = await runOf([createEach(lane)], {
    body: { addresses: addresses(5, lane) },
    quickLane,
    output: { counts: "{{ each.counts }}", results: "{{ each.results }}", last: "{{ each.results | last }}" },
  });
  expect(run).toMatchObject({
    status: "completed",
    output: {
      counts: { total: 5, succeeded: 5, failed: 0, filtered: 0 },
      results: [0, 1, 2, 3, 4].map((index) => ({ index, id: expect.any(String) })),
      last: { index: 4 },
    },
  });
  expect(run.steps.map(({ path }) => path)).toEqual([
    "each.open",
    ...[0, 1, 2, 3, 4].flatMap((i) => [`each[${i}].person`, `each[${i}]`]),
    "each",
  ]);
  const shown = await findRun(pool, { workspaceId: engine.workspace.id, runId: run.id });
  const [each] = shown?.steps ?? [];
  expect(each).toMatchObject({ path: "each", status: "done", items: { total: 5, succeeded: 5 } });
  const { rows } = await pool.query<{ opened: Date }>(
    "select started_at as opened from tandem.step_results where run_id = $1 and path = 'each.open'",
    [run.id],
  );
  expect(each?.startedAt).toBe(rows[0]?.opened.toISOString());
});

test.each([true, false])("loops lie in loops, and read what lies around them: quick lane %s", async (quickLane) => {
  const steps: Json[] = [
    {
      id: "rows",
      kind: "iterator",
      items: "{{ trigger.body.rows }}",
      steps: [
        { id: "name", kind: "set", input: { text: "{{ each.item | default: rows.item.name }}" } },
        {
          id: "cells",
          kind: "iterator",
          items: "{{ rows.item.cells }}",
          steps: [
            {
              id: "cell",
              kind: "set",
              input: { text: "{{ name.text }}{{ cells.item }} of {{ rows.index }}.{{ cells.index }}" },
            },
          ],
          output: { text: "{{ cell.text }}" },
        },
      ],
      output: { texts: "{{ cells.results | map: 'text' }}" },
    },
  ];
  const faulty = engine.activate(definitionOf(`nested-${quickLane}`, steps), { quickLane });
  await expect(faulty).rejects.toThrow(/each/);
  const [rows] = steps as [JsonObject];
  (rows["steps"] as Json[])[0] = { id: "name", kind: "set", input: { text: "{{ rows.item.name }}" } };
  const body = {
    rows: [
      { name: "a", cells: [1, 2] },
      { name: "b", cells: [] },
      { name: "c", cells: [3] },
    ],
  };
  const run = await runOf(steps, { body, quickLane, output: { texts: "{{ rows.results | map: 'texts' }}" } });
  expect(run).toMatchObject({
    status: "completed",
    output: { texts: [["a1 of 0.0", "a2 of 0.1"], [], ["c3 of 2.0"]] },
  });
});

test.each([
  { lane: "quick", kind: "ask-test" },
  { lane: "ordinary", kind: "call" },
])("an item that fails ends the loop, or is listed where it says continue: $lane", async ({ kind }) => {
  const loop = (onItemError: string): JsonObject => ({
    id: "each",
    kind: "iterator",
    items: ["fine", "broken", "fine", "none"],
    onItemError,
    steps: [
      { id: "go", kind: "filter", when: { left: "{{ each.item }}", operator: "notEquals", right: "none" } },
      { id: "asked", kind, input: { name: "{{ each.item }}" } },
    ],
    output: { said: "{{ asked.said }}" },
  });
  const run = await runOf([loop("continue")], {
    output: { counts: "{{ each.counts }}", results: "{{ each.results }}", failures: "{{ each.failures }}" },
  });
  expect(run).toMatchObject({
    status: "completed",
    output: {
      counts: { total: 4, succeeded: 2, failed: 1, filtered: 1 },
      results: [{ said: "fine" }, null, { said: "fine" }, null],
      failures: [{ index: 1, item: "broken", error: { code: "refused", path: "each[1].asked" } }],
    },
  });
  expect(await runOf([loop("fail")])).toMatchObject({
    status: "failed",
    error: { code: "refused", step: "each", message: expect.stringMatching(/Item 1: It said refused/) },
  });
  expect(outside.asked.get("fine")).toBe(1);
  const handled = { ...loop("fail"), onError: { steps: [], output: { code: "{{ error.code }} {{ error.index }}" } } };
  expect(await runOf([handled], { output: { code: "{{ each.code | default: 'none' }}" } })).toMatchObject({
    status: "completed",
    output: { code: "refused 1" },
  });
});

test.each([
  { lane: "quick", kind: "ask-test" },
  { lane: "ordinary", kind: "call" },
])("a step of an item is tried again, and the loop goes on from there: $lane", async ({ kind }) => {
  const run = await runOf(
    [
      {
        id: "each",
        kind: "iterator",
        items: ["fine", "flaky", "fine"],
        steps: [{ id: "asked", kind, input: { name: "{{ each.item }}" } }],
        output: { said: "{{ asked.said }}" },
      },
    ],
    { output: { said: "{{ each.results | map: 'said' }}" } },
  );
  expect(run).toMatchObject({ status: "completed", output: { said: ["fine", "at last", "fine"] } });
  expect(Object.fromEntries(outside.asked)).toEqual({ fine: 2, flaky: 2 });
});

test.each([
  { lane: "quick", kind: "ask-test" },
  { lane: "ordinary", kind: "call" },
])("several items are walked at once, and batches are given as lists: $lane", async ({ kind }) => {
  const run = await runOf(
    [
      {
        id: "each",
        kind: "iterator",
        items: "{{ trigger.body.numbers }}",
        batch: 3,
        concurrency: 4,
        steps: [
          { id: "sum", kind: "set", input: { value: "{{ each.items | sum }}" } },
          { id: "asked", kind, input: { name: "fine" } },
        ],
        output: { sum: "{{ sum.value }}", first: "{{ each.items[0] }}" },
      },
    ],
    {
      body: { numbers: Array.from({ length: 31 }, (_, i) => i) },
      output: { sums: "{{ each.results | map: 'sum' }}", counts: "{{ each.counts.total }}" },
    },
  );
  expect(run).toMatchObject({
    status: "completed",
    output: { sums: [3, 12, 21, 30, 39, 48, 57, 66, 75, 84, 30], counts: 11 },
  });
});

test.each([
  { lane: "quick", kind: "ask-test" },
  { lane: "ordinary", kind: "call" },
])("branches of a parallel join, and what they give is read by their names: $lane", async ({ lane, kind }) => {
  const run = await runOf(
    [
      {
        id: "both",
        kind: "parallel",
        branches: [
          { name: "left", steps: [{ id: "one", kind, input: { name: "fine" } }], output: { said: "{{ one.said }}" } },
          {
            name: "right",
            steps: [
              {
                id: "person",
                kind: "create-record",
                input: { object: "person", values: { emails: { primaryEmail: `${lane}@parallel.example` } } },
              },
              { id: "two", kind, input: { name: "flaky" } },
            ],
            output: { said: "{{ two.said }}", id: "{{ person.id }}" },
          },
        ],
      },
      { id: "after", kind: "set", input: { id: "{{ both.right.id }}" } },
    ],
    { output: { left: "{{ both.left.said }}", right: "{{ both.right.said }}", id: "{{ after.id }}" } },
  );
  expect(run).toMatchObject({
    status: "completed",
    output: { left: "fine", right: "at last", id: expect.any(String) },
  });
});

test.each([
  ["quick", true],
  ["ordinary", false],
])(
  "what items hand out lies in pages of a size, and an item that hands out too much fails: %s",
  async (_, quickLane) => {
    const each: JsonObject = {
      id: "each",
      kind: "iterator",
      items: "{{ trigger.body.items }}",
      onItemError: "continue",
      steps: [{ id: "one", kind: "set", input: {} }],
      output: { given: "{{ each.item }}" },
    };
    const items: Json[] = Array.from({ length: 10 }, (_item, i) => `${i} ${"x".repeat(250_000)}`);
    items[7] = Array.from({ length: 1_100 }, () => "y".repeat(1_000));
    const read = {
      last: "{{ each.results[9].given | slice: 0, 2 }}",
      counts: "{{ each.counts }}",
      why: "{{ each.failures[0].error.message }}",
    };
    const run = await runOf([each, { id: "read", kind: "set", input: read }], { body: { items }, quickLane });
    expect(run.steps.find(({ path }) => path === "read")?.output).toEqual({
      last: "9 ",
      counts: { total: 10, succeeded: 9, failed: 1, filtered: 0 },
      why: expect.stringMatching(
        /^steps\[0\]\.output: an item hands out \d+ bytes of JSON; 1048576 are allowed\./,
      ) as string,
    });
    const { rows } = await pool.query<{ first: number; bytes: number }>(
      "select first, octet_length(items::text) as bytes from tandem.step_lists where run_id = $1 and path = 'each' and name = 'results' order by page",
      [run.id],
    );
    expect(rows.map(({ first }) => first)).toEqual([0, 4, 9]);
    expect(Math.max(...rows.map(({ bytes }) => bytes))).toBeLessThan(1_300_000);
  },
);

test("a branch of a parallel that fails ends the others before their next step", async () => {
  const run = await runOf([
    {
      id: "both",
      kind: "parallel",
      branches: [
        { name: "left", steps: [{ id: "one", kind: "call", input: { name: "broken" } }] },
        {
          name: "right",
          steps: [
            { id: "two", kind: "call", input: { name: "flaky" }, retry: { initialInterval: "1h" } },
            { id: "three", kind: "call", input: { name: "fine" } },
          ],
        },
      ],
    },
  ]);
  expect(run).toMatchObject({ status: "failed", error: { code: "refused", step: "one" } });
  expect(outside.asked.get("fine")).toBeUndefined();
});

test.each([
  { lane: "quick", kind: "ask-test", batch: undefined, counts: 400 },
  { lane: "quick", kind: "ask-test", batch: 150, counts: 3 },
  { lane: "ordinary", kind: "call", batch: 150, counts: 3 },
])("a long list is gone through where it lies: $lane, batch $batch", async ({ lane, kind, batch, counts }) => {
  const object = engine.objects.find("task")!;
  const mark = `${lane}-${counts}`;
  const title = (number: number): string => `${mark} ${number} ${"long ".repeat(800)}`;
  const rows = Array.from({ length: 400 }, (_, number) => ({ title: title(number) }));
  await createRecords(engine.writer, { object, rows, atomic: true });
  const given = batch === undefined ? "{{ each.item.title | slice: 0, 14 }}" : "{{ each.items | size }}";
  const run = await runOf(
    [
      {
        id: "found",
        kind: "search-records",
        input: { object: "task", all: true, filter: { field: "title", operator: "startsWith", value: mark } },
      },
      {
        id: "each",
        kind: "iterator",
        items: "{{ found.records }}",
        ...(batch === undefined ? {} : { batch }),
        steps: [
          { id: "asked", kind, input: { name: "fine" } },
          { id: "got", kind: "set", input: { given } },
        ],
        output: { given: "{{ got.given }}" },
      },
    ],
    { output: { total: "{{ each.counts.total }}", given: "{{ each.results | map: 'given' }}" } },
  );
  expect(run).toMatchObject({ status: "completed", output: { total: counts } });
  expect(run.steps.find(({ path }) => path === "each.open")?.output).toMatchObject({ list: { path: "found" } });
  const { given: values } = run.output as { given: Json[] };
  const numbers = new Set(values.map((value) => (typeof value === "string" ? value.split(" ")[1] : value)));
  const wanted: Json[] = batch === undefined ? rows.map((_, number) => String(number)) : [150, 100];
  expect(numbers).toEqual(new Set(wanted));
});

test("the end of an item that reads more of a list than a block may is done all the same", async () => {
  const steps: Json[] = [
    { id: "big", kind: "set", input: { list: "{{ trigger.body.list }}" } },
    // What a block made itself it knows by heart.
    { id: "between", kind: "call", input: { name: "fine" } },
    {
      id: "each",
      kind: "iterator",
      items: [1, 2],
      steps: [
        { id: "inner", kind: "iterator", items: [3], steps: [], output: { sum: "{{ big.list | map: 'n' | sum }}" } },
      ],
      output: { all: "{{ inner.results }}", sum: "{{ big.list | map: 'n' | sum }}" },
    },
  ];
  const list = Array.from({ length: 5_000 }, (_, n) => ({ n, text: "x".repeat(300) }));
  const run = await runOf(steps, { body: { list }, output: { results: "{{ each.results }}" } });
  const sum = (5_000 * 4_999) / 2;
  expect(run).toMatchObject({
    status: "completed",
    output: { results: [1, 2].map(() => ({ all: [{ sum }], sum })) },
  });
});

test("what blocks cannot do in a loop, however often they try, is done by activities", async () => {
  const steps: Json[] = [
    {
      id: "each",
      kind: "iterator",
      items: [1, 2],
      steps: [{ id: "asked", kind: "ask-test", input: { name: "heavy" } }],
      output: { said: "{{ asked.said }}" },
    },
  ];
  const run = await runOf(steps, { output: { results: "{{ each.results }}" } });
  expect(run).toMatchObject({
    status: "completed",
    output: { results: [{ said: "as an activity" }, { said: "as an activity" }] },
  });
});
