import { expect, test } from "vitest";
import { loadWorkspace } from "../../../src/catalog/workspaces.ts";
import { getObjects } from "../../../src/crm/load-objects.ts";
import { changeField, removeField } from "../../../src/crm/metadata/change-field.ts";
import { createField } from "../../../src/crm/metadata/create-field.ts";
import { createIndex } from "../../../src/crm/metadata/indexes.ts";
import { createRecord, createWriter, deleteRecord, type Writer } from "../../../src/crm/operations.ts";
import { restoreRecord } from "../../../src/crm/restore.ts";
import { createTestDatabase } from "../../support/database.ts";
import { createCrm, refusal } from "../support.ts";

const { pool } = await createTestDatabase();

async function start() {
  const crm = await createCrm(pool);
  const { workspace } = crm;
  const metadata = { pool, workspace };
  const current = async (): Promise<Writer> => {
    const objects = await getObjects(pool, await loadWorkspace(pool, workspace.id));
    return createWriter({ pool, workspace, objects, actor: { source: "API", name: "test" } });
  };
  return { ...crm, metadata, current };
}

test("a field that everybody must have cannot be hidden unless it has a default", async () => {
  const { metadata } = await start();
  const named = { objectName: "company", fieldName: "code" };
  await createField(metadata, "company", { name: "code", type: "TEXT", required: true });
  expect(await refusal(changeField(metadata, named, { active: false }))).toMatchObject({ code: "required-field" });
  await changeField(metadata, named, { defaultValue: "none" });
  expect(await changeField(metadata, named, { active: false })).toMatchObject({ state: "inactive" });
});

test("a required field with an empty default is refused where there are records, and leaves its name free", async () => {
  const { metadata, make } = await start();
  await make("company", { name: "Acme" });
  const field = { name: "tags", type: "ARRAY", required: true, defaultValue: [] } as const;
  expect(await refusal(createField(metadata, "company", { ...field, defaultValue: [] }))).toMatchObject({
    code: "records-without-value",
  });
  await expect(createField(metadata, "company", { name: "tags", type: "TEXT" })).resolves.toHaveLength(1);
});

test("of two wishes of which one is given up neither stays", async () => {
  const { metadata, make, current } = await start();
  for (const name of ["first", "second"]) await make("company", { name, employees: 5 });
  const named = { objectName: "company", fieldName: "employees" };
  expect(await refusal(changeField(metadata, named, { required: true, unique: true }))).toMatchObject({
    code: "records-with-same-value",
  });
  const writer = await current();
  const company = writer.objects.find("company")!;
  expect(company.field("employees")).toMatchObject({ required: false, unique: false });
  await expect(createRecord(writer, { object: company, values: { name: "third" } })).resolves.toMatchObject({
    outcome: "created",
  });
});

test("what a relation is followed by is a name that no field may have", async () => {
  const { metadata } = await start();
  await createField(metadata, "company", { name: "partner", type: "ADDRESS" });
  const relation = { name: "partner", type: "RELATION", object: "person" } as const;
  expect(await refusal(createField(metadata, "company", relation))).toMatchObject({ code: "name-taken" });
});

test("a removed field keeps no value from coming back", async () => {
  const { metadata, current } = await start();
  await createField(metadata, "company", { name: "code", type: "TEXT", unique: true });
  const before = await current();
  const company = before.objects.find("company")!;
  const make = () => createRecord(before, { object: company, values: { code: "C-1" } });
  const { id } = await make();
  await deleteRecord(before, { object: company, id, permanently: false });
  await make();
  await removeField(metadata, { objectName: "company", fieldName: "code" });
  const after = await current();
  await expect(restoreRecord(after, { object: after.objects.find("company")!, id })).resolves.toMatchObject({
    outcome: "restored",
  });
});

test("a record that meets another by fields together, or by its id, is refused at once, whatever ifExists says", async () => {
  const { metadata, current } = await start();
  await createIndex(metadata, "company", { fields: ["name", "employees"], unique: true });
  const writer = await current();
  const company = writer.objects.find("company")!;
  const make = (domain: string, id?: string) =>
    createRecord(writer, {
      object: company,
      values: { name: "Acme", employees: 5, domainName: { primaryLinkUrl: domain } },
      ifExists: "update",
      ...(id === undefined ? {} : { id }),
    });
  const { id } = await make("a.example");
  expect(await refusal(make("b.example"))).toMatchObject({ code: "record-exists" });
  expect(await refusal(make("c.example", id))).toMatchObject({ code: "record-exists" });
});

test.each([[""], [[]]])("of JSON %j is no value where there must be one", async (held) => {
  const { metadata, current } = await start();
  await createField(metadata, "company", { name: "data", type: "RAW_JSON" });
  const writer = await current();
  await createRecord(writer, { object: writer.objects.find("company")!, values: { data: held } });
  const named = { objectName: "company", fieldName: "data" };
  expect(await refusal(changeField(metadata, named, { required: true }))).toMatchObject({
    code: "records-without-value",
  });
});

test("of two relations to several objects each has a name of its own", async () => {
  const { metadata } = await start();
  const relation = (...objects: string[]) => ({ name: "about", type: "RELATION", objects }) as const;
  await createField(metadata, "company", relation("person", "task"));
  expect(await refusal(createField(metadata, "company", relation("note", "opportunity")))).toMatchObject({
    code: "name-taken",
    message: expect.stringContaining("to several objects is called so"),
  });
});
