import { expect, test } from "vitest";
import type { RecordCondition } from "../../src/definition/conditions.ts";
import { createRecord } from "../../src/crm/operations.ts";
import { listRecords } from "../../src/crm/read.ts";
import type { JsonObject } from "../../src/json.ts";
import { createTestDatabase } from "../support/database.ts";
import { createTestWorkspace } from "../support/engine.ts";

const { pool } = await createTestDatabase();
const { objects, writer } = await createTestWorkspace(pool);
const object = (name: string) => objects.find(name)!;
const make = async (name: string, values: JsonObject): Promise<string> =>
  (await createRecord(writer, { object: object(name), values })).id;

const member = await make("workspaceMember", { userEmail: "owner@x.example" });
const acme = await make("company", {
  name: "Acme",
  domainName: { primaryLinkUrl: "https://acme.example" },
  employees: 10,
  idealCustomerProfile: true,
  accountOwnerId: member,
});
const soon = new Date(Date.now() + 86_400_000).toISOString();
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
await make("task", { title: "soon", dueAt: soon });
await make("task", { title: "none" });

async function found(condition: RecordCondition): Promise<string[]> {
  const page = await listRecords(pool, {
    objects,
    object: object("person"),
    where: condition,
    limit: 10,
    sort: [{ field: "name.firstName", direction: "asc" }],
  });
  expect(page.total).toBe(page.records.length);
  return page.records.map((record) => String((record["name"] as JsonObject)["firstName"]));
}

const [A, B, C] = ["Ada", "Bob", "Cyd"];
const cases: [RecordCondition, string[]][] = [
  [{ field: "emails.primaryEmail", operator: "equals", value: "ADA@x.example" }, [A]],
  [{ field: "emails", operator: "equals", value: "ada@x.example" }, [A]],
  [{ field: "emails.primaryEmail", operator: "in", value: ["ada@X.EXAMPLE", "bob@y.example", null] }, [A, B]],
  [{ field: "emails.primaryEmail", operator: "in", value: [] }, []],
  [{ field: "emails.primaryEmail", operator: "notIn", value: ["ada@x.example"] }, [B, C]],
  [{ field: "emails.primaryEmail", operator: "isEmpty" }, [C]],
  [{ field: "emails.primaryEmail", operator: "contains", value: "X.EX" }, [A]],
  [{ field: "emails.primaryEmail", operator: "startsWith", value: "BOB" }, [B]],
  [{ field: "emails.primaryEmail", operator: "endsWith", value: ".example" }, [A, B]],
  [{ field: "emails.additionalEmails", operator: "contains", value: "a2@x.example" }, [A]],
  [{ field: "emails.additionalEmails", operator: "isEmpty" }, [B, C]],
  [{ field: "city", operator: "equals", value: "rome" }, []],
  [{ field: "city", operator: "equals", value: null }, []],
  [{ field: "city", operator: "notEquals", value: "Rome" }, [B, C]],
  [{ field: "city", operator: "notContains", value: "Rom" }, [B, C]],
  [{ field: "city", operator: "contains", value: "%_\\" }, [B]],
  [{ field: "city", operator: "isNotEmpty" }, [A, B]],
  [{ field: "jobTitle", operator: "greaterThan", value: "A" }, [B]],
  [{ field: "jobTitle", operator: "lessThan", value: null }, []],
  [{ field: "name", operator: "isEmpty" }, []],
  [{ field: "company.name", operator: "equals", value: "Acme" }, [A]],
  [{ field: "company.domainName.primaryLinkUrl", operator: "equals", value: "www.ACME.example/x" }, [A]],
  [{ field: "company.name", operator: "notEquals", value: "Acme" }, [B, C]],
  [{ field: "company.employees", operator: "greaterThanOrEqual", value: 10 }, [A]],
  [{ field: "company.idealCustomerProfile", operator: "equals", value: true }, [A]],
  [{ field: "company.accountOwner.userEmail", operator: "equals", value: "OWNER@x.example" }, [A]],
  [{ field: "companyId", operator: "equals", value: acme }, [A]],
  [{ field: "createdAt", operator: "inLast", value: { hours: 1 } }, [A, B, C]],
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
  [{ all: [] }, [A, B, C]],
  [{ any: [] }, []],
];

test.each(cases)("%j", async (condition, expected) => {
  expect(await found(condition)).toEqual(expected);
});

const faults: [RecordCondition, RegExp][] = [
  [{ field: "citty", operator: "isEmpty" }, /no field "citty"; did you mean "city"/],
  [{ field: "name.first", operator: "isEmpty" }, /no sub-field "first"/],
  [{ field: "name", operator: "equals", value: "Ada" }, /name a sub-field/],
  [{ field: "companyId", operator: "equals", value: "acme" }, /id of a record/],
  [{ field: "city", operator: "in", value: "Rome" }, /takes a list/],
  [{ field: "city", operator: "inLast", value: { days: 1 } }, /looks at dates/],
  [{ all: [{ field: "x", operator: "isEmpty" }] }, /^filter\.all\[0\]: /],
];

test.each(faults)("%j is refused with its place", async (condition, message) => {
  await expect(found(condition)).rejects.toMatchObject({
    code: "invalid-filter",
    message: expect.stringMatching(message),
  });
});

test("a look-up of a unique value uses its index", async () => {
  const client = await pool.connect();
  try {
    await client.query("begin; set local enable_seqscan = off");
    for (const [table, expression] of [
      ["person", `nullif(lower(emails ->> 'primaryEmail'), '') = nullif(lower('a@x'), '')`],
    ]) {
      const { rows } = await client.query<{ "QUERY PLAN": string }>(
        `explain select id from ${object(table!).table} where deleted_at is null and ${expression}`,
      );
      expect(rows.map((row) => row["QUERY PLAN"]).join("\n")).toMatch(/Index Scan|Bitmap Index Scan/);
    }
  } finally {
    await client.query("rollback");
    client.release();
  }
});

test("pages by cursor, in both directions, with nulls in their place, stay right while records come and go", async () => {
  for (let i = 0; i < 25; i++) await make("note", i % 5 === 0 ? {} : { title: `t${i % 7}` });
  const all = (
    await listRecords(pool, {
      objects,
      object: object("note"),
      limit: 200,
      sort: [{ field: "title", direction: "desc", nulls: "first" }],
    })
  ).records.map((record) => record["id"]);
  const seen: unknown[] = [];
  let after: string | undefined;
  do {
    const page = await listRecords(pool, {
      objects,
      object: object("note"),
      limit: 4,
      after,
      sort: [{ field: "title", direction: "desc", nulls: "first" }],
    });
    seen.push(...page.records.map((record) => record["id"]));
    after = page.hasNext ? (page.endCursor ?? undefined) : undefined;
    if (seen.length === 8) await make("note", { title: "zzz" });
  } while (after !== undefined);
  expect(seen).toEqual(all);
});
