import { describe, expect, test } from "vitest";
import { createRecord, deleteRecord, updateRecord, upsertRecord } from "../../src/crm/operations.ts";
import { findRecord } from "../../src/crm/read.ts";
import type { JsonObject } from "../../src/json.ts";
import { createTestDatabase } from "../support/database.ts";
import { createCrm, refusal } from "./support.ts";

const { pool } = await createTestDatabase();
const { writer, object, make, count } = await createCrm(pool);
const person = object("person");
const update = (id: string, values: JsonObject, more: object = {}) =>
  updateRecord(writer, { object: person, id, values, ...more });

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
