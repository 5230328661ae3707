import { beforeAll, describe, expect, test } from "vitest";
import type { JsonObject } from "../../src/json.ts";
import { createTestDatabase } from "../support/database.ts";
import { startGateway } from "./gateway.ts";

const { pool } = await createTestDatabase();
const { call, strangerKey } = await startGateway(pool);

const at = (path: string, query: Record<string, string> = {}): string =>
  `${path}?${new URLSearchParams(query).toString()}`;
const exported = (object: string, query: Record<string, string> = {}, key?: string) =>
  call("GET", at(`/api/exports/${object}`, query), key === undefined ? {} : { key });

async function importInto(key: string, body: JsonObject, file: string): Promise<JsonObject> {
  const { body: made } = await call("POST", "/api/imports", { key, body });
  const sent = await call("PUT", `/api/imports/${String(made["id"])}/data`, { key, raw: file });
  expect([sent.status, sent.text]).toEqual([200, expect.anything()]);
  return sent.body;
}

/** Edges of every type that the standard objects have. */
const people: JsonObject[] = [
  {
    name: { firstName: "=HYPERLINK(1)", lastName: '\'+49, "quoted"\r\nline' },
    emails: { primaryEmail: "o'brien+x@exämple.example", additionalEmails: ["b@x.example", "c;d@x.example"] },
    phones: {
      primaryPhoneNumber: "30 123",
      primaryPhoneCountryCode: "DE",
      primaryPhoneCallingCode: "+49",
      additionalPhones: [{ number: "1", countryCode: "FR", callingCode: "+33" }],
    },
    linkedinLink: { primaryLinkUrl: "https://x.example/?a=1,2", secondaryLinks: [{ label: "–", url: "y;z" }] },
    jobTitle: " leading and trailing ",
    city: "",
    position: 1e-7,
  },
  { name: { firstName: "🦆", lastName: "שלום" }, jobTitle: "-1+2", city: "\t@tab", position: 1e21 },
  { name: { firstName: "null", lastName: "true" }, jobTitle: "{", avatarUrl: "[1]" },
];
const companies: JsonObject[] = [
  {
    name: "Acme",
    employees: 0,
    idealCustomerProfile: true,
    annualRecurringRevenue: { amountMicros: "12345678901234567890", currencyCode: "EUR" },
    address: { addressCity: "Bern; (BE)", addressLat: 46.947_974, addressLng: -7.000_000_1 },
  },
  { name: null, employees: -3 },
];
const opportunities: JsonObject[] = [
  { name: "Old", closeDate: "0001-01-01T00:00:00.000Z", stage: "MEETING" },
  { name: "Late", closeDate: "9999-12-31T23:59:59.999Z", stage: null },
];

beforeAll(async () => {
  for (const [plural, records] of Object.entries({ companies, people, opportunities }))
    for (const body of records) {
      const { status, text } = await call("POST", `/rest/${plural}`, { body });
      if (status !== 201) throw new Error(text);
    }
});

describe.each(["csv", "json-lines"])("a file of %s", (format) => {
  test("brings every record to another workspace as it was", async () => {
    const key = await strangerKey();
    for (const plural of ["companies", "people", "opportunities"]) {
      const object = { companies: "company", people: "person", opportunities: "opportunity" }[plural]!;
      const file = await exported(object, { format });
      const done = await importInto(key, { object, format, empty: "clear" }, file.text);
      expect(done).toMatchObject({ refused: 0, status: "completed" });
      const written = ({ createdAt: _1, updatedAt: _2, createdBy: _3, updatedBy: _4, ...rest }: JsonObject) => rest;
      const all = async (asked?: string): Promise<JsonObject[]> => {
        const { body } = await call("GET", `/rest/${plural}?order_by=id`, asked === undefined ? {} : { key: asked });
        return ((body["data"] as JsonObject)[plural] as JsonObject[]).map(written);
      };
      expect(await all(key)).toEqual(await all());
      const again = await importInto(key, { object, format, empty: "clear", match: ["id"] }, file.text);
      expect(again).toMatchObject({ created: 0, updated: 0, refused: 0 });
    }
  });

  test("goes on behind the last id that is there", async () => {
    const whole = (await exported("person", { format })).text;
    const ids = [...whole.matchAll(/[0-9a-f-]{36}(?=[",])/g)].map(([id]) => id);
    const [first = ""] = ids;
    const rest = (await exported("person", { format, after: first })).text;
    expect(whole.endsWith(rest)).toBe(true);
    expect(rest).not.toContain(first);
    expect(rest.length).toBeGreaterThan(100);
  });
});

test("a spreadsheet finds no formula in it, unless it is asked for as it is", async () => {
  const { text } = await exported("person", { fields: "name.firstName,jobTitle,city,phones.primaryPhoneCallingCode" });
  const rows = text.split("\r\n");
  expect(rows[0]).toBe("id,name.firstName,jobTitle,city,phones.primaryPhoneCallingCode");
  expect(rows[1]).toMatch(/,'=HYPERLINK\(1\)," leading and trailing ","",\+49$/);
  expect(rows[2]).toMatch(/,🦆,'-1\+2,"'\t@tab",""$/);
  const raw = await exported("person", { fields: "name.firstName", formulas: "raw" });
  expect(raw.text).toContain(",=HYPERLINK(1)\r\n");
});

test("a filter, a view and fields say what is in it", async () => {
  const view = {
    object: "company",
    name: "staffed",
    label: "Staffed",
    filter: { field: "employees", operator: "greaterThanOrEqual", value: 0 },
    columns: ["name", "employees"],
  };
  expect((await call("POST", "/api/views", { body: view })).status).toBe(201);
  const rows = (await exported("companies", { view: "staffed" })).text.split("\r\n");
  expect([rows[0], rows.length]).toEqual(["id,name,employees", 3]);
  const lines = await exported("companies", {
    format: "json-lines",
    filter: "employees[lt]:0",
    fields: "address.addressCity",
  });
  expect(JSON.parse(lines.text)).toEqual({ id: expect.any(String), address: { addressCity: "" } });
  expect((await exported("companies", { view: "staffed", filter: "employees[lt]:0" })).text).toBe(
    "id,name,employees\r\n",
  );
});

test.each([
  ["persn", {}, 404, "object-not-found"],
  ["person", { fields: "nmae" }, 400, "invalid-query"],
  ["person", { fields: "name.first" }, 400, "invalid-query"],
  ["person", { view: "none" }, 400, "invalid-query"],
  ["person", { filter: "nmae[eq]:x" }, 400, "invalid-filter"],
  ["person", { filter: "name" }, 400, "invalid-filter"],
  ["person", { format: "xlsx" }, 400, "invalid-query"],
  ["person", { after: "x" }, 400, "invalid-query"],
])("of %s with %j is refused with %i", async (object, query, status, code) => {
  const answer = await exported(object, query);
  expect(answer.body).toMatchObject({ status, code });
});

test("is made while it is sent, page by page, large records included", async () => {
  const object = "note";
  const long = "x".repeat(300_000);
  const lines = Array.from({ length: 40 }, (_, i) => JSON.stringify({ title: `n${i}`, bodyV2: { markdown: long } }));
  const key = await strangerKey();
  await importInto(key, { object, format: "json-lines" }, lines.join("\n"));
  const { text } = await exported(object, { format: "json-lines" }, key);
  const titles = text
    .trimEnd()
    .split("\n")
    .map((line) => (JSON.parse(line) as JsonObject)["title"]);
  expect(titles).toEqual(Array.from({ length: 40 }, (_, i) => `n${i}`));
});
