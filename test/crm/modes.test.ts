import { describe, expect, test } from "vitest";
import { updateRecord } from "../../src/crm/operations.ts";
import type { JsonObject } from "../../src/json.ts";
import { createTestDatabase } from "../support/database.ts";
import { createCrm, refusal } from "./support.ts";

const { pool } = await createTestDatabase();
const { writer, object, make } = await createCrm(pool);
const person = object("person");
const update = (id: string, values: JsonObject, more: object = {}) =>
  updateRecord(writer, { object: person, id, values, ...more });

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
