import { describe, expect, test } from "vitest";
import { loadWorkspace } from "../../src/catalog/workspaces.ts";
import { getObjects } from "../../src/crm/load-objects.ts";
import { createField } from "../../src/crm/metadata/create-field.ts";
import { fieldDefinition } from "../../src/crm/metadata/definitions.ts";
import type { JsonObject } from "../../src/json.ts";
import { mergeRecords, previewMerge } from "../../src/crm/merge.ts";
import { createRecord, createWriter, deleteRecord, updateRecord } from "../../src/crm/operations.ts";
import { findRecord } from "../../src/crm/read.ts";
import { restoreRecord } from "../../src/crm/restore.ts";
import { createId } from "../../src/ids.ts";
import { createTestDatabase } from "../support/database.ts";
import { until } from "../support/until.ts";
import { createCrm, refusal } from "./support.ts";

const { pool } = await createTestDatabase();
const { writer, object, make, events } = await createCrm(pool);
const person = object("person");
const merge = (survivor: string, ...others: string[]) =>
  mergeRecords(writer, { object: person, ids: [survivor, ...others], survivor });
const kinds = async (id: string): Promise<string[]> => (await events(id)).map(({ kind }) => kind);

describe("a merge", () => {
  test("fills what the survivor lacks, keeps every way to reach somebody, and leaves the rest as it is", async () => {
    const company = await make("company", { name: "Acme" });
    const first = await make("person", {
      name: { firstName: "Ada" },
      emails: { primaryEmail: "ada@x.example", additionalEmails: ["old@x.example"] },
      city: "London",
    });
    const second = await make("person", {
      name: { firstName: "Augusta", lastName: "King" },
      emails: { primaryEmail: "ada@home.example", additionalEmails: ["Old@x.example", "a@b.example"] },
      phones: { primaryPhoneNumber: "1", primaryPhoneCallingCode: "+44" },
      linkedinLink: { primaryLinkUrl: "https://l.example/ada" },
      city: "Paris",
      jobTitle: "Analyst",
    });
    const third = await make("person", {
      phones: { primaryPhoneNumber: "2", primaryPhoneCallingCode: "+33" },
      jobTitle: "Countess",
      companyId: company.id,
    });
    const merged = await merge(first.id, second.id, third.id);
    expect(merged).toMatchObject({
      id: first.id,
      name: { firstName: "Ada", lastName: "" },
      emails: {
        primaryEmail: "ada@x.example",
        additionalEmails: ["old@x.example", "ada@home.example", "a@b.example"],
      },
      phones: {
        primaryPhoneNumber: "1",
        additionalPhones: [{ number: "2", countryCode: "", callingCode: "+33" }],
      },
      linkedinLink: { primaryLinkUrl: "https://l.example/ada" },
      city: "London",
      jobTitle: "Analyst",
      companyId: company.id,
    });
    const [, changed] = await events(first.id);
    expect(changed).toMatchObject({
      kind: "updated",
      changed_fields: expect.arrayContaining(["emails", "phones", "linkedinLink", "jobTitle", "companyId"]),
      after: merged,
    });
    expect(await kinds(second.id)).toEqual(["created", "deleted"]);
    expect(await kinds(third.id)).toEqual(["created", "deleted"]);
    expect(await findRecord(pool, person, second.id)).toBeUndefined();
  });

  test("gives the survivor another's e-mail as its own where it has none", async () => {
    const first = await make("person", {});
    const second = await make("person", { emails: { primaryEmail: "only@x.example" } });
    expect(await merge(first.id, second.id)).toMatchObject({ emails: { primaryEmail: "only@x.example" } });
    expect(await refusal(restoreRecord(writer, { object: person, id: second.id }))).toMatchObject({
      code: "record-exists",
      message: `person: emails is taken, by the record ${first.id}.`,
    });
  });

  test("lets what pointed to the others point to the survivor, each with its event", async () => {
    const [first, second] = [await make("person", {}), await make("person", {})];
    const deal = await make("opportunity", { pointOfContactId: second.id });
    const deleted = await make("opportunity", { pointOfContactId: second.id });
    await deleteRecord(writer, { object: object("opportunity"), id: deleted.id, permanently: false });
    const other = await make("opportunity", { pointOfContactId: first.id });
    await merge(first.id, second.id);
    const [, moved] = await events(deal.id);
    expect(moved).toMatchObject({
      kind: "updated",
      changed_fields: ["pointOfContactId"],
      before: { pointOfContactId: second.id },
      after: { pointOfContactId: first.id },
    });
    expect(await findRecord(pool, object("opportunity"), deleted.id, { deleted: true })).toMatchObject({
      pointOfContactId: first.id,
    });
    expect(await kinds(other.id)).toEqual(["created"]);
  });

  test("leaves one link to a task that several were linked to, and marks the others as deleted", async () => {
    const [first, second, third] = [await make("person", {}), await make("person", {}), await make("person", {})];
    const [shared, own] = [await make("task", {}), await make("task", {})];
    const linkOf = (task: { id: string }, to: { id: string }) =>
      make("taskTarget", { taskId: task.id, personId: to.id });
    const kept = await linkOf(shared, first);
    const [dropped, alsoDropped] = [await linkOf(shared, second), await linkOf(shared, third)];
    const [moved, met] = [await linkOf(own, second), await linkOf(own, third)];
    await merge(first.id, second.id, third.id);
    expect(await kinds(kept.id)).toEqual(["created"]);
    expect(await kinds(dropped.id)).toEqual(["created", "deleted"]);
    expect(await kinds(alsoDropped.id)).toEqual(["created", "deleted"]);
    expect(await kinds(moved.id)).toEqual(["created", "updated"]);
    expect(await kinds(met.id)).toEqual(["created", "deleted"]);
    const found = await findRecord(pool, object("taskTarget"), moved.id);
    expect(found).toMatchObject({ taskId: own.id, personId: first.id });
  });

  test("shows beforehand what it would leave, and changes nothing", async () => {
    const first = await make("person", { city: "Bern" });
    const second = await make("person", { city: "Basel", jobTitle: "CEO" });
    const request = { object: person, ids: [first.id, second.id], survivor: second.id };
    const preview = await previewMerge(writer, request);
    expect(preview).toMatchObject({ id: second.id, city: "Basel", jobTitle: "CEO" });
    expect(await kinds(first.id)).toEqual(["created"]);
    expect(await kinds(second.id)).toEqual(["created"]);
  });

  test("of one that is not there, or is deleted, is refused and changes nothing", async () => {
    const [first, second] = [await make("person", {}), await make("person", { city: "Bern" })];
    await deleteRecord(writer, { object: person, id: second.id, permanently: false });
    for (const missing of [second.id, createId()])
      expect(await refusal(merge(first.id, missing))).toMatchObject({
        code: "record-not-found",
        message: `There is no person ${missing}.`,
      });
    expect(await kinds(first.id)).toEqual(["created"]);
  });

  test("of the same records by several at once, while others write, reaches no caller as a deadlock", async () => {
    const company = await make("company", {});
    const made = await Promise.all(Array.from({ length: 6 }, () => make("person", {})));
    const ids = made.map(({ id }) => id);
    const deals = await Promise.all(ids.map((id) => make("opportunity", { pointOfContactId: id })));
    const outcomes = await Promise.allSettled([
      mergeRecords(writer, { object: person, ids: ids.slice(0, 3), survivor: ids[0]! }),
      mergeRecords(writer, { object: person, ids: ids.slice(0, 3).toReversed(), survivor: ids[1]! }),
      mergeRecords(writer, { object: person, ids: ids.slice(3), survivor: ids[5]! }),
      ...deals.map(({ id }) =>
        updateRecord(writer, {
          object: object("opportunity"),
          id,
          values: { companyId: company.id, stage: "MEETING" },
        }),
      ),
      ...ids.map((id) => updateRecord(writer, { object: person, id, values: { companyId: company.id } })),
      ...ids.map((id) => createRecord(writer, { object: object("opportunity"), values: { pointOfContactId: id } })),
    ]);
    const codes = outcomes.flatMap((outcome) =>
      outcome.status === "rejected" ? [(outcome.reason as { code: string }).code] : [],
    );
    expect(new Set(codes)).toEqual(new Set(["record-not-found"]));
    expect(outcomes.slice(0, 2).filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });
});

test("a number that both have beside their main ones is kept once", async () => {
  const additionalPhones = [{ number: "2", countryCode: "CH", callingCode: "+41" }];
  const first = await make("person", { phones: { primaryPhoneNumber: "1", additionalPhones } });
  const second = await make("person", {
    phones: { primaryPhoneNumber: "2", primaryPhoneCountryCode: "CH", primaryPhoneCallingCode: "+41" },
  });
  expect(await merge(first.id, second.id)).toMatchObject({ phones: { primaryPhoneNumber: "1", additionalPhones } });
});

test("what points to a merged record points to the survivor, also where that one pointed to another of them", async () => {
  const { workspace, pool: sql } = await createCrm(pool);
  await createField(
    { pool: sql, workspace },
    "company",
    fieldDefinition.parse({ name: "parent", type: "RELATION", object: "company", unique: true }),
  );
  const objects = await getObjects(sql, await loadWorkspace(sql, workspace.id));
  const other = createWriter({ pool: sql, workspace, objects, actor: { source: "API", name: "test" } });
  const company = objects.find("company")!;
  const found = async (values: JsonObject) => (await createRecord(other, { object: company, values })).id;
  const gone = await found({ name: "Gone" });
  const third = await found({ name: "Third" });
  const survivor = await found({ name: "Survivor", parentId: gone });
  const child = await found({ name: "Child", parentId: third });
  await mergeRecords(other, { object: company, ids: [survivor, gone, third], survivor });
  expect((await findRecord(sql, company, child))?.["parentId"]).toBe(survivor);
  expect((await findRecord(sql, company, survivor))?.["parentId"]).toBe(null);
});

test("two merges at once that would each drop the other's link leave one, which points to both survivors", async () => {
  const note = await make("note", { title: "Linked twice" });
  const people = [await make("person", {}), await make("person", {})];
  const companies = [await make("company", {}), await make("company", {})];
  const link = (values: JsonObject) => make("noteTarget", { noteId: note.id, ...values });
  const links = [
    await link({ personId: people[0]!.id, companyId: companies[1]!.id }),
    await link({ personId: people[1]!.id, companyId: companies[0]!.id }),
  ];
  const mergeAll = (name: string, ids: string[]) =>
    mergeRecords(writer, { object: object(name), ids, survivor: ids[0] ?? "" });
  const client = await pool.connect();
  let merges: Promise<unknown>;
  try {
    // Both get as far as the links before one of them goes on.
    await client.query("begin");
    await client.query(`select 1 from ${object("noteTarget").table} where note_id = $1 for update`, [note.id]);
    merges = Promise.all([
      mergeAll(
        "person",
        people.map(({ id }) => id),
      ),
      mergeAll(
        "company",
        companies.map(({ id }) => id),
      ),
    ]);
    await until("both wait for the links", async () => {
      const { rows } = await pool.query<{ waiting: number }>(
        "select count(*) as waiting from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
      );
      return rows[0]?.waiting === 2;
    });
  } finally {
    await client.query("commit");
    client.release();
  }
  await merges;
  const left = await Promise.all(links.map(({ id }) => findRecord(pool, object("noteTarget"), id)));
  expect(left.filter((record) => record !== undefined)).toMatchObject([
    { personId: people[0]!.id, companyId: companies[0]!.id },
  ]);
});
