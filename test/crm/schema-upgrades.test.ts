import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { loadWorkspace } from "../../src/catalog/workspaces.ts";
import { getObjects } from "../../src/crm/load-objects.ts";
import { createRecord, createWriter } from "../../src/crm/operations.ts";
import { upgradeSchemas } from "../../src/crm/schema-upgrades.ts";
import { createTestDatabase } from "../support/database.ts";
import { createCrm } from "./support.ts";

const { pool } = await createTestDatabase();

/** A workspace as the first version of its schema was, with a few records. */
async function makeOldest(): Promise<string> {
  const id = "01900000-0000-7000-8000-000000000001";
  await pool.query("insert into tandem.workspaces (id, name, schema_name) values ($1, 'Oldest', 'ws_version0')", [id]);
  await pool.query(await readFile(new URL("schema-0.sql", import.meta.url), "utf8"));
  await pool.query(
    `insert into ws_version0.company (id, name, employees) select gen_random_uuid(), 'Company ' || i, case i when 3 then 9007199254740991 else i + 0.5 end from generate_series(1, 3) i`,
  );
  return id;
}

/** Tables, columns, constraints and indexes of a schema, without its name. */
async function shapeOf(schemaName: string): Promise<unknown[]> {
  const { rows } = await pool.query<{ line: string }>(
    `select replace(line, $1 || '.', '') as line from (
       select table_name || ' ' || column_name || ' ' || data_type || ' ' || coalesce(column_default, '-') || ' ' || is_nullable as line
         from information_schema.columns where table_schema = $1
       union all select indexdef from pg_indexes where schemaname = $1
       union all select conrelid::regclass || ' ' || pg_get_constraintdef(oid) from pg_constraint
         where connamespace = $1::regnamespace and contype <> 'n') lines order by 1`,
    [schemaName],
  );
  return rows.map(({ line }) => line);
}

test("the oldest schema becomes what a new one is, and its records stay", async () => {
  const id = await makeOldest();
  const fresh = await createCrm(pool);
  expect(await upgradeSchemas(pool)).toBe(1);
  expect(await shapeOf("ws_version0")).toEqual(await shapeOf(fresh.workspace.schemaName));
  const workspace = await loadWorkspace(pool, id);
  const objects = await getObjects(pool, workspace);
  const described = (all: typeof objects) =>
    all.list().map(({ id: _id, table: _table, inverses, fields, uniqueTogether, ...rest }) => ({
      ...rest,
      inverses: inverses.map(({ name, object }) => [name, object]),
      fields: fields.map(({ id: _fieldId, ...field }) => ({ ...field, info: field.info.column })),
      uniqueTogether: uniqueTogether.map((set) => set.map(({ name }) => name)),
    }));
  expect(JSON.parse(JSON.stringify(described(objects)))).toEqual(JSON.parse(JSON.stringify(described(fresh.objects))));
  const writer = createWriter({ pool, workspace, objects, actor: { source: "API", name: "test" } });
  const company = objects.find("company") ?? fresh.object("company");
  const { rows } = await pool.query(`select name, employees from ${company.table} order by name`);
  expect(rows.map(({ employees }) => Number(employees))).toEqual([1.5, 2.5, 9007199254740991]);
  await createRecord(writer, { object: company, values: { name: "New", employees: 4 } });
  expect(await upgradeSchemas(pool)).toBe(0);
});
