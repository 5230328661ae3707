import { describe, expect, test } from "vitest";
import { updateRecord, upsertRecord } from "../../src/crm/operations.ts";
import { createId } from "../../src/ids.ts";
import type { Json, JsonObject } from "../../src/json.ts";
import { createTestDatabase } from "../support/database.ts";
import { createCrm, refusal } from "./support.ts";

const { pool } = await createTestDatabase();
const { writer, object, make } = await createCrm(pool);
const person = object("person");
const update = (id: string, values: JsonObject, more: object = {}) =>
  updateRecord(writer, { object: person, id, values, ...more });

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
