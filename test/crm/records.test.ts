import { expect, test } from "vitest";
import type { RecordCondition } from "../../src/definition/conditions.ts";
import { createRecord, deleteRecord, updateRecord, upsertRecord } from "../../src/crm/operations.ts";
import { findRecord, listRecords } from "../../src/crm/read.ts";
import type { JsonObject } from "../../src/json.ts";
import { relayAll } from "../../src/runs/relay.ts";
import { createTestDatabase } from "../support/database.ts";
import { createTestWorkspace } from "../support/engine.ts";

const { pool } = await createTestDatabase();
const { workspace, objects, writer } = await createTestWorkspace(pool);
const object = (name: string) => objects.find(name)!;

const make = (name: string, values: JsonObject, rest: Partial<Parameters<typeof createRecord>[1]> = {}) =>
  createRecord(writer, { object: object(name), values, ...rest });
const change = (name: string, id: string, values: JsonObject, rest: Partial<Parameters<typeof updateRecord>[1]> = {}) =>
  updateRecord(writer, { object: object(name), id, values, ...rest });
const mailOf = (address: string): JsonObject => ({ emails: { primaryEmail: address } });

async function find(name: string, where: RecordCondition): Promise<JsonObject[]> {
  return (await listRecords(pool, { objects, object: object(name), where, limit: 200 })).records;
}

interface Event {
  kind: string;
  object: string;
  before: JsonObject | null;
  after: JsonObject | null;
  changedFields: string[];
}

async function events(recordId: string): Promise<Event[]> {
  while ((await relayAll(pool)) > 0);
  const { rows } = await pool.query<Event>(
    `select kind, object, before, after, changed_fields as "changedFields" from tandem.record_events where record_id = $1 order by id`,
    [recordId],
  );
  return rows;
}

test("a record is made with whole composites, its maker and times in milliseconds, and one event", async () => {
  const { record, ...rest } = await make("person", { ...mailOf("ada@one.example"), name: { firstName: "Ada" } });
  expect(rest).toMatchObject({ outcome: "created", before: null, changedFields: ["emails", "name"] });
  expect(record).toMatchObject({
    name: { firstName: "Ada", lastName: "" },
    emails: { primaryEmail: "ada@one.example", additionalEmails: [] },
    createdBy: { source: "API", name: "test" },
    createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    deletedAt: null,
  });
  expect(await events(rest.id)).toMatchObject([{ kind: "created", before: null, after: record }]);
});

test("an update says what was and what changed; unnamed fields and sub-fields stay; null clears", async () => {
  const { id, record: made } = await make("person", {
    ...mailOf("b@two.example"),
    name: { firstName: "B", lastName: "C" },
    jobTitle: "CTO",
    city: "Rome",
  });
  const changed = await change("person", id, { name: { lastName: "D" }, city: null });
  expect(changed).toMatchObject({
    outcome: "updated",
    before: made,
    changedFields: ["name", "city"],
    record: { name: { firstName: "B", lastName: "D" }, jobTitle: "CTO", city: null },
  });
  expect(changed.record["updatedAt"]! > made["updatedAt"]!).toBe(true);
  expect((await events(id)).map(({ kind, changedFields }) => [kind, changedFields])).toMatchObject([
    ["created", expect.anything()],
    ["updated", expect.arrayContaining(["city", "name"])],
  ]);
});

test("an update that changes no value leaves updatedAt and emits no event", async () => {
  const { id, record } = await make("person", { ...mailOf("c@three.example"), jobTitle: "CTO" });
  expect(await change("person", id, { jobTitle: "CTO", emails: { primaryEmail: "c@three.example" } })).toMatchObject({
    outcome: "unchanged",
    record,
    changedFields: [],
  });
  expect(await events(id)).toHaveLength(1);
});

test("modes append, fill only what is empty, and clear", async () => {
  const { id } = await make("person", {
    ...mailOf("d@four.example"),
    city: "Rome",
    jobTitle: "CTO",
    emails: { primaryEmail: "d@four.example", additionalEmails: ["x@x.example"] },
  });
  const changed = await change(
    "person",
    id,
    {
      emails: { primaryEmail: "other@x.example", additionalEmails: ["x@x.example", "y@x.example"] },
      city: "Paris",
      jobTitle: "CEO",
    },
    { modes: { emails: "append-unique", city: "only-if-empty", jobTitle: "clear" } },
  );
  expect(changed.record).toMatchObject({
    emails: { primaryEmail: "d@four.example", additionalEmails: ["x@x.example", "y@x.example", "other@x.example"] },
    city: "Rome",
    jobTitle: null,
  });
});

test("onlyIf is checked with the change, and says what the record is when it does not hold", async () => {
  const { id } = await make("person", { ...mailOf("e@five.example"), city: "Rome" });
  const onlyIf: RecordCondition = { field: "city", operator: "equals", value: "Paris" };
  await expect(change("person", id, { jobTitle: "CTO" }, { onlyIf })).rejects.toMatchObject({
    code: "precondition-failed",
    details: { record: { city: "Rome" } },
  });
  expect(await change("person", id, { jobTitle: "CTO" }, { onlyIf: { not: onlyIf } })).toMatchObject({
    outcome: "updated",
  });
});

test("e-mails are unique without case, domains however they are written, until the record is deleted", async () => {
  const { id } = await make("person", mailOf("Six@Six.example"));
  await expect(make("person", mailOf("six@six.EXAMPLE"))).rejects.toMatchObject({
    code: "record-exists",
    details: { id },
  });
  await make("company", { name: "Six", domainName: { primaryLinkUrl: "https://www.Six.example/about?x=1" } });
  await expect(make("company", { domainName: { primaryLinkUrl: "six.example" } })).rejects.toMatchObject({
    code: "record-exists",
  });
  await deleteRecord(writer, { object: object("person"), id, permanently: false });
  expect(await findRecord(pool, object("person"), id)).toBeUndefined();
  expect(await make("person", mailOf("six@six.example"))).toMatchObject({ outcome: "created" });
});

test("many records may have no e-mail", async () => {
  await make("person", {});
  expect(await make("person", { emails: { primaryEmail: "" } })).toMatchObject({ outcome: "created" });
});

test("fifty creates of one address at once, each updating what is there, make one person, and its events chain", async () => {
  const made = await Promise.all(
    Array.from({ length: 50 }, (_, i) =>
      make("person", { ...mailOf("burst@seven.example"), city: `City ${i}` }, { ifExists: "update" }),
    ),
  );
  const [id, ...others] = [...new Set(made.map((one) => one.id))];
  expect(others).toEqual([]);
  const chain = await events(id!);
  expect(chain).toHaveLength(50);
  for (const [i, event] of chain.entries()) expect(event.before).toEqual(i === 0 ? null : chain[i - 1]!.after);
});

test("fifty upserts by a name that no index guards make one company", async () => {
  const made = await Promise.all(
    Array.from({ length: 50 }, (_, i) =>
      upsertRecord(writer, {
        object: object("company"),
        match: ["name"],
        values: { name: "Only a name", employees: i },
      }),
    ),
  );
  expect(new Set(made.map((one) => one.id)).size).toBe(1);
  expect(made.filter((one) => one.outcome === "created")).toHaveLength(1);
  expect(await find("company", { field: "name", operator: "equals", value: "Only a name" })).toHaveLength(1);
});

test("concurrent updates of one record lose nothing, and their events are in order", async () => {
  const { id } = await make("person", {
    ...mailOf("eight@x.example"),
    emails: { primaryEmail: "eight@x.example", additionalEmails: [] },
  });
  await Promise.all(
    Array.from({ length: 30 }, (_, i) =>
      change(
        "person",
        id,
        { emails: { additionalEmails: [`${i}@x.example`] } },
        { modes: { emails: "append-unique" } },
      ),
    ),
  );
  const record = (await findRecord(pool, object("person"), id))!;
  expect((record["emails"] as JsonObject)["additionalEmails"]).toHaveLength(30);
  const chain = await events(id);
  for (const [i, event] of chain.slice(1).entries()) expect(event.before).toEqual(chain[i]!.after);
});

test("a task is linked to any number of records, each once", async () => {
  const [person, company] = [await make("person", mailOf("nine@x.example")), await make("company", { name: "Nine" })];
  const links = [
    { object: "person", id: person.id },
    { object: "company", id: company.id },
    { object: "person", id: person.id },
  ];
  const task = await make("task", { title: "Call" }, { links });
  await change("task", task.id, {}, { links });
  const targets = await find("taskTarget", { field: "taskId", operator: "equals", value: task.id });
  expect(targets.map((target) => [target["personId"], target["companyId"]]).toSorted()).toEqual(
    [
      [person.id, null],
      [null, company.id],
    ].toSorted(),
  );
  await expect(
    make("task", {}, { links: [{ object: "person", id: "0197f5f0-0000-7000-8000-00000000dead" }] }),
  ).rejects.toMatchObject({ code: "related-record-not-found" });
  await expect(make("person", {}, { links })).rejects.toMatchObject({ code: "invalid-values" });
});

test("what refers to a destroyed record follows it, with an event for each", async () => {
  const company = await make("company", { name: "Ten" });
  const person = await make("person", { ...mailOf("ten@x.example"), companyId: company.id });
  const task = await make("task", { title: "Ten" }, { links: [{ object: "company", id: company.id }] });
  const [target] = await find("taskTarget", { field: "taskId", operator: "equals", value: task.id });
  expect(await deleteRecord(writer, { object: object("company"), id: company.id, permanently: true })).toMatchObject({
    outcome: "deleted",
  });
  expect(await findRecord(pool, object("person"), person.id)).toMatchObject({ companyId: null });
  expect((await events(person.id)).at(-1)).toMatchObject({
    kind: "updated",
    changedFields: ["companyId"],
    before: { companyId: company.id },
  });
  expect((await events(String(target!["id"]))).at(-1)).toMatchObject({ kind: "destroyed", object: "taskTarget" });
  expect((await events(company.id)).at(-1)).toMatchObject({ kind: "destroyed", before: { name: "Ten" }, after: null });
  expect(await deleteRecord(writer, { object: object("company"), id: company.id, permanently: true })).toBeUndefined();
});

const refusals: [string, string, JsonObject, RegExp][] = [
  ["an unknown field", "person", { jobTitel: "x" }, /did you mean "jobTitle"/],
  ["a relation by its name", "person", { company: "x" }, /written by its id/],
  ["an unknown sub-field", "person", { name: { first: "x" } }, /no sub-field "first"/],
  ["text for a number", "company", { employees: "7" }, /takes a number/],
  ["an unknown option", "opportunity", { stage: "LOST" }, /has no option "LOST"/],
  ["an option's label", "opportunity", { stage: "Closed won" }, /did you mean "CLOSED_WON"/],
  ["a date that is none", "task", { dueAt: "tomorrow" }, /takes a date and time/],
  ["a year out of range", "task", { dueAt: "9999-01-01T00:00:00Z" }, /between 1900 and 2200/],
  ["NUL in text", "person", { city: "a\u0000b" }, /NUL/],
  ["half a character", "person", { city: "\ud800" }, /lone surrogate/],
  ["what the CRM sets", "person", { createdAt: "2026-01-01T00:00:00Z" }, /set by the CRM/],
  ["a required field cleared", "workspaceMember", { userEmail: null }, /must have a value/],
  ["a required field left out", "workspaceMember", {}, /userEmail must have a value/],
];

test.each(refusals)("%s is refused with its place", async (_what, name, values, message) => {
  await expect(make(name, values)).rejects.toMatchObject({
    code: "invalid-values",
    message: expect.stringMatching(message),
  });
});

test("amounts past 2^53 stay exact", async () => {
  const { record } = await make("opportunity", {
    name: "Big",
    amount: { amountMicros: "9007199254740993000001", currencyCode: "EUR" },
  });
  expect(record["amount"]).toEqual({ amountMicros: "9007199254740993000001", currencyCode: "EUR" });
});

test("another workspace sees and changes nothing of this one", async () => {
  const other = await createTestWorkspace(pool);
  const { id } = await make("person", mailOf("eleven@x.example"));
  await expect(
    updateRecord(other.writer, { object: other.objects.find("person")!, id, values: { city: "x" } }),
  ).rejects.toMatchObject({ code: "record-not-found" });
  expect(workspace.id).not.toBe(other.workspace.id);
});
