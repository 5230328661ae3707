import { describe, expect, test } from "vitest";
import { deleteMatching, mostMatching, updateMatching } from "../../src/crm/matching.ts";
import { deleteRecord } from "../../src/crm/operations.ts";
import { findRecord } from "../../src/crm/read.ts";
import { restoreMatching, restoreRecord } from "../../src/crm/restore.ts";
import { createId } from "../../src/ids.ts";
import type { Statement } from "../../src/sql.ts";
import { createTestDatabase } from "../support/database.ts";
import { createCrm, refusal } from "./support.ts";

const { pool } = await createTestDatabase();
const { writer, object, make, events, count } = await createCrm(pool);
const person = object("person");
const inCity = (city: string) => ({
  object: person,
  where: (statement: Statement, alias: string) => `${alias}.city = ${statement.param(city, "text")}`,
});
const kinds = async (id: string): Promise<string[]> => (await events(id)).map(({ kind }) => kind);

describe("a change of all that match", () => {
  test("changes each that differs, with its event, and tells what became of every one", async () => {
    const [first, second] = [
      await make("person", { city: "Aa" }),
      await make("person", { city: "Aa", jobTitle: "CEO" }),
    ];
    const other = await make("person", { city: "Ab" });
    const changes = await updateMatching(writer, { ...inCity("Aa"), values: { jobTitle: "CEO" } });
    expect(changes).toMatchObject([
      { id: first.id, outcome: "updated", changedFields: ["jobTitle"], record: { jobTitle: "CEO" } },
      { id: second.id, outcome: "unchanged", changedFields: [] },
    ]);
    expect(await kinds(first.id)).toEqual(["created", "updated"]);
    expect(await kinds(second.id)).toEqual(["created"]);
    expect(await kinds(other.id)).toEqual(["created"]);
  });

  test("changes none where one of them cannot be changed so", async () => {
    const [first] = [await make("person", { city: "Ba" }), await make("person", { city: "Ba" })];
    const values = { emails: { primaryEmail: "all@x.example" } };
    expect(await refusal(updateMatching(writer, { ...inCity("Ba"), values }))).toMatchObject({ code: "record-exists" });
    expect(await findRecord(pool, person, first.id)).toMatchObject({ emails: { primaryEmail: "" } });
  });

  test("leaves deleted records alone", async () => {
    const { id } = await make("person", { city: "Ca" });
    await deleteRecord(writer, { object: person, id, permanently: false });
    expect(await updateMatching(writer, { ...inCity("Ca"), values: { jobTitle: "CEO" } })).toEqual([]);
    expect(await deleteMatching(writer, { ...inCity("Ca"), permanently: false })).toEqual([]);
  });

  test(`touches none where more than ${mostMatching} match`, async () => {
    await pool.query(
      `insert into ${person.table} (id, city) select gen_random_uuid(), 'Da' from generate_series(1, ${mostMatching + 1})`,
    );
    const before = await count("person");
    for (const change of [
      () => updateMatching(writer, { ...inCity("Da"), values: { jobTitle: "CEO" } }),
      () => deleteMatching(writer, { ...inCity("Da"), permanently: false }),
      () => deleteMatching(writer, { ...inCity("Da"), permanently: true }),
    ])
      expect(await refusal(change())).toMatchObject({
        code: "too-many-records",
        message: expect.stringContaining("More than 1000 people match"),
      });
    expect(await count("person")).toBe(before);
  });
});

test("deleting all that match marks them, or destroys them and lets go of what points to them", async () => {
  const [first, second] = [await make("person", { city: "Ea" }), await make("person", { city: "Ea" })];
  const deal = await make("opportunity", { pointOfContactId: first.id });
  const marked = await deleteMatching(writer, { ...inCity("Ea"), permanently: false });
  expect(marked.map(({ id, record }) => [id, record["deletedAt"] !== null])).toEqual([
    [first.id, true],
    [second.id, true],
  ]);
  const gone = await deleteMatching(writer, { ...inCity("Ea"), permanently: true });
  expect(gone.map(({ id }) => id)).toEqual([first.id, second.id]);
  expect(await findRecord(pool, person, first.id, { deleted: true })).toBeUndefined();
  expect(await findRecord(pool, object("opportunity"), deal.id)).toMatchObject({ pointOfContactId: null });
  expect(await kinds(first.id)).toEqual(["created", "deleted", "destroyed"]);
});

describe("restoring", () => {
  test("brings a record back with its event; one that is not deleted stays as it is", async () => {
    const { id } = await make("person", { city: "Fa" });
    await deleteRecord(writer, { object: person, id, permanently: false });
    const back = await restoreRecord(writer, { object: person, id });
    expect(back).toMatchObject({ outcome: "restored", record: { city: "Fa", deletedAt: null } });
    const [, , event] = await events(id);
    expect(event).toMatchObject({ kind: "restored", before: { deletedAt: expect.any(String) }, after: back.record });
    expect(await restoreRecord(writer, { object: person, id })).toMatchObject({ outcome: "unchanged" });
    expect(await kinds(id)).toEqual(["created", "deleted", "restored"]);
  });

  test("is refused where another has the unique value by now, and for what never was", async () => {
    const emails = { primaryEmail: "back@x.example" };
    const { id } = await make("person", { emails });
    await deleteRecord(writer, { object: person, id, permanently: false });
    const other = await make("person", { emails });
    expect(await refusal(restoreRecord(writer, { object: person, id }))).toMatchObject({
      code: "record-exists",
      message: `person: emails is taken, by the record ${other.id}.`,
    });
    expect(await kinds(id)).toEqual(["created", "deleted"]);
    const never = createId();
    expect(await refusal(restoreRecord(writer, { object: person, id: never }))).toMatchObject({
      code: "record-not-found",
    });
  });

  test("brings back all that match, or none", async () => {
    const ids = [await make("person", { city: "Ga" }), await make("person", { city: "Ga" })].map(({ id }) => id);
    await deleteMatching(writer, { ...inCity("Ga"), permanently: false });
    const back = await restoreMatching(writer, inCity("Ga"));
    expect(back.map(({ id, outcome }) => [id, outcome])).toEqual(ids.map((id) => [id, "restored"]));
  });
});
