import { expect, test } from "vitest";
import { expandRecords, mostRelated, relationNames } from "../../src/crm/expand.ts";
import { createRecords } from "../../src/crm/batch.ts";
import { deleteRecord } from "../../src/crm/operations.ts";
import type { Sql } from "../../src/sql.ts";
import { createTestDatabase } from "../support/database.ts";
import { createCrm } from "./support.ts";

const { pool } = await createTestDatabase();
const { writer, objects, object, make } = await createCrm(pool);

test("records stand beside what they point to, and have lists of what points to them", async () => {
  const company = await make("company", { name: "Acme" });
  const person = await make("person", { companyId: company.id });
  const deal = await make("opportunity", { pointOfContactId: person.id, companyId: company.id });
  const [expanded] = await expandRecords(pool, { objects, object: object("person"), records: [person.record] });
  expect(expanded).toEqual({
    ...person.record,
    company: company.record,
    pointOfContactForOpportunities: [deal.record],
    taskTargets: [],
    noteTargets: [],
  });
  const [whole] = await expandRecords(pool, { objects, object: object("company"), records: [company.record] });
  expect(whole).toMatchObject({ people: [person.record], opportunities: [deal.record], accountOwner: null });
});

test("what is deleted is not shown", async () => {
  const company = await make("company", {});
  const person = await make("person", { companyId: company.id });
  await deleteRecord(writer, { object: object("company"), id: company.id, permanently: false });
  const [expanded] = await expandRecords(pool, { objects, object: object("person"), records: [person.record] });
  expect(expanded).toMatchObject({ companyId: company.id, company: null });
  await deleteRecord(writer, { object: object("person"), id: person.id, permanently: false });
  const [whole] = await expandRecords(pool, { objects, object: object("company"), records: [company.record] });
  expect(whole).toMatchObject({ people: [] });
});

test(`a list shows the first ${mostRelated}, whatever the others have`, async () => {
  const [full, small] = [await make("company", {}), await make("company", {})];
  const rows = Array.from({ length: mostRelated + 5 }, () => ({ companyId: full.id }));
  const made = await createRecords(writer, { object: object("person"), rows: [...rows, { companyId: small.id }] });
  const records = [full.record, small.record];
  const expanded = await expandRecords(pool, { objects, object: object("company"), records });
  const ids = made.slice(0, mostRelated + 5).map(({ id }) => id);
  const [first, second] = expanded.map(({ people }) => (people as { id: string }[]).map(({ id }) => id));
  expect(first).toEqual(ids.toSorted().slice(0, mostRelated));
  expect(second).toEqual([made.at(-1)?.id]);
});

test("takes one statement a relation for any number of records, and none for what is not asked for", async () => {
  const statements: unknown[] = [];
  const counted = {
    query: async (query: { text: string; values: unknown[] }) => {
      statements.push(query);
      return pool.query(query);
    },
  } as unknown as Sql;
  const company = await make("company", {});
  const made = await createRecords(writer, {
    object: object("person"),
    rows: Array.from({ length: 20 }, () => ({ companyId: company.id })),
  });
  const records = made.flatMap(({ record }) => (record === null ? [] : [record]));
  await expandRecords(counted, { objects, object: object("person"), records });
  expect(statements).toHaveLength(relationNames(object("person")).length);
  statements.length = 0;
  const [one] = await expandRecords(counted, {
    objects,
    object: object("person"),
    records,
    wants: (name) => name === "company",
  });
  expect(statements).toHaveLength(1);
  expect(Object.keys(one ?? {})).not.toContain("taskTargets");
});
