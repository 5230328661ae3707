import { expect, test } from "vitest";
import { findDuplicates } from "../../src/crm/duplicates.ts";
import { deleteRecord } from "../../src/crm/operations.ts";
import type { JsonObject } from "../../src/json.ts";
import { createTestDatabase } from "../support/database.ts";
import { createCrm } from "./support.ts";

const { pool } = await createTestDatabase();
const { writer, object, make } = await createCrm(pool);
const duplicatesOf = async (name: string, ...records: JsonObject[]): Promise<unknown[][]> => {
  const found = await findDuplicates(pool, object(name), { records, limit: 60 });
  return found.map(({ records: own }) => own.map(({ id }) => id));
};

test("people are duplicates by their whole name, an e-mail in any case, or a profile", async () => {
  const byName = await make("person", { name: { firstName: "Ada", lastName: "Lovelace" } });
  const byMail = await make("person", { emails: { primaryEmail: "ada@x.example" } });
  const byLink = await make("person", { linkedinLink: { primaryLinkUrl: "https://l.example/ada" } });
  await make("person", { name: { firstName: "Ada", lastName: "King" } });
  const asked = {
    name: { firstName: "Ada", lastName: "Lovelace" },
    emails: { primaryEmail: "ADA@x.example" },
    linkedinLink: { primaryLinkUrl: "https://l.example/ada" },
  };
  expect(await duplicatesOf("person", asked, { name: { firstName: "Ada", lastName: "" } }, {})).toEqual([
    [byName.id, byMail.id, byLink.id],
    [],
    [],
  ]);
});

test("a record is no duplicate of itself, and what is deleted is none", async () => {
  const [first, second] = [await make("company", { name: "Twin" }), await make("company", { name: "Twin" })];
  expect(await duplicatesOf("company", first.record, second.record)).toEqual([[second.id], [first.id]]);
  await deleteRecord(writer, { object: object("company"), id: second.id, permanently: false });
  expect(await duplicatesOf("company", first.record)).toEqual([[]]);
});

test("companies are duplicates by their domain, however it is written", async () => {
  const { id } = await make("company", { domainName: { primaryLinkUrl: "https://www.acme.example/about" } });
  expect(await duplicatesOf("company", { domainName: { primaryLinkUrl: "ACME.example" } })).toEqual([[id]]);
});

test("no more are shown than asked for, and the total says how many there are", async () => {
  for (let i = 0; i < 5; i++) await make("company", { name: "Many" });
  const [found] = await findDuplicates(pool, object("company"), { records: [{ name: "Many" }], limit: 2 });
  expect(found).toMatchObject({ total: 5 });
  expect(found?.records).toHaveLength(2);
});

test("an object without criteria has no duplicates", async () => {
  await make("note", { title: "Same" });
  expect(await duplicatesOf("note", { title: "Same" })).toEqual([[]]);
});
