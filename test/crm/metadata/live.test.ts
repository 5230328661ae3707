import { expect, onTestFinished, test } from "vitest";
import { loadWorkspace } from "../../../src/catalog/workspaces.ts";
import { changeField } from "../../../src/crm/metadata/change-field.ts";
import { createField } from "../../../src/crm/metadata/create-field.ts";
import { createIndex } from "../../../src/crm/metadata/indexes.ts";
import { resumeBuilding } from "../../../src/crm/metadata/keeper.ts";
import { getObjects } from "../../../src/crm/load-objects.ts";
import { createRecord, createWriter, updateRecord } from "../../../src/crm/operations.ts";
import { findRecord } from "../../../src/crm/read.ts";
import type { SqlPool } from "../../../src/sql.ts";
import { createTestDatabase } from "../../support/database.ts";
import { createCrm } from "../support.ts";

const { pool } = await createTestDatabase();

async function fill(table: string, rows: number): Promise<void> {
  await pool.query(
    `insert into ${table} (id, emails, "job_title")
     select gen_random_uuid(), jsonb_build_object('primaryEmail', 'p' || i || '@live.example', 'additionalEmails', '[]'::jsonb), 'Title ' || i
     from generate_series(1, $1::integer) i`,
    [rows],
  );
}

/** People who go on working, until `stop`, which gives what each piece of work took, in milliseconds. */
function keepWorking(
  sql: SqlPool,
  workspaceId: string,
  workers: number,
): { stop(): Promise<{ waits: number[]; failures: unknown[] }> } {
  const waits: number[] = [];
  const failures: unknown[] = [];
  let working = true;
  const work = async (worker: number): Promise<void> => {
    for (let turn = 0; working; turn++) {
      const begun = performance.now();
      try {
        const workspace = await loadWorkspace(sql, workspaceId);
        const objects = await getObjects(sql, workspace);
        const object = objects.find("person");
        if (object === undefined) throw new Error("There are no people.");
        const writer = createWriter({ pool: sql, workspace, objects, actor: { source: "API", name: "live" } });
        const values = {
          emails: { primaryEmail: `w${worker}-${turn}@live.example` },
          jobTitle: `Live ${worker} ${turn}`,
        };
        const { id } = await createRecord(writer, { object, values });
        await updateRecord(writer, { object, id, values: { city: `City ${turn}` } });
        await findRecord(sql, object, id);
      } catch (error) {
        failures.push(error);
      }
      waits.push(performance.now() - begun);
    }
  };
  const all = Promise.all(Array.from({ length: workers }, (_each, worker) => work(worker)));
  return {
    async stop() {
      working = false;
      await all;
      return { waits, failures };
    },
  };
}

test("fields, indexes, constraints and relations come while others write and read, and nobody fails or waits long", async () => {
  const { workspace, object } = await createCrm(pool);
  await fill(object("person").table, 20_000);
  const metadata = { pool, workspace };
  const live = keepWorking(pool, workspace.id, 8);
  await createField(metadata, "person", {
    name: "score",
    type: "NUMBER",
    defaultValue: 1,
    required: true,
    indexed: true,
  });
  await createField(metadata, "person", { name: "mentor", type: "RELATION", object: "person" });
  await createIndex(metadata, "person", { fields: ["city", "name.lastName"], unique: false });
  await changeField(
    metadata,
    { objectName: "person", fieldName: "jobTitle" },
    { unique: true, required: true, searchable: true },
  );
  await changeField(metadata, { objectName: "person", fieldName: "jobTitle" }, { unique: false, required: false });
  const { waits, failures } = await live.stop();
  expect(failures).toEqual([]);
  expect(Math.max(...waits)).toBeLessThan(5_000);
  expect(waits.length).toBeGreaterThan(16);
  const changed = (await getObjects(pool, await loadWorkspace(pool, workspace.id))).find("person");
  expect(changed?.field("score")).toMatchObject({ required: true, indexed: true, defaultValue: 1 });
  expect(changed?.inverse("people")).toMatchObject({ object: "person" });
  const { rows } = await pool.query<{ invalid: number; search: number }>(
    `select count(*) filter (where not i.indisvalid) as invalid, count(*) filter (where c.relname like '%search') as search
     from pg_index i join pg_class c on c.oid = i.indexrelid join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = $1 and i.indrelid = $2::regclass`,
    [workspace.schemaName, object("person").table],
  );
  expect(rows).toEqual([{ invalid: 0, search: 1 }]);
});

test("what a killed process left half built is finished by another", async () => {
  const { workspace, object } = await createCrm(pool);
  const person = object("person");
  await fill(person.table, 10);
  // As a build leaves it that died in the middle: the wish, a lease that has run out, an index without use.
  await pool.query(`update tandem.fields set wanted = '{"unique": true}' where object_id = $1 and name = 'jobTitle'`, [
    person.id,
  ]);
  await pool.query("update tandem.objects set lease_until = now() - interval '1 second' where id = $1", [person.id]);
  await pool.query(`insert into ${person.table} (id, job_title) values (gen_random_uuid(), 'Title 1')`);
  const index = `create unique index concurrently person__job_title_key on ${person.table} (job_title) where deleted_at is null`;
  await expect(pool.query(index)).rejects.toMatchObject({ code: "23505" });
  await pool.query(`delete from ${person.table} where job_title = 'Title 1'`);
  await resumeBuilding(pool);
  const found = (await getObjects(pool, await loadWorkspace(pool, workspace.id))).find("person");
  expect(found?.field("jobTitle")?.unique).toBe(true);
  const writer = createWriter({
    pool,
    workspace,
    objects: await getObjects(pool, await loadWorkspace(pool, workspace.id)),
    actor: { source: "API", name: "test" },
  });
  const again = createRecord(writer, { object: found ?? person, values: { jobTitle: "Title 2" } });
  await expect(again).rejects.toMatchObject({ code: "record-exists" });
});

test("two who change the same object at once both get what they asked for", async () => {
  const { workspace } = await createCrm(pool);
  const metadata = { pool, workspace };
  const names = ["one", "two", "three", "four"];
  await Promise.all(
    names.map((name) => createField(metadata, "company", { name, type: "TEXT", searchable: true, indexed: true })),
  );
  const company = (await getObjects(pool, await loadWorkspace(pool, workspace.id))).find("company");
  expect(names.map((name) => company?.field(name))).toMatchObject(
    names.map(() => ({ searchable: true, indexed: true })),
  );
  const twice = await Promise.allSettled([
    createField(metadata, "company", { name: "same", type: "TEXT" }),
    createField(metadata, "company", { name: "same", type: "NUMBER" }),
  ]);
  expect(twice.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
});

test("a change that waits for a lock lets the others pass, and comes when it can", async () => {
  const { workspace, object, make } = await createCrm(pool);
  const client = await pool.connect();
  onTestFinished(() => client.release());
  await client.query("begin");
  await client.query(`select 1 from ${object("person").table}`);
  const adding = createField({ pool, workspace }, "person", { name: "late", type: "TEXT" });
  const begun = performance.now();
  for (let i = 0; i < 20; i++) await make("person", { jobTitle: `While ${i}` });
  expect(performance.now() - begun).toBeLessThan(10_000);
  await client.query("commit");
  expect(await adding).toMatchObject([{ name: "late", state: "active" }]);
});
