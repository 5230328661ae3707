import { describe, expect, test } from "vitest";
import { createField } from "../../src/crm/metadata/create-field.ts";
import { createObject } from "../../src/crm/metadata/objects.ts";
import { loadWorkspace } from "../../src/catalog/workspaces.ts";
import { getObjects } from "../../src/crm/load-objects.ts";
import { createRecord, createWriter, deleteRecord, updateRecord } from "../../src/crm/operations.ts";
import { listRecords, type ListRequest } from "../../src/crm/read.ts";
import type { FieldInput } from "../../src/crm/metadata/definitions.ts";
import type { Json, JsonObject } from "../../src/json.ts";
import { createTestDatabase } from "../support/database.ts";
import { createCrm, refusal } from "./support.ts";

const { pool } = await createTestDatabase();
const crm = await createCrm(pool);
const { objects, object, make, writer } = crm;
const person = object("person");

const people: Record<string, JsonObject> = {
  Zoë: {
    name: { firstName: "Zoë", lastName: "Grünwald" },
    emails: { primaryEmail: "zoe.g@straße.example" },
    city: "Łódź",
  },
  Ørjan: { name: { firstName: "Ørjan", lastName: "O'Brien-Smith" }, city: "Besançon" },
  Жанна: { name: { firstName: "Жанна", lastName: "Έλλη" } },
  Kai: {
    name: { firstName: "Kai", lastName: "Berg" },
    emails: { primaryEmail: "kai+news@example.com", additionalEmails: ["boss@second.example"] },
    phones: {
      primaryPhoneNumber: "(0151) 234-567",
      primaryPhoneCallingCode: "+49",
      additionalPhones: [
        { number: "+1 555 0100", countryCode: "US", callingCode: "" },
        { number: "+41 (0)44/668-1800", countryCode: "CH", callingCode: "+41" },
      ],
    },
    jobTitle: "Unsearched",
  },
  Berg: { name: { firstName: "Berg", lastName: "Kaiser" }, city: "Oslo" },
};
for (const values of Object.values(people)) await make("person", values);

async function found(search: string, request: Partial<ListRequest> = {}): Promise<string[]> {
  const { records, total } = await listRecords(pool, { objects, object: person, limit: 50, search, ...request });
  expect(total).toBe(records.length);
  return records.map(({ name }) => (name as { firstName: string }).firstName);
}

describe("a search", () => {
  test.each<[string, string[]]>([
    ["zoe", ["Zoë"]],
    ["ZOË grunwald", ["Zoë"]],
    ["GRÜNWALD", ["Zoë"]],
    ["grün zo", ["Zoë"]],
    ["lodz", ["Zoë"]],
    ["strasse", ["Zoë"]],
    ["besancon", ["Ørjan"]],
    ["orjan", ["Ørjan"]],
    ["o'brien", ["Ørjan"]],
    ["smith brien", ["Ørjan"]],
    ["“smith”", ["Ørjan"]],
    ["жан", ["Жанна"]],
    ["ΕΛΛΗ", ["Жанна"]],
    ["kai+news@example.com", ["Kai"]],
    ["second.example", ["Kai"]],
    ["0151234567", ["Kai"]],
    ["0151 234 567", ["Kai"]],
    ["+49 (0)151/234", ["Kai"]],
    ["+49151234567", ["Kai"]],
    ["1 555 0100", ["Kai"]],
    ["+41 (0)44 668 1800", ["Kai"]],
    ["+41446681800", ["Kai"]],
    ["044 668 18", ["Kai"]],
    ["rgrün", []],
    ["zoe berg", []],
    ["unsearched", []],
    ["' | zoe", ["Zoë"]],
    ["!zoe & (", ["Zoë"]],
    ["\\", []],
    ["--", []],
    ["", []],
  ])("for %j finds %j", async (search, expected) => {
    expect(await found(search)).toEqual(expected);
  });

  test("puts whole words before beginnings, and what a record is called before the rest", async () => {
    await make("person", { name: { firstName: "Ida" }, city: "Bergen" });
    await make("person", { name: { firstName: "Ivo" }, city: "Berg" });
    await make("person", { name: { firstName: "Bergljot" } });
    expect(await found("berg")).toEqual(["Kai", "Berg", "Bergljot", "Ivo", "Ida"]);
  });

  test("goes together with a filter, a sort and cursors", async () => {
    const where = { field: "city", operator: "isNotEmpty" } as const;
    expect(await found("berg", { where })).toEqual(["Berg", "Ivo", "Ida"]);
    expect(await found("berg", { where, sort: [{ field: "city", direction: "desc" }] })).toEqual([
      "Berg",
      "Ida",
      "Ivo",
    ]);
    const request = { objects, object: person, search: "berg", limit: 2 };
    const first = await listRecords(pool, request);
    const second = await listRecords(pool, { ...request, after: first.endCursor! });
    const third = await listRecords(pool, { ...request, after: second.endCursor! });
    expect([first, second, third].map(({ hasNext, hasPrevious }) => [hasNext, hasPrevious])).toEqual([
      [true, false],
      [true, true],
      [false, true],
    ]);
    const back = await listRecords(pool, { ...request, before: third.startCursor! });
    expect(back.records).toEqual(second.records);
    const ids = [first, second, third].flatMap(({ records }) => records.map(({ id }) => id));
    expect(new Set(ids).size).toBe(5);
    expect([first, second, third].map(({ total }) => total)).toEqual([5, 5, 5]);
  });

  test("sees what was changed and deleted", async () => {
    const { id } = await make("person", { name: { firstName: "Before" } });
    await updateRecord(writer, { object: person, id, values: { name: { firstName: "After" } } });
    expect([await found("before"), await found("after")]).toEqual([[], ["After"]]);
    await deleteRecord(writer, { object: person, id, permanently: false });
    expect(await found("after")).toEqual([]);
    expect(await found("after", { deleted: true })).toEqual(["After"]);
  });

  test("takes any text, however long", async () => {
    expect(await found("zoe ".repeat(1_000))).toEqual(["Zoë"]);
    expect(await found("z".repeat(100_000))).toEqual([]);
    expect(await found("👩‍💻 zoe")).toEqual(expect.any(Array));
    await make("note", { title: "w".repeat(1_000_000) });
    expect(await refusal(found("a\u0000"))).toMatchObject({ code: "invalid-search" });
  });

  test("says when an object has nothing to look into", async () => {
    const asked = listRecords(pool, { objects, object: object("taskTarget"), search: "x", limit: 1 });
    expect(await refusal(asked)).toMatchObject({
      code: "invalid-search",
      message: "search: no field of taskTarget is searchable.",
    });
  });
});

test("fields of every type that has words are searched", async () => {
  const own = await createCrm(pool);
  const metadata = { pool, workspace: own.workspace };
  await createObject(metadata, { name: "place", plural: "places" });
  const fields = {
    tags: { type: "MULTI_SELECT", value: ["SUN_NY"], options: [{ value: "SUN_NY", label: "Sunny" }] },
    aliases: { type: "ARRAY", value: ["Grand Place", "Platz"] },
    number: { type: "NUMBER", value: 4711 },
    site: {
      type: "LINKS",
      value: {
        primaryLinkUrl: "https://www.gate.example/door",
        secondaryLinks: [{ label: "Rear", url: "https://rear.example" }],
      },
    },
    story: { type: "RICH_TEXT", value: { markdown: "Once **upon** a time" } },
    code: { type: "UUID", value: "0197f5f0-0000-7000-8000-000000000009" },
    address: { type: "ADDRESS", value: { addressPostcode: "1000", addressCountry: "Belgium" } },
  } satisfies Record<string, Omit<FieldInput, "name"> & { value: Json }>;
  for (const [name, { value: _value, ...field }] of Object.entries(fields))
    await createField(metadata, "place", { name, searchable: true, ...field });
  const workspace = await loadWorkspace(pool, own.workspace.id);
  const current = await getObjects(pool, workspace);
  const place = current.find("place")!;
  const values: JsonObject = Object.fromEntries(Object.entries(fields).map(([name, { value }]) => [name, value]));
  const placeWriter = createWriter({ pool, workspace, objects: current, actor: { source: "API", name: "test" } });
  await createRecord(placeWriter, { object: place, values });
  for (const search of ["ny sun", "platz", "4711", "gate.example", "rear", "upon", "0197f5f0", "1000 belg"]) {
    const { total } = await listRecords(pool, { objects: current, object: place, search, limit: 5 });
    expect([search, total]).toEqual([search, 1]);
  }
  const { total } = await listRecords(pool, { objects: current, object: place, search: "https", limit: 5 });
  expect(total).toBe(0);
});
