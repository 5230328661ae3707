import { expect, test } from "vitest";
import { loadWorkspace } from "../../src/catalog/workspaces.ts";
import { getObjects } from "../../src/crm/load-objects.ts";
import { deleteMatching } from "../../src/crm/matching.ts";
import { createField } from "../../src/crm/metadata/create-field.ts";
import { fieldDefinition } from "../../src/crm/metadata/definitions.ts";
import { changeObject, createObject } from "../../src/crm/metadata/objects.ts";
import { createRecord, createWriter, deleteRecord } from "../../src/crm/operations.ts";
import type { JsonObject } from "../../src/json.ts";
import { createTestDatabase } from "../support/database.ts";
import { createCrm, refusal } from "./support.ts";

const { pool } = await createTestDatabase();

/** A workspace with orders of companies, lines of orders, and what else is told. */
async function start(line: { object: string; required?: boolean; onDelete?: "cascade" }) {
  const crm = await createCrm(pool);
  const metadata = { pool, workspace: crm.workspace };
  await createObject(metadata, { name: "order", plural: "orders" });
  await createObject(metadata, { name: "line", plural: "lines" });
  const relation = (input: JsonObject) => fieldDefinition.parse({ type: "RELATION", ...input });
  await createField(metadata, "order", relation({ name: "company", object: "company", onDelete: "cascade" }));
  await createField(metadata, "line", relation({ name: "of", ...line }));
  await createField(metadata, "line", relation({ name: "next", object: "line", onDelete: "cascade" }));
  const objects = await getObjects(pool, await loadWorkspace(pool, crm.workspace.id));
  const writer = createWriter({ pool, workspace: crm.workspace, objects, actor: { source: "API", name: "test" } });
  const make = async (name: string, values: JsonObject) =>
    (await createRecord(writer, { object: objects.find(name)!, values })).id;
  const destroy = (name: string, id: string) =>
    deleteRecord(writer, { object: objects.find(name)!, id, permanently: true });
  return { ...crm, metadata, objects, writer, make, destroy };
}

test("what goes with a destroyed record goes with all that goes with it, each with its event", async () => {
  const { make, destroy, events } = await start({ object: "order", onDelete: "cascade" });
  const company = await make("company", { name: "Acme" });
  const order = await make("order", { companyId: company });
  const line = await make("line", { ofId: order });
  const next = await make("line", { nextId: line });
  expect(await destroy("company", company)).toMatchObject({ id: company, outcome: "deleted" });
  for (const id of [company, order, line, next])
    expect((await events(id)).map(({ kind }) => kind)).toEqual(["created", "destroyed"]);
});

test("what only points to a record that goes along is cleared", async () => {
  const { make, destroy, events } = await start({ object: "order" });
  const company = await make("company", { name: "Acme" });
  const order = await make("order", { companyId: company });
  const line = await make("line", { ofId: order });
  await destroy("company", company);
  const [, cleared, ...others] = await events(line);
  expect(cleared).toMatchObject({ kind: "updated", changed_fields: ["ofId"], after: { ofId: null } });
  expect(others).toEqual([]);
});

test("records that go with one another are destroyed once", async () => {
  const { make, writer, objects, destroy, events } = await start({ object: "order" });
  const first = await make("line", {});
  const second = await make("line", { nextId: first });
  const third = await make("line", { nextId: second });
  const line = objects.find("line")!;
  const { rowCount } = await pool.query(`update ${line.table} set next_id = $1 where id = $2`, [third, first]);
  expect(rowCount).toBe(1);
  expect(await destroy("line", first)).toMatchObject({ id: first, outcome: "deleted" });
  const kinds = async (id: string) => (await events(id)).map(({ kind }) => kind);
  expect(await kinds(first)).toEqual(["created", "updated", "destroyed"]);
  for (const id of [second, third]) expect(await kinds(id)).toEqual(["created", "destroyed"]);
  const all = { object: line, where: () => "true", permanently: true };
  expect(await deleteMatching(writer, all)).toEqual([]);
});

test("a record that another must point to is not destroyed, and the refusal says which field", async () => {
  const { make, destroy, metadata, writer, objects } = await start({ object: "company", required: true });
  const company = await make("company", { name: "Acme" });
  await make("line", { ofId: company });
  const refused = { code: "invalid-values", message: "line: ofId must have a value." };
  expect(await refusal(destroy("company", company))).toMatchObject(refused);
  const all = { object: objects.find("company")!, where: () => "true", permanently: true };
  expect(await refusal(deleteMatching(writer, all))).toMatchObject(refused);
  await changeObject(metadata, "line", { active: false });
  const hidden = await getObjects(pool, await loadWorkspace(pool, metadata.workspace.id));
  const other = createWriter({ ...writer, objects: hidden });
  const later = deleteRecord(other, { object: hidden.find("company")!, id: company, permanently: true });
  expect(await refusal(later)).toMatchObject({ code: "invalid-values" });
});

test("an object that records of another must point to is not hidden", async () => {
  const { metadata } = await start({ object: "order", required: true });
  expect(await refusal(changeObject(metadata, "order", { active: false }))).toMatchObject({
    code: "required-field",
    message: "line.ofId must point to a record of order; make it optional first.",
  });
});
