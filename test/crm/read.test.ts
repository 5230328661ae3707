import { describe, expect, test } from "vitest";
import { deleteRecord, updateRecord } from "../../src/crm/operations.ts";
import { listRecords, type Sort } from "../../src/crm/read.ts";
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
});
