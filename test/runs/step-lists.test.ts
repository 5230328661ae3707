import { describe, expect, test } from "vitest";
import { FencedError } from "../../src/errors.ts";
import type { Json, JsonObject } from "../../src/json.ts";
import { createSeal, isLedgerConflict, sealRows, type RunKey, type StepRow } from "../../src/runs/ledger.ts";
import { longListOf } from "../../src/runs/long-lists.ts";
import { loadRows } from "../../src/runs/known-rows.ts";
import { pathKey } from "../../src/runs/path-key.ts";
import {
  findStepList,
  listName,
  listPath,
  pageBytes,
  pageItems,
  readListPage,
  readListPages,
  splitLists,
} from "../../src/runs/step-lists.ts";
import { createTestDatabase } from "../support/database.ts";
import { enqueue, insertWorkflow, insertWorkspace } from "../support/rows.ts";

const { pool } = await createTestDatabase();
const workspaceId = await insertWorkspace(pool);
const workflow = { workspaceId, ...(await insertWorkflow(pool, workspaceId, "lists")) };

async function start(): Promise<RunKey> {
  const runId = await enqueue(pool, workflow);
  await pool.query("update tandem.runs set status = 'running', started_at = now() where id = $1", [runId]);
  return { runId, fence: 1 };
}

function row(path: string, output: Json, input: Json = null): StepRow {
  const done = { kind: "set", status: "done", outcome: null, verdict: { kind: "done" }, error: null } as const;
  const times = { startedAt: new Date(), endedAt: new Date() };
  return { path, input, output, attempts: 1, attempt: null, lane: "quick", ...done, ...times };
}

/** Items of about a kilobyte. */
const items = (count: number): Json[] => Array.from({ length: count }, (_, i) => ({ i, text: "é".repeat(500) }));

async function stored(key: RunKey, path: string): Promise<{ output: Json; input: Json; lists: Json }> {
  const { rows } = await pool.query<{ output: Json; input: Json; lists: Json }>(
    "select output, input, lists from tandem.step_results where run_id = $1 and path = $2",
    [key.runId, path],
  );
  return rows[0] ?? { output: null, input: null, lists: null };
}

async function readAll(key: RunKey, path: string, name: string, count: number): Promise<Json[]> {
  const all: Json[] = [];
  for await (const page of readListPages(pool, { runId: key.runId, path, name, count })) all.push(...page.items);
  return all;
}

async function pagesOf(key: RunKey): Promise<number> {
  const { rows } = await pool.query<{ count: number }>("select count(*) from tandem.step_lists where run_id = $1", [
    key.runId,
  ]);
  return rows[0]?.count ?? 0;
}

describe("the name of a list", () => {
  test.each([
    [[], ""],
    [["records"], "records"],
    [["body", "data", "items"], "body.data.items"],
    [["a.b", "c\\d"], "a\\.b.c\\\\d"],
  ])("of the keys %j is %j, and leads back", (path, name) => {
    expect(listName(path)).toBe(name);
    expect(listPath(name)).toEqual(path);
  });
});

describe("splitting", () => {
  test("leaves short lists, long text and lists within lists where they are", () => {
    const output = { short: items(100), text: "x".repeat(2 * pageBytes), within: [{ list: items(10) }] };
    expect(splitLists(output)).toEqual({ output, lists: null, pages: [] });
    expect(splitLists(output).output).toBe(output);
  });

  test("takes out each long list, at most 200 items and 1 MiB a page, and nothing else", () => {
    const long = items(2_500);
    const { output, lists, pages } = splitLists({ a: 1, body: { data: long, more: null }, "x.y": long });
    expect(output).toEqual({ a: 1, body: { data: { count: 2_500 }, more: null }, "x.y": { count: 2_500 } });
    expect(lists).toEqual({ "body.data": 2_500, "x\\.y": 2_500 });
    for (const name of ["body.data", "x\\.y"]) {
      const own = pages.filter((page) => page.name === name);
      expect(own.map(({ page }) => page)).toEqual(own.map((_, i) => i));
      expect(own.flatMap((page) => page.items.map((item) => JSON.parse(item) as Json))).toEqual(long);
      expect(own.every((page) => page.items.length <= pageItems)).toBe(true);
      expect(own.every((page) => Buffer.byteLength(page.items.join(",")) <= pageBytes)).toBe(true);
    }
  });

  test("gives an item that is longer than a page one of its own", () => {
    const { pages } = splitLists([1, "x".repeat(2 * pageBytes), 2]);
    expect(pages.map(({ first, items: [...own] }) => [first, own.length])).toEqual([
      [0, 1],
      [1, 1],
      [2, 1],
    ]);
  });

  test("an output may be a list itself", () => {
    expect(splitLists(items(1_200))).toMatchObject({ output: { count: 1_200 }, lists: { "": 1_200 } });
  });
});

describe("a sealed step", () => {
  test("has the pages of its long lists beside it, and of a long input what it was", async () => {
    const key = await start();
    await sealRows(pool, key, [row("found", { records: items(1_500), total: 1_500 }, { rows: items(1_200), to: "x" })]);
    expect(await stored(key, "found")).toEqual({
      output: { records: { count: 1_500 }, total: 1_500 },
      input: { rows: { count: 1_200 }, to: "x" },
      lists: { records: 1_500 },
    });
    expect(await readAll(key, "found", "records", 1_500)).toEqual(items(1_500));
  });

  test("gives any item by its index, by a page that is not much longer than it must be", async () => {
    const key = await start();
    const given = [...items(450), "x".repeat(3 * pageBytes), ...items(950)];
    await sealRows(pool, key, [row("found", given)]);
    for (const index of [0, 199, 200, 449, 450, 451, 1_000, 1_400]) {
      const page = await readListPage(pool, { runId: key.runId, path: "found", name: "", index });
      expect(page?.items[index - page.first]).toEqual(given[index]);
    }
    const beyond = await readListPage(pool, { runId: key.runId, path: "found", name: "", index: given.length });
    expect(beyond).toBeUndefined();
  });

  test("that rode with a write has its pages where the write was made, and else none", async () => {
    for (const happens of [true, false]) {
      const key = await start();
      const seal = createSeal(key, { ...row("write", null), input: null }, [row("found", { list: items(1_500) })]);
      const statement = seal.begin();
      statement.with("effect", `select 1 as x from gate where ${String(happens)}`);
      const result = { from: "effect", output: "jsonb_build_object('x', x)", outcome: "'done'" };
      const sealed = await seal.commit(pool, statement, result);
      expect(sealed?.output).toEqual(happens ? { x: 1 } : undefined);
      expect((await pagesOf(key)) > 0).toBe(happens);
    }
  });

  test("is not sealed twice, whichever of its rows the later one meets first", async () => {
    const key = await start();
    const attempts = await Promise.allSettled(
      Array.from({ length: 5 }, () => sealRows(pool, key, [row("found", { list: items(1_500) })])),
    );
    const lost = attempts.flatMap((attempt) => (attempt.status === "rejected" ? [attempt.reason as unknown] : []));
    expect(lost.map(isLedgerConflict)).toEqual([true, true, true, true]);
    expect(await readAll(key, "found", "list", 1_500)).toHaveLength(1_500);
  });

  test("leaves no page in a run that is not open", async () => {
    const key = { ...(await start()), fence: 7 };
    await expect(sealRows(pool, key, [row("found", items(1_500))])).rejects.toBeInstanceOf(FencedError);
    expect(await pagesOf(key)).toBe(0);
  });

  test("may give 50 MB", async () => {
    const key = await start();
    const given = items(50_000);
    await sealRows(pool, key, [row("fetched", { body: { data: given } })]);
    expect(await findStepList(pool, { workspaceId, runId: key.runId, path: "fetched", name: "body.data" })).toBe(
      50_000,
    );
    const last = await readListPage(pool, { runId: key.runId, path: "fetched", name: "body.data", index: 49_999 });
    expect(last?.items.at(-1)).toEqual(given.at(-1));
  });
});

test("what is known of a step has something that stands for each long list, whatever was asked for", async () => {
  const key = await start();
  const output = { body: { data: items(1_500), title: "All" }, total: 3 };
  await sealRows(pool, key, [row("found", output)]);
  const subs = [[], ["total"], ["body"], ["body", "data"], ["body", "data", 7, "i"]];
  const rows = await loadRows(pool, key.runId, [{ path: "found", subs, error: false }]);
  const parts = rows.get("found")?.parts;
  const list = { path: "found", name: "body.data", count: 1_500 };
  const standsIn = (value: Json | undefined): unknown => longListOf(value);
  const at = (path: (string | number)[]): JsonObject => parts?.get(pathKey(path)) as JsonObject;
  expect(standsIn((at([])["body"] as JsonObject)["data"])).toEqual(list);
  expect(standsIn(at(["body"])["data"])).toEqual(list);
  expect(standsIn(at(["body", "data"]))).toEqual(list);
  expect(parts?.get(pathKey(["total"]))).toBe(3);
  expect(standsIn({ count: 1_500 })).toBeUndefined();
});
