import { expect, test } from "vitest";
import { loadWorkspace } from "../../src/catalog/workspaces.ts";
import { getObjects } from "../../src/crm/load-objects.ts";
import { createObject } from "../../src/crm/metadata/objects.ts";
import { listRecords, type ListRequest } from "../../src/crm/read.ts";
import { inTransaction, type Sql } from "../../src/sql.ts";
import { createTestDatabase } from "../support/database.ts";
import { createCrm } from "./support.ts";

const { pool } = await createTestDatabase();
const crm = await createCrm(pool);
await createObject(
  { pool, workspace: crm.workspace },
  {
    name: "thing",
    plural: "things",
    fields: [
      { name: "folded", type: "TEXT", indexed: true, compares: "without-case" },
      { name: "once", type: "TEXT", unique: true },
      { name: "exact", type: "NUMBER", indexed: true },
      { name: "tags", type: "MULTI_SELECT", indexed: true, options: [{ value: "A", label: "A" }] },
      { name: "stage", type: "SELECT", indexed: true, options: [{ value: "A", label: "A" }] },
    ],
  },
);
const objects = await getObjects(pool, await loadWorkspace(pool, crm.workspace.id));
const long = "x".repeat(300);

// So many that the planner has to choose.
const rows = "from generate_series(1, 5000) as i";
const link = `jsonb_build_object('primaryLinkUrl', 'c' || i || '.example')`;
const email = `jsonb_build_object('primaryEmail', 'p' || i || '@x.example')`;
const tableOf = (name: string): string => objects.find(name)!.table;
await pool.query(`insert into ${tableOf("company")} (id, name, domain_name) select gen_random_uuid(), 'C' || i, ${link} ${rows};
  insert into ${tableOf("person")} (id, emails, created_at, company_id)
    select gen_random_uuid(), ${email}, now() - i * interval '1 day', (select id from ${tableOf("company")} limit 1) ${rows};
  insert into ${tableOf("thing")} (id, folded, once, exact, tags, stage)
    select gen_random_uuid(), 'F' || i, 'O' || i, i, case when i % 500 = 0 then '{A}'::text[] else '{}' end, case when i % 500 = 0 then 'A' end ${rows};
  analyze ${tableOf("company")}, ${tableOf("person")}, ${tableOf("thing")}`);

/** The conditions by which indexes are read, where the planner may read no table from end to end. */
async function indexConditions(name: string, request: Partial<ListRequest>): Promise<string> {
  const object = objects.find(name)!;
  return inTransaction(pool, async (sql) => {
    await sql.query("set local enable_seqscan = off");
    const plans: string[] = [];
    const explaining = {
      async query(text: string, values: unknown[]) {
        if (!text.startsWith("explain")) {
          const { rows } = await sql.query<{ "QUERY PLAN": string }>(`explain ${text}`, values);
          plans.push(...rows.map((row) => row["QUERY PLAN"]).filter((line) => line.includes("Index Cond")));
        }
        return sql.query(text, values);
      },
    } as unknown as Sql;
    await listRecords(explaining, { objects, object, limit: 5, ...request });
    return plans.join("\n");
  });
}

test.each<[string, Partial<ListRequest>, RegExp]>([
  [
    "person",
    { where: { field: "emails", operator: "equals", value: "A@x.example" } },
    /primaryEmail.* = 'a@x\.example'/,
  ],
  ["person", { where: { field: "emails", operator: "in", value: ["a@x.example"] } }, /primaryEmail.* = ANY/],
  ["person", { where: { field: "emails", operator: "startsWith", value: "A@" } }, /primaryEmail.* >= 'a@'/],
  [
    "company",
    { where: { field: "domainName", operator: "equals", value: "www.x.example" } },
    /regexp_replace.*primaryLinkUrl/,
  ],
  ["company", { where: { field: "name", operator: "equals", value: "Acme" } }, /"left".*name.* = 'Acme'/],
  ["company", { where: { field: "name", operator: "equals", value: long } }, /"left".*name.* = 'x{200}'/],
  ["company", { where: { field: "name", operator: "in", value: ["a", "b"] } }, /"left".*name.* = ANY/],
  ["company", { where: { field: "name", operator: "startsWith", value: "Ac" } }, /"left".*name.* >= 'Ac'/],
  ["company", { where: { field: "name", operator: "greaterThan", value: "C99" } }, /"left".*name.* >= 'C99'/],
  ["thing", { where: { field: "folded", operator: "equals", value: "ÄB" } }, /lower\(folded\).* = 'äb'/],
  ["thing", { where: { field: "folded", operator: "startsWith", value: "ÄB" } }, /lower\(folded\).* >= 'äb'/],
  ["thing", { where: { field: "once", operator: "equals", value: "x" } }, /NULLIF\(once.* = 'x'/],
  ["thing", { where: { field: "exact", operator: "greaterThan", value: "4990.5" } }, /exact > '?4990\.5/],
  ["thing", { where: { field: "tags", operator: "contains", value: "A" } }, /tags @> '\{A\}'/],
  ["thing", { where: { field: "stage", operator: "in", value: ["A"] } }, /stage = ANY/],
  ["person", { where: { field: "createdAt", operator: "inLast", value: { days: 7 } } }, /created_at >= /],
  ["person", { search: "ada lov" }, /to_tsvector.* @@ '''ada'':\* & ''lov'':\*'/],
])("%s: %j is found by an index", async (name, request, condition) => {
  expect(await indexConditions(name, request)).toMatch(condition);
});

test("a relation is followed by the index of what it leads to, or of what leads there", async () => {
  const where = { field: "company.name", operator: "equals", value: "Acme" } as const;
  const conditions = await indexConditions("person", { where });
  expect(conditions).toMatch(/name.* = 'Acme'|\(id = /);
});

test.each<[string, NonNullable<ListRequest["sort"]>, RegExp]>([
  ["person", [], /id > '/],
  ["person", [{ field: "createdAt", direction: "desc" }], /ROW\(created_at, id\) < ROW/],
  ["company", [{ field: "name", direction: "asc" }], /"left".*name.* > '/],
  ["company", [{ field: "name", direction: "desc", nulls: "first" }], /"left".*name.* < '/],
  ["person", [{ field: "emails", direction: "asc" }], /primaryEmail.* > '/],
])("a page of %s by %j begins where its cursor is", async (name, sort, condition) => {
  await crm.make(
    name,
    name === "company"
      ? { name: "M" }
      : { emails: { primaryEmail: `${sort.length}@${sort[0]?.field ?? "id"}.example` } },
  );
  const page = await listRecords(pool, { objects, object: objects.find(name)!, sort, limit: 1 });
  expect(await indexConditions(name, { sort, after: page.endCursor! })).toMatch(condition);
});
