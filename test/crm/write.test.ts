import { describe, expect, test } from "vitest";
import { createRecord, createWriter, deleteRecord, updateRecord, upsertRecord } from "../../src/crm/operations.ts";
import type { WriteModes } from "../../src/crm/modes.ts";
import { findRecord } from "../../src/crm/read.ts";
import { createId } from "../../src/ids.ts";
import type { JsonObject } from "../../src/json.ts";
import { createTestDatabase } from "../support/database.ts";
import { createCrm, refusal } from "./support.ts";

const { pool } = await createTestDatabase();
const { writer, object, make, events, count } = await createCrm(pool);
const person = object("person");
const update = (id: string, values: JsonObject, more: object = {}) =>
  updateRecord(writer, { object: person, id, values, ...more });

describe("a change", () => {
  test("gives the record, what it was and which fields differ, and leaves one event that says the same", async () => {
    const made = await make("person", { jobTitle: "CTO", city: "Turin" });
    expect(made).toMatchObject({ outcome: "created", before: null, changedFields: ["jobTitle", "city"] });
    const changed = await update(made.id, { jobTitle: "CEO", city: "Turin" });
    expect(changed).toMatchObject({ outcome: "updated", before: made.record, changedFields: ["jobTitle"] });
    expect(changed.record).toMatchObject({ jobTitle: "CEO", city: "Turin", createdAt: made.record["createdAt"] });
    expect(await events(made.id)).toMatchObject([
      { kind: "created", before: null, after: made.record, changed_fields: ["jobTitle", "city"] },
      { kind: "updated", before: made.record, after: changed.record, changed_fields: ["jobTitle"] },
    ]);
  });

  test("that changes no value is unchanged: no event, the same version, and before is the whole record", async () => {
    const { id, record } = await make("person", { jobTitle: "CTO", emails: { primaryEmail: "same@x.example" } });
    const again = await update(id, { jobTitle: "CTO", emails: { primaryEmail: "same@x.example" }, city: null });
    expect(again).toEqual({ id, outcome: "unchanged", record, before: record, changedFields: [] });
    expect(await update(id, {})).toMatchObject({ outcome: "unchanged" });
    expect(await events(id)).toHaveLength(1);
  });

  test("carries who made it and, in a run, which run at which depth", async () => {
    const origin = { runId: createId(), workflowId: createId(), depth: 2 };
    const inRun = { ...createWriter({ ...writer, actor: { source: "WORKFLOW", name: "leads" } }), origin };
    const { id, record } = await createRecord(inRun, { object: person, values: {} });
    const actor = { source: "WORKFLOW", name: "leads", workspaceMemberId: null };
    expect(record).toMatchObject({ createdBy: actor, updatedBy: actor });
    const { record: after } = await update(id, { city: "Bern" });
    expect(after).toMatchObject({ createdBy: actor, updatedBy: { source: "API", name: "test" } });
    expect(await events(id)).toMatchObject([
      { actor, origin },
      { actor: { source: "API" }, origin: null },
    ]);
  });

  test("keeps a composite's sub-fields that are not named; null empties them, and the whole", async () => {
    const { id } = await make("person", { name: { firstName: "Ada", lastName: "Lovelace" } });
    expect((await update(id, { name: { lastName: "King" } })).record["name"]).toEqual({
      firstName: "Ada",
      lastName: "King",
    });
    expect((await update(id, { name: { firstName: null } })).record["name"]).toEqual({
      firstName: "",
      lastName: "King",
    });
    expect((await update(id, { name: null })).record["name"]).toEqual({ firstName: "", lastName: "" });
    expect((await update(id, { position: 3 })).record["position"]).toBe(3);
    expect((await update(id, { position: null })).record["position"]).toBe(0);
  });

  test("of a record that is not there, or marked as deleted, is refused", async () => {
    expect(await refusal(update(createId(), { city: "Bern" }))).toMatchObject({ code: "record-not-found" });
    const { id } = await make("person", {});
    await deleteRecord(writer, { object: person, id, permanently: false });
    expect(await refusal(update(id, { city: "Bern" }))).toMatchObject({ code: "record-not-found" });
  });

  test("is refused whole when a related record does not exist, naming the field", async () => {
    const before = await events();
    expect(await refusal(make("person", { companyId: createId() }))).toMatchObject({
      code: "related-record-not-found",
      message: "person.companyId: the record it refers to does not exist.",
    });
    const links = [{ object: "person", id: createId() }];
    expect(await refusal(createRecord(writer, { object: object("task"), values: {}, links }))).toMatchObject({
      code: "related-record-not-found",
    });
    expect(await events()).toEqual(before);
  });

  test("takes a name of a mebibyte and a title of one, and finds the name again", async () => {
    const name = "x€".repeat(500_000);
    const { id } = await make("company", { name });
    expect((await upsertRecord(writer, { object: object("company"), match: ["name"], values: { name } })).id).toBe(id);
    expect((await make("task", { title: name })).record["title"]).toBe(name);
  });
});

describe("links", () => {
  const task = object("task");

  test("are made with the task, each an event of its own, and each once", async () => {
    const { id: personId } = await make("person", {});
    const { id: companyId } = await make("company", {});
    const links = [
      { object: "person", id: personId },
      { object: "company", id: companyId },
      { object: "person", id: personId.toUpperCase() },
    ];
    const { id } = await createRecord(writer, { object: task, values: { title: "Call" }, links });
    const linked = async () => (await events()).filter((event) => event.after?.["taskId"] === id);
    expect(
      (await linked()).map(({ object: name, changed_fields: fields }) => [name, ...fields].join()).toSorted(),
    ).toEqual(["taskTarget,taskId,companyId", "taskTarget,taskId,personId"]);
    await updateRecord(writer, { object: task, id, values: { title: "Call" }, links });
    expect(await linked()).toHaveLength(2);
  });

  test("of other objects, or to what cannot be linked, are refused", async () => {
    const id = createId();
    const link = (from: string, to: string) =>
      refusal(createRecord(writer, { object: object(from), values: {}, links: [{ object: to, id }] }));
    expect((await link("person", "company")).message).toBe("links: person has no links; task and note have.");
    expect((await link("note", "persn")).message).toBe(
      'links[0].object: records of "persn" cannot be linked; did you mean "person"?',
    );
  });
});

describe("a deletion", () => {
  test("that marks leaves the record and what points to it, and happens once", async () => {
    const { id } = await make("company", {});
    const member = await make("person", { companyId: id });
    const mark = () => deleteRecord(writer, { object: object("company"), id, permanently: false });
    expect(await mark()).toMatchObject({ outcome: "deleted", record: { deletedAt: expect.any(String) } });
    expect(await mark()).toBeUndefined();
    expect((await events(id)).map(({ kind }) => kind)).toEqual(["created", "deleted"]);
    expect(await findRecord(pool, person, member.id)).toEqual(member.record);
  });

  test("for good clears what points to the record and destroys its links, each with its event", async () => {
    const company = await make("company", { name: "Gone" });
    const member = await make("person", { companyId: company.id });
    const deal = await make("opportunity", { companyId: company.id, pointOfContactId: member.id });
    const links = [
      { object: "company", id: company.id },
      { object: "person", id: member.id },
    ];
    const call = await createRecord(writer, { object: object("task"), values: {}, links });
    await deleteRecord(writer, { object: object("company"), id: company.id, permanently: true });

    expect((await events(company.id)).at(-1)).toMatchObject({ kind: "destroyed", before: company.record, after: null });
    for (const { id, record } of [member, deal])
      expect((await events(id)).at(-1)).toMatchObject({
        kind: "updated",
        before: record,
        after: { companyId: null },
        changed_fields: ["companyId"],
      });
    expect((await findRecord(pool, object("opportunity"), deal.id))?.["pointOfContactId"]).toBe(member.id);
    const gone = (await events()).filter(({ kind, before }) => kind === "destroyed" && before?.["taskId"] === call.id);
    expect(gone).toMatchObject([{ object: "taskTarget", before: { companyId: company.id } }]);
    await deleteRecord(writer, { object: object("task"), id: call.id, permanently: true });
    expect(await count("taskTarget")).toBe(
      (await events())
        .filter(({ object: name }) => name === "taskTarget")
        .reduce((sum, { kind }) => sum + (kind === "created" ? 1 : -1), 0),
    );
  });
});

test("a mode that clears a field also counts for the record that an upsert makes", async () => {
  const upsert = (modes: WriteModes) =>
    upsertRecord(writer, { object: object("task"), match: ["title"], values: { title: "T", status: "DONE" }, modes });
  expect(await upsert({ status: "clear" })).toMatchObject({ outcome: "created", record: { status: null } });
});
