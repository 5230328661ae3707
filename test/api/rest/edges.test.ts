import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../../src/json.ts";
import { startRest } from "./support.ts";

const rest = await startRest();
const { call, make, list } = rest;

// An object with a field of every type that a company does not have.
const { id: objectId } = await created("metadata/objects", { nameSingular: "edge", namePlural: "edges" });
const options = [
  { value: "A", label: "A" },
  { value: "B", label: "B" },
];
for (const field of [
  { type: "NUMBER", name: "amount" },
  { type: "NUMBER", name: "whole", settings: { decimals: 0 } },
  { type: "DATE", name: "day" },
  { type: "DATE_TIME", name: "moment" },
  { type: "SELECT", name: "choice", options },
  { type: "MULTI_SELECT", name: "choices", options },
  { type: "ARRAY", name: "words" },
  { type: "RATING", name: "stars" },
  { type: "RAW_JSON", name: "raw" },
  { type: "UUID", name: "other" },
  { type: "BOOLEAN", name: "flag" },
  { type: "TEXT", name: "code", isUnique: true },
])
  await created("metadata/fields", { objectMetadataId: objectId, label: field.name, ...field });

async function created(path: string, body: JsonObject): Promise<{ id: string }> {
  const answer = await call("POST", path, body);
  if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
  return Object.values(answer.body["data"] as Record<string, { id: string }>)[0]!;
}

const emoji = "👩‍👩‍👧‍👦 🏳️‍🌈 e\u0301 ﷽ 𝔘𝔫𝔦";
const rightToLeft = "שלום עולם \u202Eabc\u202C مرحبا";

describe("is stored exactly", () => {
  test.each<[string, string, unknown, unknown?]>([
    ["companies", "name", emoji],
    ["companies", "name", rightToLeft],
    ["companies", "name", "x".repeat(100_000)],
    ["companies", "name", "'; drop table people; -- \\ \" %_ {{ }} $1 \t\r\n\u2028\u0001"],
    ["companies", "name", ""],
    ["companies", "name", " leading and trailing "],
    ["companies", "domainName", { primaryLinkUrl: "https://xn--mnchen-3ya.example/ü?q=ß#é" }],
    ["companies", "domainName", { primaryLinkUrl: "https://bücher.example" }],
    ["companies", "annualRecurringRevenue", { amountMicros: "123456789012345678901234567890", currencyCode: "CHF" }],
    ["companies", "annualRecurringRevenue", { amountMicros: "-9007199254740993", currencyCode: "" }],
    ["companies", "annualRecurringRevenue", { amountMicros: 9007199254740991 }],
    ["companies", "address", { addressCity: emoji, addressLat: -89.999999, addressLng: 180 }],
    ["companies", "employees", "123456789012345678901234567890.5"],
    ["people", "emails", { primaryEmail: '"much.more unusual"@example.com' }],
    [
      "people",
      "emails",
      { primaryEmail: '"very.(),:;<>[]\\".VERY.\\"very@\\\\ \\"very\\".unusual"@strange.example.com' },
    ],
    ["people", "emails", { primaryEmail: "δοκιμή@παράδειγμα.example", additionalEmails: [emoji, "a+b@x.example"] }],
    ["people", "name", { firstName: emoji, lastName: rightToLeft }],
    ["notes", "bodyV2", { markdown: `# ${emoji}\n\n${"x".repeat(100_000)}` }],
    ["edges", "day", "0001-01-01"],
    ["edges", "day", "9999-12-31"],
    ["edges", "day", "2024-02-29"],
    ["edges", "moment", "0001-01-01T00:00:00.000Z"],
    ["edges", "moment", "9999-12-31T23:59:59.999Z"],
    ["edges", "moment", "2026-03-29T02:30:00+01:00", "2026-03-29T01:30:00.000Z"],
    ["edges", "amount", "0.1234567890123456789"],
    ["edges", "amount", 1e21, "1000000000000000000000"],
    ["edges", "amount", -0.000001],
    ["edges", "whole", "99999999999999999999999999999999999999"],
    ["edges", "choices", ["B", "A", "B"], ["B", "A"]],
    ["edges", "words", ["", emoji, '"', "{a,b}", "NULL", "\\"]],
    ["edges", "stars", "RATING_5"],
    ["edges", "raw", { [emoji]: [null, 1.5, { deep: ["x", rightToLeft] }], "": "", __proto__x: 1 }],
    ["edges", "raw", "text"],
    ["edges", "raw", [[], {}, false]],
    ["edges", "other", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF", "ffffffff-ffff-ffff-ffff-ffffffffffff"],
    ["edges", "code", emoji],
  ])("%s.%s %j", async (plural, field, value, expected = value) => {
    const made = await make(plural, { [field]: value } as JsonObject);
    const { body } = await call("GET", `${plural}/${made.id}`);
    const [read] = Object.values(body["data"] as Record<string, JsonObject>);
    expect(read).toMatchObject({ [field]: expected });
    expect(made[field]).toEqual(read![field]);
    const again = await call("PATCH", `${plural}/${made.id}`, { [field]: read![field] });
    expect(again).toMatchObject({ status: 200, body: { data: expect.anything() } });
    expect(Object.values(again.body["data"] as Record<string, JsonObject>)[0]).toEqual(read);
  });
});

describe("is refused with the field named", () => {
  test.each<[string, string, unknown, string]>([
    ["companies", "name", 1, "takes text"],
    ["companies", "domainName", { primaryLinkUrl: `https://${"x".repeat(600)}.example` }, "longer than 512"],
    ["companies", "annualRecurringRevenue", { amountMicros: 1.5 }, "whole number"],
    ["companies", "annualRecurringRevenue", { amountMicros: "1e400" }, "whole number"],
    ["companies", "annualRecurringRevenue", { amountMicros: "9".repeat(400) }, "whole number"],
    ["companies", "address", { addressLat: "46" }, "takes a number"],
    ["companies", "employees", "NaN", "takes a number"],
    ["companies", "employees", "9".repeat(50), "digits"],
    ["people", "emails", { primaryEmail: ["a"] }, "takes text"],
    ["people", "emails", { primaryEmail: `${"x".repeat(600)}@x.example` }, "longer than 512"],
    ["people", "companyId", "not-an-id", "takes the id of a record"],
    ["edges", "day", "0000-01-01", "0001-01-01 to 9999-12-31"],
    ["edges", "day", "10000-01-01", "takes a day"],
    ["edges", "day", "2025-02-29", "takes a day"],
    ["edges", "moment", "0000-01-01T00:00:00Z", "years 1 to 9999"],
    ["edges", "moment", "0001-01-01T00:00:00+14:00", "years 1 to 9999"],
    ["edges", "moment", "yesterday", "takes a date and time"],
    ["edges", "whole", 1.5, "takes a whole number"],
    ["edges", "choice", "C", "has no option"],
    ["edges", "choices", ["A", "C"], "has no option"],
    ["edges", "words", ["a", 1], "[1]"],
    ["edges", "stars", "RATING_6", "has no option"],
    ["edges", "other", "1", "takes a UUID"],
    ["edges", "flag", "true", "takes true or false"],
    ["edges", "code", "x".repeat(513), "longer than 512"],
  ])("%s.%s %j", async (plural, field, value, message) => {
    const refused = await call("POST", plural, { [field]: value });
    expect(refused).toMatchObject({
      status: 400,
      body: { code: "invalid-values", issues: [{ path: field, message: expect.stringContaining(message) }] },
    });
    const { id } = await make(plural, {});
    expect(await call("PATCH", `${plural}/${id}`, { [field]: value })).toMatchObject({
      status: 400,
      body: { code: "invalid-values" },
    });
    expect(await call("POST", `batch/${plural}`, [{}, { [field]: value }])).toMatchObject({
      status: 400,
      body: { issues: [{ path: `[1].${field}`, message: expect.stringContaining(message) }] },
    });
  });
});

test.each<[string, string, unknown, string]>([
  ["companies", "name", "a\u0000b", "name contains a NUL character"],
  ["companies", "name", "\ud800", "name contains half of a surrogate pair"],
  ["companies", "domainName", { primaryLinkUrl: "a\u0000" }, "domainName.primaryLinkUrl contains a NUL"],
  ["people", "emails", { additionalEmails: ["a\u0000"] }, "emails.additionalEmails[0] contains a NUL"],
  ["edges", "words", ["\u0000"], "words[0] contains a NUL"],
  ["edges", "raw", { "\u0000": 1 }, "A key of raw contains a NUL"],
])("text that is none is refused where it stands: %s.%s %j", async (plural, field, value, detail) => {
  const refusal = { status: 400, body: { code: "malformed-request", detail: expect.stringContaining(detail) } };
  expect(await call("POST", plural, { [field]: value })).toMatchObject(refusal);
  expect(await call("POST", `batch/${plural}`, [{}, { [field]: value }])).toMatchObject({ status: 400 });
});

test("values at their edges are found by filters that name them exactly", async () => {
  for (const [plural, filter, values] of [
    ["edges", "day[eq]:9999-12-31,whole[is]:NULL", { day: "9999-12-31" }],
    [
      "edges",
      'amount[gt]:"0.123456789012345678",amount[lt]:"0.12345678901234567891"',
      { amount: "0.1234567890123456789" },
    ],
    ["edges", 'words[containsAny]:["{a,b}"]', { words: ["{a,b}", "x"] }],
    ["edges", `code[eq]:"${emoji}!"`, { code: `${emoji}!` }],
    [
      "companies",
      'annualRecurringRevenue.amountMicros[eq]:"123456789012345678901234567891"',
      { annualRecurringRevenue: { amountMicros: "123456789012345678901234567891" } },
    ],
    [
      "people",
      'emails.primaryEmail[eq]:"\\"Quoted Name\\"@example.com"',
      { emails: { primaryEmail: '"quoted name"@example.com' } },
    ],
    [
      "companies",
      'domainName.primaryLinkUrl[eq]:"XN--BCHER-KVA.example"',
      { domainName: { primaryLinkUrl: "https://xn--bcher-kva.example/x" } },
    ],
  ] as const) {
    const { id } = await make(plural, values as unknown as JsonObject);
    expect((await list(plural, { filter })).records.map((record) => record.id)).toContain(id);
  }
});

test("no text, number or list in any place makes a 500", { timeout: 60_000 }, async () => {
  const paths = [
    "people",
    "companies",
    "edges",
    "batch/people",
    "people/merge",
    "people/duplicates",
    "metadata/objects",
    "metadata/fields",
  ];
  const value = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.double(),
    fc.bigInt().map(String),
    fc.jsonValue(),
    fc.constant("\u0000"),
  );
  const field = fc.constantFrom(
    "name",
    "emails",
    "amount",
    "day",
    "raw",
    "ids",
    "data",
    "id",
    "companyId",
    "options",
    "type",
  );
  const bodies = await fc.check(
    fc.asyncProperty(fc.constantFrom(...paths), fc.dictionary(field, value, { maxKeys: 3 }), async (path, body) => {
      const method = path.endsWith("merge") ? "PATCH" : "POST";
      const answer = await call(method, path, path.startsWith("batch") ? [body] : body);
      return answer.status < 500;
    }),
    { numRuns: 200 },
  );
  const parameter = fc.constantFrom(
    "filter",
    "order_by",
    "fields",
    "search",
    "starting_after",
    "group_by",
    "aggregate",
    "limit",
  );
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.constantFrom(
      "name[eq]:\u0000",
      "day[eq]:0000-01-01",
      "amount[gt]:NaN",
      "raw[eq]:{",
      "id[in]:[]",
      "WyJhIl0",
      '[{"raw":true}]',
      "a & b | !c:*",
      'choices[containsAny]:["A"],emails.additionalEmails[containsAny]:["a"]',
      "raw[is]:NULL",
    ),
  );
  const queries = await fc.check(
    fc.asyncProperty(
      fc.constantFrom("people", "edges", "edges/groupBy"),
      fc.dictionary(parameter, text, { maxKeys: 3 }),
      async (path, query) => {
        const answer = await call("GET", `${path}?${new URLSearchParams(query).toString()}`);
        return answer.status < 500;
      },
    ),
    { numRuns: 200 },
  );
  expect([bodies, queries].map(({ counterexample }) => counterexample)).toEqual([null, null]);
});
