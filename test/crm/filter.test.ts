import { expect, test } from "vitest";
import type { RecordCondition } from "../../src/definition/conditions.ts";
import { filterSql } from "../../src/crm/filter.ts";
import { deleteRecord } from "../../src/crm/operations.ts";
import { listRecords } from "../../src/crm/read.ts";
import type { JsonObject } from "../../src/json.ts";
import { createStatement } from "../../src/sql.ts";
import { createTestDatabase } from "../support/database.ts";
import { createCrm } from "./support.ts";

const { pool } = await createTestDatabase();
const crm = await createCrm(pool, { timeZone: "Europe/Berlin" });
const { objects, object, writer } = crm;
const make = async (name: string, values: JsonObject): Promise<string> => (await crm.make(name, values)).id;

const member = await make("workspaceMember", { userEmail: "owner@x.example" });
const acme = await make("company", {
  name: "Acme",
  domainName: { primaryLinkUrl: "https://acme.example" },
  employees: 10,
  idealCustomerProfile: true,
  accountOwnerId: member,
});
const inDays = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString();
const people: Record<string, JsonObject> = {
  ada: {
    name: { firstName: "Ada" },
    emails: { primaryEmail: "Ada@X.example", additionalEmails: ["a2@x.example"] },
    city: "Rome",
    companyId: acme,
  },
  bob: { name: { firstName: "Bob" }, emails: { primaryEmail: "bob@y.example" }, city: "100%_\\", jobTitle: "CTO" },
  cyd: { name: { firstName: "Cyd" } },
};
for (const values of Object.values(people)) await make("person", values);
const gone = await make("company", { name: "Gone" });
await make("person", { name: { firstName: "Dan" }, companyId: gone, position: 7 });
await deleteRecord(writer, { object: object("company"), id: gone, permanently: false });
await make("task", { title: "overdue", dueAt: inDays(-3) });
await make("task", { title: "soon", dueAt: inDays(1), status: "DONE" });
await make("task", { title: "later", dueAt: inDays(40) });
await make("task", { title: "none" });
await make("opportunity", { name: "small", amount: { amountMicros: 5, currencyCode: "EUR" }, stage: "CLOSED_WON" });
await make("opportunity", { name: "large", amount: { amountMicros: "9007199254740993000", currencyCode: "EUR" } });

async function found(condition: RecordCondition, name = "person"): Promise<unknown[]> {
  const page = await listRecords(pool, { objects, object: object(name), where: condition, limit: 10 });
  expect(page.total).toBe(page.records.length);
  return page.records.map((record) => {
    const called = record["name"] ?? record["title"];
    return typeof called === "string" ? called : (called as JsonObject)["firstName"];
  });
}

const [A, B, C, D] = ["Ada", "Bob", "Cyd", "Dan"];
const cases: [RecordCondition, string[]][] = [
  [{ field: "emails.primaryEmail", operator: "equals", value: "ADA@x.example" }, [A]],
  [{ field: "emails", operator: "equals", value: "ada@x.example" }, [A]],
  [{ field: "emails.primaryEmail", operator: "in", value: ["ada@X.EXAMPLE", "bob@y.example", null] }, [A, B]],
  [{ field: "emails.primaryEmail", operator: "in", value: [] }, []],
  [{ field: "emails.primaryEmail", operator: "notIn", value: ["ada@x.example"] }, [B, C, D]],
  [{ field: "emails.primaryEmail", operator: "isEmpty" }, [C, D]],
  [{ field: "emails.primaryEmail", operator: "contains", value: "X.EX" }, [A]],
  [{ field: "emails.primaryEmail", operator: "startsWith", value: "BOB" }, [B]],
  [{ field: "emails.primaryEmail", operator: "endsWith", value: ".example" }, [A, B]],
  [{ field: "emails.additionalEmails", operator: "contains", value: "a2@x.example" }, [A]],
  [{ field: "emails.additionalEmails", operator: "isEmpty" }, [B, C, D]],
  // In the list beside it addresses compare as in the main one.
  [{ field: "emails.additionalEmails", operator: "contains", value: "A2@X.example" }, [A]],
  [{ field: "emails.additionalEmails", operator: "notContains", value: "a2@x.example" }, [B, C, D]],
  // What is asked of nothing: with null, only the operators that hold of nothing match.
  [{ field: "city", operator: "in", value: [null] }, []],
  [{ field: "city", operator: "notIn", value: [] }, [A, B, C, D]],
  [{ field: "city", operator: "notEquals", value: null }, [A, B, C, D]],
  [{ field: "city", operator: "contains", value: null }, []],
  [{ field: "city", operator: "notContains", value: null }, [A, B, C, D]],
  [{ field: "city", operator: "startsWith", value: null }, []],
  [{ not: { field: "city", operator: "equals", value: "Rome" } }, [B, C, D]],
  [{ not: { field: "city", operator: "greaterThan", value: "A" } }, [B, C, D]],
  [{ field: "city", operator: "startsWith", value: "%" }, []],
  [{ field: "city", operator: "endsWith", value: "\\" }, [B]],
  // A related record that is deleted is none.
  [{ field: "company.name", operator: "equals", value: "Gone" }, []],
  [{ field: "company.name", operator: "isEmpty" }, [B, C, D]],
  [{ field: "company.employees", operator: "isNotEmpty" }, [A]],
  [{ field: "companyId", operator: "isNotEmpty" }, [A, D]],
  [{ field: "company.accountOwner.name.firstName", operator: "isEmpty" }, [A, B, C, D]],
  [{ field: "company.domainName", operator: "contains", value: "ACME" }, [A]],
  // Text that is a number beside a number, and the other way round.
  [{ field: "position", operator: "greaterThan", value: "6.5" }, [D]],
  [{ field: "position", operator: "in", value: [7, "8"] }, [D]],
  [{ field: "jobTitle", operator: "equals", value: 7 }, []],
  [{ field: "id", operator: "in", value: [] }, []],
  [{ field: "city", operator: "equals", value: "rome" }, []],
  [{ field: "city", operator: "equals", value: null }, []],
  [{ field: "city", operator: "notEquals", value: "Rome" }, [B, C, D]],
  [{ field: "city", operator: "notContains", value: "Rom" }, [B, C, D]],
  [{ field: "city", operator: "contains", value: "%_\\" }, [B]],
  [{ field: "city", operator: "isNotEmpty" }, [A, B]],
  [{ field: "jobTitle", operator: "greaterThan", value: "A" }, [B]],
  [{ field: "jobTitle", operator: "lessThan", value: null }, []],
  [{ field: "name", operator: "isEmpty" }, []],
  [{ field: "company.name", operator: "equals", value: "Acme" }, [A]],
  [{ field: "company.domainName.primaryLinkUrl", operator: "equals", value: "www.ACME.example/x" }, [A]],
  [{ field: "company.name", operator: "notEquals", value: "Acme" }, [B, C, D]],
  [{ field: "company.employees", operator: "greaterThanOrEqual", value: 10 }, [A]],
  [{ field: "company.idealCustomerProfile", operator: "equals", value: true }, [A]],
  [{ field: "company.accountOwner.userEmail", operator: "equals", value: "OWNER@x.example" }, [A]],
  [{ field: "companyId", operator: "equals", value: acme }, [A]],
  [{ field: "createdAt", operator: "inLast", value: { hours: 1 } }, [A, B, C, D]],
  [{ field: "createdAt", operator: "inNext", value: { days: 1 } }, []],
  [
    {
      all: [
        { field: "city", operator: "isNotEmpty" },
        { not: { field: "jobTitle", operator: "equals", value: "CTO" } },
      ],
    },
    [A],
  ],
  [
    {
      any: [
        { field: "city", operator: "equals", value: "Rome" },
        { field: "jobTitle", operator: "equals", value: "CTO" },
      ],
    },
    [A, B],
  ],
  [{ all: [] }, [A, B, C, D]],
  [{ any: [] }, []],
];

test.each(cases)("%j", async (condition, expected) => {
  expect(await found(condition)).toEqual(expected);
});

test.each<[string, RecordCondition, string[]]>([
  ["task", { field: "dueAt", operator: "inNext", value: { days: 2 } }, ["soon"]],
  ["task", { field: "dueAt", operator: "inNext", value: { months: 2 } }, ["soon", "later"]],
  ["task", { field: "dueAt", operator: "inLast", value: { weeks: 1 } }, ["overdue"]],
  ["task", { field: "dueAt", operator: "inLast", value: { minutes: 5 } }, []],
  ["task", { field: "dueAt", operator: "lessThan", value: inDays(0) }, ["overdue"]],
  ["task", { field: "status", operator: "in", value: ["DONE", "IN_PROGRESS"] }, ["soon"]],
  ["opportunity", { field: "amount.amountMicros", operator: "greaterThan", value: "9007199254740992999" }, ["large"]],
  ["opportunity", { field: "amount.amountMicros", operator: "equals", value: 5 }, ["small"]],
  ["opportunity", { field: "stage", operator: "notEquals", value: "CLOSED_WON" }, ["large"]],
  ["company", { field: "name", operator: "isNotEmpty" }, ["Acme"]],
])("%s: %j", async (name, condition, expected) => {
  expect(await found(condition, name)).toEqual(expected);
});

const faults: [RecordCondition, RegExp][] = [
  [{ field: "citty", operator: "isEmpty" }, /no field "citty"; did you mean "city"/],
  [{ field: "name.first", operator: "isEmpty" }, /no sub-field "first"/],
  [{ field: "name", operator: "equals", value: "Ada" }, /name a sub-field/],
  [{ field: "companyId", operator: "equals", value: "acme" }, /id of a record/],
  [{ field: "city", operator: "in", value: "Rome" }, /takes a list/],
  [{ field: "city", operator: "inLast", value: { days: 1 } }, /looks at dates/],
  [
    { field: "createdAt", operator: "greaterThan", value: "2026-03-29" },
    /a moment and 2026-03-29 a day; use start_of_day/,
  ],
  [{ field: "createdAt", operator: "greaterThan", value: 5 }, /takes a date and time/],
  [{ field: "city", operator: "greaterThan", value: 5 }, /is text, which has no order with 5/],
  [{ field: "emails.additionalEmails", operator: "lessThan", value: [] }, /has no order/],
  [{ field: "city", operator: "contains", value: "a\u0000" }, /NUL/],
  [{ field: "emails.primaryEmail", operator: "equals", value: "\ud800" }, /lone surrogate/],
  [{ field: "emails.additionalEmails", operator: "contains", value: "\u0000" }, /NUL/],
  [{ field: "position", operator: "equals", value: "1e5" }, /takes a number/],
  [{ field: "compny.name", operator: "isEmpty" }, /no field or relation "compny"; did you mean "company"/],
  [{ field: "company.nmae", operator: "isEmpty" }, /company has no field "nmae"; did you mean "name"/],
  [
    { field: "company.accountOwner.userEmail.x", operator: "isEmpty" },
    /is no field of workspaceMember|has no sub-field/,
  ],
  [{ all: [{ field: "x", operator: "isEmpty" }] }, /^filter\.all\[0\]: /],
  [{ not: { any: [{ field: "x", operator: "isEmpty" }] } }, /^filter\.not\.any\[0\]: /],
];

test.each(faults)("%j is refused with its place", async (condition, message) => {
  await expect(found(condition)).rejects.toMatchObject({
    code: "invalid-filter",
    message: expect.stringMatching(message),
  });
});

test("an option's label, or one that is none, is refused with the value that was meant", async () => {
  const stage = (value: string) => found({ field: "stage", operator: "equals", value }, "opportunity");
  await expect(stage("Closed won")).rejects.toMatchObject({
    message: expect.stringContaining('did you mean "CLOSED_WON"?'),
  });
  await expect(stage("WON")).rejects.toMatchObject({ message: expect.stringContaining("it has NEW") });
});

test("a path follows three relations and no more", async () => {
  const followed = (field: string) => found({ field, operator: "isEmpty" }, "taskTarget");
  await expect(followed("person.company.accountOwner.userEmail")).resolves.toEqual([]);
  const four = "opportunity.pointOfContact.company.accountOwner.userEmail";
  await expect(followed(four)).rejects.toMatchObject({ message: expect.stringContaining("more than 3 relations") });
});

test.each<[string, RecordCondition]>([
  ["person", { field: "emails", operator: "equals", value: "Ada@x.example" }],
  ["person", { field: "emails.primaryEmail", operator: "in", value: ["ada@x.example", "bob@x.example"] }],
  ["company", { field: "domainName.primaryLinkUrl", operator: "equals", value: "https://www.acme.example/x" }],
  ["company", { field: "name", operator: "equals", value: "Acme" }],
  ["person", { field: "company.domainName", operator: "equals", value: "acme.example" }],
  ["person", { field: "name.lastName", operator: "equals", value: "Lovelace" }],
])("among many a %s is looked up by an index: %j", async (name, condition) => {
  const statement = createStatement();
  const where = filterSql(condition, { statement, objects, object: object(name), alias: "t", at: "filter" });
  const { text, values } = statement.query(
    `explain (format json) select t.id from ${object(name).table} t where t.deleted_at is null and ${where}`,
  );
  const client = await pool.connect();
  try {
    // A plan as for a table that is large: nothing is read whole that need not be.
    await client.query("begin; set local enable_seqscan = off; set local enable_indexscan = on");
    const { rows } = await client.query<{ "QUERY PLAN": unknown }>(text, values);
    expect(JSON.stringify(rows[0]?.["QUERY PLAN"])).toMatch(/"Index Cond"/);
  } finally {
    await client.query("rollback");
    client.release();
  }
});
