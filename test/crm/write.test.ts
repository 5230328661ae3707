import { describe, expect, test } from "vitest";
import { createRecord, createWriter, deleteRecord, updateRecord, upsertRecord } from "../../src/crm/operations.ts";
import { findRecord } from "../../src/crm/read.ts";
import { createId } from "../../src/ids.ts";
import type { Json, JsonObject } from "../../src/json.ts";
import { createTestDatabase } from "../support/database.ts";
import { createCrm, refusal } from "./support.ts";

const { pool } = await createTestDatabase();
const crm = await createCrm(pool);
const { writer, object, make, events, count } = crm;
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

describe("modes", () => {
  const base = { jobTitle: "CTO", emails: { primaryEmail: "", additionalEmails: ["a@x.example", "b@x.example"] } };
  const after = async (start: JsonObject, values: JsonObject, modes: object): Promise<JsonObject> => {
    const { id } = await make("person", start);
    return (await update(id, values, { modes })).record;
  };

  test("only-if-empty fills what is empty, sub-field by sub-field, and leaves the rest", async () => {
    const modes = {
      jobTitle: "only-if-empty",
      city: "only-if-empty",
      name: "only-if-empty",
      companyId: "only-if-empty",
    };
    const record = await after(
      { ...base, city: "", name: { firstName: "Ada" } },
      { jobTitle: "CEO", city: "Bern", name: { firstName: "Eve", lastName: "King" }, companyId: null },
      modes,
    );
    expect(record).toMatchObject({ jobTitle: "CTO", city: "Bern", name: { firstName: "Ada", lastName: "King" } });
  });

  test("append-unique adds to lists what is not in them, without case where the field compares so", async () => {
    const record = await after(
      base,
      { emails: { additionalEmails: ["B@x.example", "c@x.example", "C@X.example"] } },
      { emails: "append-unique" },
    );
    expect(record["emails"]).toEqual({
      primaryEmail: "",
      additionalEmails: ["a@x.example", "b@x.example", "c@x.example"],
    });
  });

  test("append-unique puts a second address beside the first, and the first where there was none", async () => {
    const modes = { emails: "append-unique", linkedinLink: "append-unique" };
    const { id } = await make("person", {});
    const values = (mail: string, link: string) => ({
      emails: { primaryEmail: mail },
      linkedinLink: { primaryLinkUrl: link },
    });
    await update(id, values("first@append.example", "https://l/1"), { modes });
    const { record } = await update(id, values("second@append.example", "https://l/2"), { modes });
    expect(record).toMatchObject({
      emails: { primaryEmail: "first@append.example", additionalEmails: ["second@append.example"] },
      linkedinLink: { primaryLinkUrl: "https://l/1", secondaryLinks: [{ label: "", url: "https://l/2" }] },
    });
    for (const mail of ["FIRST@append.example", "SECOND@append.example"])
      expect(await update(id, { emails: { primaryEmail: mail } }, { modes })).toMatchObject({ outcome: "unchanged" });
  });

  test("clear empties a field, with or without a value for it", async () => {
    const record = await after({ ...base, city: "Bern" }, { city: "Basel" }, { city: "clear", emails: "clear" });
    expect(record).toMatchObject({ city: null, emails: { primaryEmail: "", additionalEmails: [] }, jobTitle: "CTO" });
  });

  test.each<[JsonObject, string]>([
    [{ citty: "clear" }, 'modes.citty: person has no field "citty"; did you mean "city"?'],
    [{ city: "append-unique" }, 'modes.city: "append-unique" adds to lists, and person.city holds none.'],
    [{ createdAt: "clear" }, 'modes.createdAt: "createdAt" is set by the CRM itself.'],
  ])("%j is refused", async (modes, message) => {
    const { id } = await make("person", {});
    expect(await refusal(update(id, {}, { modes }))).toMatchObject({ code: "invalid-values", message });
  });

  test("a field that must have a value cannot be cleared, by null, by empty text, or by mode", async () => {
    const member = object("workspaceMember");
    const { id } = await make("workspaceMember", { userEmail: "must@x.example" });
    const change = (values: JsonObject, modes = {}) => updateRecord(writer, { object: member, id, values, modes });
    for (const promise of [
      change({ userEmail: null }),
      change({ userEmail: "" }),
      change({}, { userEmail: "clear" }),
      make("workspaceMember", {}),
      make("workspaceMember", { userEmail: "" }),
    ])
      expect(await refusal(promise)).toMatchObject({
        code: "invalid-values",
        message: expect.stringContaining("must have a value"),
      });
  });
});

describe("onlyIf", () => {
  test("is asked of the record as it is when it is changed; else the error carries it", async () => {
    const { id } = await make("person", { city: "Bern" });
    const onlyIf = { field: "city", operator: "equals", value: "Bern" };
    expect(await update(id, { city: "Basel" }, { onlyIf })).toMatchObject({ outcome: "updated" });
    expect(await refusal(update(id, { city: "Rome" }, { onlyIf }))).toMatchObject({
      code: "precondition-failed",
      details: { record: { id, city: "Basel" } },
    });
    expect(await refusal(update(createId(), { city: "Rome" }, { onlyIf }))).toMatchObject({ code: "record-not-found" });
  });

  test("unchangedSince holds while nobody else has changed the record", async () => {
    const { id, record } = await make("person", { city: "Bern" });
    const onlyIf = { unchangedSince: record };
    expect(await update(id, { city: "Bern" }, { onlyIf })).toMatchObject({ outcome: "unchanged" });
    expect(await update(id, { city: "Basel" }, { onlyIf })).toMatchObject({ outcome: "updated" });
    expect(await refusal(update(id, { city: "Rome" }, { onlyIf }))).toMatchObject({ code: "precondition-failed" });
    const other = await make("person", { city: "Bern" });
    expect(await refusal(update(other.id, { city: "Rome" }, { onlyIf }))).toMatchObject({
      code: "precondition-failed",
    });
  });

  test.each<[Json]>([[null], ["2026-01-01"], [{}], [{ id: createId() }], [{ id: createId(), updatedAt: "soon" }]])(
    "unchangedSince %j is refused",
    async (unchangedSince) => {
      const { id } = await make("person", {});
      expect(await refusal(update(id, { city: "Rome" }, { onlyIf: { unchangedSince } }))).toMatchObject({
        code: "invalid-input",
      });
    },
  );

  test("guards the update of an upsert, and nothing where the record is made", async () => {
    const onlyIf = { field: "city", operator: "isEmpty" } as const;
    const upsert = (match: string, city: string) =>
      upsertRecord(writer, {
        object: person,
        match: [match],
        values: { emails: { primaryEmail: "guard@x.example" }, jobTitle: "Guard", city },
        onlyIf,
      });
    expect(await upsert("emails", "Bern")).toMatchObject({ outcome: "created" });
    expect(await refusal(upsert("emails", "Rome"))).toMatchObject({ code: "precondition-failed" });
    expect(await refusal(upsert("jobTitle", "Rome"))).toMatchObject({ code: "precondition-failed" });
  });
});

describe("a value that must be unique", () => {
  const create = (values: JsonObject, ifExists: "fail" | "use" | "update", more: object = {}) =>
    createRecord(writer, { object: person, values, ifExists, ...more });

  test("is found without case: fail, use and update", async () => {
    const { id, record } = await make("person", { emails: { primaryEmail: "Taken@x.example" }, city: "Bern" });
    const values = { emails: { primaryEmail: "taken@X.example" }, city: "Rome" };
    expect(await refusal(create(values, "fail"))).toMatchObject({
      code: "record-exists",
      message: `person: emails is taken, by the record ${id}.`,
      details: { fields: ["emails"], id },
    });
    expect(await create(values, "use", { modes: { city: "clear" } })).toMatchObject({
      id,
      outcome: "unchanged",
      record,
    });
    expect(await create(values, "update")).toMatchObject({ id, outcome: "updated", before: record });
  });

  test("may be empty in any number of records", async () => {
    const ids = await Promise.all([
      make("person", { emails: { primaryEmail: "" } }),
      make("person", { emails: null }),
      create({ emails: { primaryEmail: "" } }, "update"),
    ]);
    expect(new Set(ids.map(({ id }) => id)).size).toBe(3);
  });

  test("is free again once its record is marked as deleted", async () => {
    const values = { emails: { primaryEmail: "again@x.example" } };
    const first = await create(values, "fail");
    await deleteRecord(writer, { object: person, id: first.id, permanently: false });
    const second = await create(values, "update");
    expect(second).toMatchObject({ outcome: "created" });
    expect(second.id).not.toBe(first.id);
  });

  test("cannot be given to a second record by an update", async () => {
    const first = await make("person", { emails: { primaryEmail: "mine@x.example" } });
    const second = await make("person", {});
    expect(await refusal(update(second.id, { emails: { primaryEmail: "MINE@x.example" } }))).toMatchObject({
      code: "record-exists",
      details: { fields: ["emails"], id: first.id },
    });
  });

  test("is no longer than an index takes", async () => {
    const email = (length: number) => ({ emails: { primaryEmail: `${"é".repeat(length - 10)}@x.example` } });
    expect(await create(email(512), "fail")).toMatchObject({ outcome: "created" });
    expect(await refusal(create(email(513), "fail"))).toMatchObject({
      message: expect.stringContaining("longer than 512"),
    });
  });
});

describe("an upsert", () => {
  const company = object("company");
  const upsert = (match: string[], values: JsonObject) => upsertRecord(writer, { object: company, match, values });

  test("by a field that no index guards makes the record once, then changes the oldest that matches", async () => {
    const made = await upsert(["name"], { name: "Foo", employees: 1 });
    await make("company", { name: "Foo" });
    expect(await upsert(["name"], { name: "Foo", employees: 2 })).toMatchObject({
      id: made.id,
      outcome: "updated",
      changedFields: ["employees"],
    });
    expect(await upsert(["name"], { name: "Foo" })).toMatchObject({ id: made.id, outcome: "unchanged" });
    expect(await upsert(["name"], { name: "foo" })).toMatchObject({ outcome: "created" });
  });

  test("by a domain finds it however it is written", async () => {
    const { id } = await upsert(["domainName"], { domainName: { primaryLinkUrl: "https://www.bar.example/about" } });
    for (const primaryLinkUrl of ["bar.example", "BAR.example/", "http://bar.example:8080?x=1#y", "www.bar.example"])
      expect(await upsert(["domainName"], { domainName: { primaryLinkUrl } })).toMatchObject({ id });
    for (const primaryLinkUrl of ["shop.bar.example", "bar.example.org", "Bar Example", "Bar Industries"])
      expect(await upsert(["domainName"], { domainName: { primaryLinkUrl } })).toMatchObject({ outcome: "created" });
  });

  test("by several fields, or by the parts of a name, changes only what matches in all", async () => {
    const ada = { name: { firstName: "Ada", lastName: "" }, city: "Upsert" };
    const upsertPerson = (values: JsonObject) =>
      upsertRecord(writer, { object: person, match: ["name", "city"], values });
    const { id } = await upsertPerson(ada);
    expect(await upsertPerson({ ...ada, jobTitle: "CTO" })).toMatchObject({ id, outcome: "updated" });
    expect(await upsertPerson({ ...ada, name: { firstName: "Ada", lastName: "King" } })).toMatchObject({
      outcome: "created",
    });
  });

  test.each<[string[], JsonObject]>([
    [["domainName"], { name: "X", domainName: { primaryLinkUrl: "" } }],
    [["domainName"], { name: "X", domainName: { primaryLinkLabel: "X" } }],
    [["domainName"], { name: "X" }],
    [["name"], { name: "" }],
    [["name", "employees"], { name: "X", employees: null }],
  ])("by %j without a value is refused: it would match any record without one (%j)", async (match, values) => {
    const before = await count("company");
    expect(await refusal(upsert(match, values))).toMatchObject({
      code: "invalid-values",
      message: expect.stringContaining("has no value to match by"),
    });
    expect(await count("company")).toBe(before);
  });

  test("whose other unique value belongs to another record is refused and changes neither", async () => {
    const other = await make("company", { name: "Owner", domainName: { primaryLinkUrl: "owner.example" } });
    const values = { name: "Pretender", domainName: { primaryLinkUrl: "owner.example" } };
    expect(await refusal(upsert(["name"], values))).toMatchObject({
      code: "record-exists",
      details: { fields: ["domainName"], id: other.id },
    });
    await make("company", { name: "Pretender" });
    expect(await refusal(upsert(["name"], values))).toMatchObject({ code: "record-exists" });
    expect(await findRecord(pool, company, other.id)).toEqual(other.record);
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
