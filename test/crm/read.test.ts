import { describe, expect, test } from "vitest";
import { deleteRecord, updateRecord } from "../../src/crm/operations.ts";
import { listRecords, type ListRequest, type Sort } from "../../src/crm/read.ts";
import type { JsonObject } from "../../src/json.ts";
import { createTestDatabase } from "../support/database.ts";
import { createCrm, refusal } from "./support.ts";

const { pool } = await createTestDatabase();
const { objects, object, make, writer } = await createCrm(pool);
const note = object("note");
const company = object("company");

const list = (request: Partial<Parameters<typeof listRecords>[1]> = {}) =>
  listRecords(pool, { objects, object: note, limit: 200, ...request });
const namesOf = (records: readonly JsonObject[], field = "title") => records.map((record) => record[field]);

test("pages by cursor hold each record once, in order, both ways, also where values repeat or lack", async () => {
  for (let i = 0; i < 12; i++) {
    const amounts = { employees: i % 3 === 0 ? null : i % 4, idealCustomerProfile: i % 2 === 0 };
    await make("company", { ...amounts, name: i % 5 === 0 ? null : `n${i % 3}` });
  }
  const sorts: Sort[][] = [
    [],
    [{ field: "employees", direction: "asc" }],
    [{ field: "employees", direction: "desc", nulls: "first" }],
    [
      { field: "name", direction: "desc" },
      { field: "employees", direction: "asc", nulls: "first" },
    ],
    [
      { field: "idealCustomerProfile", direction: "asc" },
      { field: "createdAt", direction: "desc" },
    ],
    [{ field: "domainName.primaryLinkUrl", direction: "asc" }],
    [{ field: "annualRecurringRevenue.amountMicros", direction: "asc" }],
  ];
  for (const sort of sorts) {
    const whole = await list({ object: company, sort });
    expect(whole).toMatchObject({ total: 12, hasNext: false, hasPrevious: false });
    const ids = namesOf(whole.records, "id");
    const forwards: unknown[] = [];
    let page = await list({ object: company, sort, limit: 5 });
    for (;;) {
      forwards.push(...namesOf(page.records, "id"));
      expect(page.total).toBe(12);
      if (!page.hasNext) break;
      page = await list({ object: company, sort, limit: 5, after: page.endCursor! });
    }
    expect(forwards).toEqual(ids);
    const back = await list({ object: company, sort, limit: 5, before: page.startCursor! });
    expect(namesOf(back.records, "id")).toEqual(ids.slice(5, 10));
    expect(back).toMatchObject({ hasNext: true, hasPrevious: true });
  }
});

test("a page goes on at the right place while records come, change and go", async () => {
  for (const title of ["b", "d", "f", "h"]) await make("note", { title });
  const sort: Sort[] = [{ field: "title", direction: "asc" }];
  const first = await list({ sort, limit: 2 });
  expect(namesOf(first.records)).toEqual(["b", "d"]);
  await make("note", { title: "a" });
  await make("note", { title: "e" });
  const [b, d] = first.records;
  await deleteRecord(writer, { object: note, id: String(d!["id"]), permanently: true });
  await updateRecord(writer, { object: note, id: String(b!["id"]), values: { title: "z" } });
  const second = await list({ sort, limit: 2, after: first.endCursor! });
  expect(namesOf(second.records)).toEqual(["e", "f"]);
  expect(namesOf((await list({ sort, limit: 9, after: second.endCursor! })).records)).toEqual(["h", "z"]);
});

test("whoever stays put is on one page, whatever comes, goes and changes between two of them", async () => {
  const crm = await createCrm(pool);
  const object = crm.object("company");
  const random = createRandom(7);
  const made: string[] = [];
  for (let i = 0; i < 120; i++) made.push((await crm.make("company", companyOf(random))).id);
  const sorts: Sort[][] = [
    [],
    [{ field: "name", direction: "asc" }],
    [{ field: "name", direction: "desc", nulls: "first" }],
    [
      { field: "employees", direction: "asc", nulls: "first" },
      { field: "name", direction: "desc" },
    ],
    [{ field: "domainName", direction: "desc" }],
  ];
  for (const sort of sorts) {
    const moved = new Set<string>();
    const seen: string[] = [];
    let after: string | undefined;
    do {
      const request = { objects: crm.objects, object, sort, limit: 7, ...(after === undefined ? {} : { after }) };
      const page = await listRecords(pool, request);
      seen.push(...page.records.map(({ id }) => String(id)));
      after = page.hasNext ? page.endCursor! : undefined;
      for (let change = 0; change < 3; change++) {
        const id = made[Math.floor(random() * made.length)]!;
        moved.add(id);
        const values = companyOf(random);
        if (change === 0) made.push((await crm.make("company", values)).id);
        else if (change === 1) await deleteRecord(crm.writer, { object, id, permanently: random() < 0.5 });
        else await updateRecord(crm.writer, { object, id, values }).catch(() => {});
      }
    } while (after !== undefined);
    const { rows } = await pool.query<{ id: string }>(`select id from ${object.table} where deleted_at is null`);
    const alive = new Set(rows.map(({ id }) => id));
    const before = made.slice(0, 120).filter((id) => alive.has(id) && !moved.has(id));
    expect(before.length).toBeGreaterThan(20);
    expect(seen.filter((id) => before.includes(id)).toSorted()).toEqual(before.toSorted());
  }
});

/** Few values, so that many are the same, and some are none. */
function companyOf(random: () => number): JsonObject {
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!;
  const host = `${Math.floor(random() * 1e9)}.example`;
  return {
    name: pick([null, "", "a", "b", "B", "é"]),
    employees: pick([null, 1, 2, 3]),
    domainName: { primaryLinkUrl: pick(["", host]) },
  };
}

test("a page says truly whether others come before and after it", async () => {
  const crm = await createCrm(pool);
  const object = crm.object("note");
  const ids: string[] = [];
  for (const title of ["a", "b", "c"]) ids.push((await crm.make("note", { title })).id);
  const sort: Sort[] = [{ field: "title", direction: "asc" }];
  const page = (request: Partial<ListRequest>) =>
    listRecords(pool, { objects: crm.objects, object, sort, limit: 1, ...request });
  const second = await page({ after: (await page({})).endCursor! });
  expect(second).toMatchObject({ hasNext: true, hasPrevious: true });
  expect(await page({ before: second.startCursor! })).toMatchObject({ hasNext: true, hasPrevious: false });
  for (const id of ids.slice(1)) await deleteRecord(crm.writer, { object, id, permanently: true });
  expect(await page({ before: second.startCursor! })).toMatchObject({ hasNext: false, hasPrevious: false });
  expect(await page({ after: second.endCursor! })).toMatchObject({ records: [], hasNext: false, hasPrevious: true });
  await deleteRecord(crm.writer, { object, id: ids[0]!, permanently: true });
  expect(await page({ after: second.endCursor! })).toMatchObject({ hasNext: false, hasPrevious: false, total: 0 });
});

test("a total is counted up to ten thousand, and beyond is said to be an estimate", async () => {
  const crm = await createCrm(pool);
  const object = crm.object("note");
  const fill = (count: number) =>
    pool.query(
      `insert into ${object.table} (id, title) select gen_random_uuid(), 'n' from generate_series(1, ${count})`,
    );
  const total = async (request: Partial<ListRequest> = {}) => {
    const page = await listRecords(pool, { objects: crm.objects, object, limit: 3, ...request });
    return [page.total, page.totalIsEstimate];
  };
  await fill(10_000);
  await pool.query(`analyze ${object.table}`);
  expect(await total()).toEqual([10_000, false]);
  await crm.make("note", { title: "one" });
  const [beyond, isEstimate] = await total();
  expect(isEstimate).toBe(true);
  expect(beyond).toBeGreaterThanOrEqual(10_000);
  expect(await total({ where: { field: "title", operator: "equals", value: "one" } })).toEqual([1, false]);
  await fill(30_000);
  await pool.query(`analyze ${object.table}`);
  const [estimate] = await total();
  expect(estimate).toBeGreaterThan(36_000);
  expect(estimate).toBeLessThan(44_000);
});

test("texts of a mebibyte are sorted, paged, and no part of a cursor", async () => {
  const long = "y".repeat(1_000_000);
  for (const end of ["1", "2", "3"]) await make("note", { title: `${long}${end}` });
  const sort: Sort[] = [{ field: "title", direction: "desc" }];
  const where = { field: "title", operator: "startsWith", value: "yyy" } as const;
  const first = await list({ sort, where, limit: 2 });
  expect(first.endCursor!.length).toBeLessThan(500);
  const second = await list({ sort, where, limit: 2, after: first.endCursor! });
  expect(new Set(namesOf([...first.records, ...second.records])).size).toBe(3);
});

describe("refused", () => {
  test.each([
    "",
    "nonsense",
    "bnVsbA",
    Buffer.from('["a","b"]').toString("base64url"),
    Buffer.from("[{}]").toString("base64url"),
  ])("the cursor %j", async (after) => {
    expect(await refusal(list({ after }))).toMatchObject({ code: "invalid-cursor" });
  });

  test("a cursor of another order", async () => {
    const { endCursor } = await list({ sort: [{ field: "title", direction: "asc" }] });
    const sort: Sort[] = [{ field: "createdAt", direction: "asc" }];
    expect(await refusal(list({ sort, after: endCursor! }))).toMatchObject({ code: "invalid-cursor" });
  });

  test.each<[string, string]>([
    ["titel", 'no field "titel"; did you mean "title"?'],
    ["bodyV2", "has no order; name a sub-field of it"],
  ])("to sort by %s", async (field, message) => {
    const { message: said } = await refusal(list({ sort: [{ field, direction: "asc" }] }));
    expect(said).toContain(message);
  });

  test("to sort by a related record", async () => {
    const sort: Sort[] = [{ field: "accountOwner.userEmail", direction: "asc" }];
    expect(await refusal(list({ object: company, sort }))).toMatchObject({
      message: 'sort: "accountOwner.userEmail" is of a related record, and here stand fields of company only.',
    });
  });
});

/** The same numbers for the same seed, from 0 to 1. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}
