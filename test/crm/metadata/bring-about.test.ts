import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { loadWorkspace } from "../../../src/catalog/workspaces.ts";
import { getObjects } from "../../../src/crm/load-objects.ts";
import { changeField } from "../../../src/crm/metadata/change-field.ts";
import { createField } from "../../../src/crm/metadata/create-field.ts";
import { resumeBuilding } from "../../../src/crm/metadata/keeper.ts";
import { createObject, removeObject } from "../../../src/crm/metadata/objects.ts";
import type { CrmObject } from "../../../src/crm/objects.ts";
import { createRecord, createWriter, updateRecord } from "../../../src/crm/operations.ts";
import { ProblemError } from "../../../src/errors.ts";
import type { JsonObject } from "../../../src/json.ts";
import { createTestDatabase } from "../../support/database.ts";
import { createCrm } from "../support.ts";

const { pool } = await createTestDatabase();

async function start() {
  const { workspace } = await createCrm(pool);
  const metadata = { pool, workspace };
  const writerNow = async () => {
    const now = await loadWorkspace(pool, workspace.id);
    const objects = await getObjects(pool, now);
    const actor = { source: "API", name: "test" } as const;
    const object = (name: string): CrmObject => {
      const found = objects.find(name);
      if (found === undefined) throw new Error(`There is no ${name}.`);
      return found;
    };
    return { writer: createWriter({ pool, workspace: now, objects, actor }), object };
  };
  const create = async (name: string, values: JsonObject) => {
    const { writer, object } = await writerNow();
    return (await createRecord(writer, { object: object(name), values })).id;
  };
  const wanting = async () =>
    (
      await pool.query(
        "select f.name from tandem.fields f join tandem.objects o on o.id = f.object_id where o.workspace_id = $1 and f.wanted is not null",
        [workspace.id],
      )
    ).rows;
  return { metadata, writerNow, create, wanting };
}

test("what records can never be is given up with the reason, and keeps nothing else from being done", async () => {
  const { metadata, create, wanting } = await start();
  await create("person", { jobTitle: randomBytes(6_000).toString("base64") });
  const job = { objectName: "person", fieldName: "jobTitle" };
  await expect(changeField(metadata, job, { unique: true })).rejects.toMatchObject({
    status: 409,
    code: "records-stand-against-it",
  });
  expect(await wanting()).toEqual([]);
  const city = await changeField(metadata, { objectName: "person", fieldName: "city" }, { indexed: true });
  expect(city.indexed).toBe(true);
});

test("one object that cannot be changed keeps no other from its turn", async () => {
  const [broken, sound] = [await start(), await start()];
  for (const { metadata } of [broken, sound])
    await pool.query(
      `update tandem.fields f set wanted = '{"indexed": true}' from tandem.objects o
       where o.id = f.object_id and o.workspace_id = $1 and o.name = 'person' and f.name = 'city'`,
      [metadata.workspace.id],
    );
  const { schemaName } = broken.metadata.workspace;
  await pool.query(`drop schema ${schemaName} cascade`);
  await expect(resumeBuilding(pool)).rejects.toThrow("1 objects could not be changed");
  expect(await sound.wanting()).toEqual([]);
});

test("of a relation to several objects the one that is removed gives its place to the others", async () => {
  const { metadata, create, writerNow } = await start();
  await createObject(metadata, { name: "place", plural: "places" });
  await createField(metadata, "person", {
    name: "home",
    type: "RELATION",
    objects: ["place", "company", "opportunity"],
  });
  const [place, company, opportunity] = [
    await create("place", { name: "Here" }),
    await create("company", { name: "Acme" }),
    await create("opportunity", { name: "Deal" }),
  ];
  const person = await create("person", { homePlaceId: place });
  await removeObject(metadata, "place");
  const { writer, object } = await writerNow();
  const change = { object: object("person"), id: person };
  const { record } = await updateRecord(writer, { ...change, values: { homeCompanyId: company } });
  expect(record).toMatchObject({ homeCompanyId: company });
  const both = updateRecord(writer, { ...change, values: { homeOpportunityId: opportunity } });
  await expect(both).rejects.toMatchObject({ code: "invalid-values" });
});

test("an object is removed or pointed to, whatever comes at the same moment", async () => {
  const { metadata, wanting } = await start();
  for (let i = 0; i < 5; i++) {
    const name = `place${i}`;
    await createObject(metadata, { name, plural: `${name}s`, linkable: false });
    const field = {
      name: `at${i}`,
      type: "RELATION",
      object: name,
      inverse: { name: `with${i}`, label: "x" },
    } as const;
    const outcomes = await Promise.allSettled([
      createField(metadata, "person", field),
      createField(metadata, "company", field),
      removeObject(metadata, name),
    ]);
    const refusals = outcomes.flatMap((each) => (each.status === "rejected" ? [each.reason as unknown] : []));
    expect(refusals.filter((reason) => !(reason instanceof ProblemError))).toEqual([]);
    expect(await wanting()).toEqual([]);
  }
});
