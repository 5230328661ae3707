import { expect, test } from "vitest";
import { loadWorkspace } from "../../src/catalog/workspaces.ts";
import { createField } from "../../src/crm/metadata/create-field.ts";
import { createWriter } from "../../src/crm/operations.ts";
import { createRecords, updateRecords, upsertRecords } from "../../src/crm/batch.ts";
import { getObjects } from "../../src/crm/load-objects.ts";
import { findRecord } from "../../src/crm/read.ts";
import { createId } from "../../src/ids.ts";
import type { JsonObject } from "../../src/json.ts";
import { createTestDatabase } from "../support/database.ts";
import { createCrm, refusal } from "./support.ts";

const { pool } = await createTestDatabase();

const mail = (primaryEmail: string): JsonObject => ({ emails: { primaryEmail } });

test("a batch makes a record of each row, in order, each with its event", async () => {
  const { writer, object, events, count } = await createCrm(pool);
  const rows = [
    { ...mail("a@batch.example"), name: { firstName: "A" }, jobTitle: "CEO" },
    { ...mail("b@batch.example") },
    { id: "0197f5f0-0000-7000-8000-00000000000A", city: "Bern" },
  ];
  const outcomes = await createRecords(writer, { object: object("person"), rows });
  expect(outcomes.map(({ outcome }) => outcome)).toEqual(["created", "created", "created"]);
  expect(outcomes[0]?.record).toMatchObject({
    name: { firstName: "A", lastName: "" },
    jobTitle: "CEO",
    city: null,
    emails: { primaryEmail: "a@batch.example", additionalEmails: [] },
    createdBy: { source: "API", name: "test" },
  });
  expect(outcomes[2]?.id).toBe("0197f5f0-0000-7000-8000-00000000000a");
  expect(await count("person")).toBe(3);
  const found = await events();
  expect(found.map((event) => [event.record_id, event.kind])).toEqual(outcomes.map(({ id }) => [id, "created"]));
  expect(found[0]?.changed_fields.toSorted()).toEqual(["emails", "jobTitle", "name"]);
  expect(found[0]?.after).toEqual(outcomes[0]?.record);
});

test("an upsert changes what matches, makes the rest, and leaves what is the same untouched", async () => {
  const { writer, object, make, events } = await createCrm(pool);
  const person = object("person");
  const kept = await make("person", { ...mail("same@batch.example"), city: "Bern" });
  const changed = await make("person", { ...mail("Other@Batch.example"), city: "Bern", jobTitle: "CTO" });
  const outcomes = await upsertRecords(writer, {
    object: person,
    match: ["emails"],
    rows: [
      { ...mail("same@batch.example"), city: "Bern" },
      { ...mail("new@batch.example"), city: "Basel" },
      { ...mail("other@batch.EXAMPLE"), city: null },
    ],
  });
  expect(outcomes.map(({ outcome, changedFields }) => [outcome, changedFields])).toEqual([
    ["unchanged", []],
    ["created", expect.arrayContaining(["emails", "city"])],
    ["updated", ["emails", "city"]],
  ]);
  expect(outcomes[0]?.id).toBe(kept.id);
  expect(outcomes[2]?.record).toMatchObject({ id: changed.id, city: null, jobTitle: "CTO" });
  expect((await events(kept.id)).map(({ kind }) => kind)).toEqual(["created"]);
  expect((await events(changed.id)).map(({ kind }) => kind)).toEqual(["created", "updated"]);
});

test("without match fields a row is matched by its id, else by its unique value", async () => {
  const { writer, object, make } = await createCrm(pool);
  const one = await make("company", { name: "One", domainName: { primaryLinkUrl: "one.example" } });
  const outcomes = await upsertRecords(writer, {
    object: object("company"),
    match: [],
    rows: [
      { id: one.id, name: "Uno" },
      { name: "One again", domainName: { primaryLinkUrl: "https://www.one.example/about" } },
      { name: "Nobody's" },
    ],
  });
  expect(outcomes.map(({ outcome }) => outcome)).toEqual(["updated", "updated", "created"]);
  expect(outcomes[1]?.id).toBe(one.id);
  expect((await findRecord(pool, object("company"), one.id))?.["name"]).toBe("One again");
});

test("rows about the same record count in their order", async () => {
  const { writer, object, count, events } = await createCrm(pool);
  const person = object("person");
  const rows = [
    { ...mail("twice@batch.example"), city: "Bern", name: { firstName: "T" } },
    { ...mail("TWICE@batch.example"), city: "Basel", name: { lastName: "W" } },
  ];
  const outcomes = await upsertRecords(writer, { object: person, match: ["emails"], rows });
  expect(outcomes[0]?.id).toBe(outcomes[1]?.id);
  expect(outcomes[1]?.record).toMatchObject({ city: "Basel", name: { firstName: "T", lastName: "W" } });
  const appended = await upsertRecords(writer, {
    object: person,
    match: ["emails"],
    modes: { emails: "append-unique", city: "only-if-empty" },
    rows: ["x@batch.example", "y@batch.example"].map((other) => ({
      emails: { primaryEmail: "twice@batch.example", additionalEmails: [other] },
      city: "Chur",
    })),
  });
  expect(appended[1]?.record).toMatchObject({
    city: "Basel",
    emails: { primaryEmail: "TWICE@batch.example", additionalEmails: ["x@batch.example", "y@batch.example"] },
  });
  expect(await count("person")).toBe(1);
  expect((await events(outcomes[0]?.id ?? "")).map(({ kind }) => kind)).toEqual(["created", "updated", "updated"]);
});

test("rows that cannot be written are refused one by one, and the others are written", async () => {
  const { writer, object, make, count } = await createCrm(pool);
  const taken = await make("person", mail("taken@batch.example"));
  const rows = [
    mail("ok1@batch.example"),
    { ...mail("ok2@batch.example"), companyId: createId() },
    { jobTitel: "CEO" },
    mail("taken@batch.example"),
    { ...mail("ok3@batch.example"), id: "nonsense" },
    mail("ok4@batch.example"),
  ];
  const outcomes = await createRecords(writer, { object: object("person"), rows });
  expect(outcomes.map(({ outcome, refusal: why }) => why?.code ?? outcome)).toEqual([
    "created",
    "related-record-not-found",
    "invalid-values",
    "record-exists",
    "invalid-values",
    "created",
  ]);
  expect(outcomes[2]?.refusal?.message).toContain('did you mean "jobTitle"?');
  expect(outcomes[3]?.refusal?.message).toContain(taken.id);
  expect(await count("person")).toBe(3);
});

test("a row whose change takes another record's unique value is found among many", async () => {
  const { writer, object, make } = await createCrm(pool);
  const people = [];
  for (let i = 0; i < 9; i++) people.push(await make("person", mail(`p${i}@batch.example`)));
  const rows = people.map(({ id }, i) => ({ id, city: "Bern", ...(i === 5 ? mail("p0@batch.example") : {}) }));
  const outcomes = await updateRecords(writer, { object: object("person"), rows });
  expect(outcomes.map(({ outcome }) => outcome)).toEqual(rows.map((_row, i) => (i === 5 ? "refused" : "updated")));
  expect(outcomes[5]?.refusal).toMatchObject({ code: "record-exists" });
  const absent = createId();
  const [lost] = await updateRecords(writer, { object: object("person"), rows: [{ id: absent, city: "Bern" }] });
  expect(lost?.refusal).toMatchObject({ code: "record-not-found", message: `There is no person ${absent}.` });
});

test("all or none: the first refusal leaves nothing", async () => {
  const { writer, object, count, events } = await createCrm(pool);
  const rows = [mail("a@none.example"), { city: 5 }];
  const error = await refusal(createRecords(writer, { object: object("person"), rows, atomic: true }));
  expect(error).toMatchObject({ code: "invalid-values", details: { index: 1 } });
  expect(await count("person")).toBe(0);
  expect(await events()).toEqual([]);
});

test("what is done after the rows commits with them, or nothing does", async () => {
  const { writer, object, count } = await createCrm(pool);
  const stop = new Error("stop");
  const batch = {
    object: object("person"),
    rows: [mail("then@batch.example")],
    andThen: () => Promise.reject(stop),
  };
  await expect(createRecords(writer, batch)).rejects.toBe(stop);
  expect(await count("person")).toBe(0);
});

test("batches at once with the same values make each record once, and none is lost to a deadlock", async () => {
  const { writer, object, count, events } = await createCrm(pool);
  const rows = Array.from({ length: 60 }, (_each, i) => ({ ...mail(`r${i}@race.example`), name: { firstName: "R" } }));
  const batches = await Promise.all(
    Array.from({ length: 8 }, (_each, b) =>
      upsertRecords(writer, {
        object: object("person"),
        match: ["emails"],
        rows: (b % 2 === 0 ? rows : rows.toReversed()).map((row) => ({ ...row, city: `City ${b}` })),
      }),
    ),
  );
  expect(batches.flat().filter(({ outcome }) => outcome === "refused")).toEqual([]);
  expect(await count("person")).toBe(60);
  const made = (await events()).filter(({ kind }) => kind === "created");
  expect(made).toHaveLength(60);
});

test("batches at once that match by a field that is not unique make one record of each value", async () => {
  const { writer, object, count } = await createCrm(pool);
  const rows = Array.from({ length: 10 }, (_each, i) => ({ name: `Company ${i}` }));
  await Promise.all(
    Array.from({ length: 6 }, () => upsertRecords(writer, { object: object("company"), match: ["name"], rows })),
  );
  expect(await count("company")).toBe(10);
});

test("rows that match by text which differs in case are about two records where case counts", async () => {
  const { writer, object } = await createCrm(pool);
  const rows = [{ name: "acme" }, { name: "Acme" }];
  const outcomes = await upsertRecords(writer, { object: object("company"), match: ["name"], rows });
  expect(outcomes.map(({ record }) => record?.["name"])).toEqual(["acme", "Acme"]);
});

test("of two rows with the same id one makes the record, and the other hears that it is there", async () => {
  const { writer, object, count } = await createCrm(pool);
  const id = createId();
  const rows = [
    { id, name: "first" },
    { id, name: "second" },
  ];
  for (const outcomes of [
    await createRecords(writer, { object: object("company"), rows }),
    await upsertRecords(writer, {
      object: object("note"),
      match: ["title"],
      rows: rows.map(({ name }) => ({ id, title: name })),
    }),
  ]) {
    const [made, ...others] = outcomes.toSorted((a, b) => (a.outcome < b.outcome ? -1 : 1));
    expect(made).toMatchObject({ outcome: "created", id });
    expect(others).toMatchObject([{ outcome: "refused", refusal: { code: "record-exists" } }]);
  }
  expect(await count("company")).toBe(1);
});

test("rows are matched by lists and by JSON too", async () => {
  const { workspace } = await createCrm(pool);
  await createField({ pool, workspace }, "company", { name: "tags", type: "ARRAY" });
  await createField({ pool, workspace }, "company", { name: "data", type: "RAW_JSON" });
  const objects = await getObjects(pool, await loadWorkspace(pool, workspace.id));
  const writer = createWriter({ pool, workspace, objects, actor: { source: "API", name: "test" } });
  const company = objects.find("company")!;
  const upsert = (match: string[], row: JsonObject) => upsertRecords(writer, { object: company, match, rows: [row] });
  const rows: [string[], JsonObject][] = [
    [["tags"], { tags: ["b", "a"] }],
    [["data"], { data: "text" }],
    [["data"], { data: { a: [1] } }],
  ];
  for (const [match, row] of rows) {
    const [made] = await upsert(match, { ...row, name: "made" });
    expect(await upsert(match, { ...row, name: "changed" })).toMatchObject([{ outcome: "updated", id: made?.id }]);
  }
});
