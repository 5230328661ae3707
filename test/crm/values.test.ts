import { describe, expect, test } from "vitest";
import { parseDecimal } from "../../src/crm/plain-values.ts";
import type { Json, JsonObject } from "../../src/json.ts";
import { createTestDatabase } from "../support/database.ts";
import { createCrm, refusal } from "./support.ts";

const { pool } = await createTestDatabase();
const { make } = await createCrm(pool);
const berlin = await createCrm(pool, { timeZone: "Europe/Berlin" });

describe("a value is kept as it is given", () => {
  test.each<[string, JsonObject]>([
    ["person", { name: { firstName: "Zoë 🦊", lastName: 'O\'Neil "Ö" \\ {{ x }}' }, city: "  a\tb\n" }],
    ["person", { emails: { primaryEmail: "Ada+x@Kept.example", additionalEmails: ["b@kept.example", ""] } }],
    [
      "person",
      {
        phones: {
          primaryPhoneNumber: "30 123",
          primaryPhoneCountryCode: "DE",
          primaryPhoneCallingCode: "+49",
          additionalPhones: [{ number: "1", countryCode: "CH", callingCode: "+41" }],
        },
      },
    ],
    [
      "person",
      { linkedinLink: { primaryLinkLabel: "in", primaryLinkUrl: "https://l.example/ADA", secondaryLinks: [] } },
    ],
    ["company", { employees: 0.1, idealCustomerProfile: true, position: -1.5 }],
    ["company", { employees: 9_007_199_254_740_991 }],
    ["company", { annualRecurringRevenue: { amountMicros: -5, currencyCode: "JPY" } }],
    ["company", { annualRecurringRevenue: { amountMicros: "9007199254740993000001", currencyCode: "EUR" } }],
    [
      "company",
      {
        address: {
          addressStreet1: "Am 1",
          addressStreet2: "",
          addressCity: "Bern",
          addressPostcode: "3000",
          addressState: "",
          addressCountry: "CH",
          addressLat: 46.94809,
          addressLng: -7.44744,
        },
      },
    ],
    ["opportunity", { stage: "CLOSED_LOST", closeDate: "2199-12-31T23:59:59.999Z" }],
    ["task", { bodyV2: { blocknote: null, markdown: "# Hi\r\n" }, status: "DONE", dueAt: "0001-01-01T00:00:00.000Z" }],
    ["task", { dueAt: "9999-12-31T23:59:59.999Z" }],
  ])("%s %j", async (object, values) => {
    expect((await make(object, values)).record).toMatchObject(values);
  });
});

test("whole numbers that are safe become numbers, larger ones text without leading zeros", async () => {
  const kept = async (amountMicros: Json) =>
    ((await make("opportunity", { amount: { amountMicros } })).record["amount"] as JsonObject)["amountMicros"];
  expect(await kept("1500000")).toBe(1_500_000);
  expect(await kept("-0009007199254740993")).toBe("-9007199254740993");
});

test("what is not given has its default", async () => {
  expect((await make("opportunity", {})).record).toMatchObject({ stage: "NEW", amount: { amountMicros: null } });
  expect((await make("task", {})).record).toMatchObject({ status: "TODO", bodyV2: { markdown: "" } });
  expect((await make("workspaceMember", { userEmail: "d@x.example" })).record).toMatchObject({
    timeZone: "UTC",
    active: true,
  });
});

describe("a moment is kept in milliseconds, as UTC", () => {
  test.each([
    ["2026-03-29T10:00:00Z", "2026-03-29T10:00:00.000Z"],
    ["2026-03-29T10:00:00.123456789+02:00", "2026-03-29T08:00:00.123Z"],
    ["2026-03-29 10:00-0130", "2026-03-29T11:30:00.000Z"],
    // What names no offset is in the workspace's zone, a day its beginning there.
    ["2026-03-28", "2026-03-27T23:00:00.000Z"],
    ["2026-03-30", "2026-03-29T22:00:00.000Z"],
    ["2026-07-01T12:00:00", "2026-07-01T10:00:00.000Z"],
  ])("%s is %s", async (dueAt, kept) => {
    expect((await berlin.make("task", { dueAt })).record["dueAt"]).toBe(kept);
  });
});

describe("what a field does not take is refused, naming it", () => {
  test.each<[string, JsonObject, string]>([
    ["person", { jobTitel: "x" }, 'values.jobTitel: person has no field "jobTitel"; did you mean "jobTitle"?'],
    ["person", { company: "x" }, 'a relation is written by its id: "companyId"'],
    ["person", { id: "x" }, 'person has no field "id"'],
    ["person", { createdAt: "2026-01-01T00:00:00Z" }, '"createdAt" is set by the CRM itself'],
    ["person", { city: 7 }, "values.city: person.city takes text, but got 7"],
    ["person", { city: "a\u0000b" }, "person.city holds a NUL character"],
    ["person", { city: "\ud800" }, "person.city holds half a character"],
    ["person", { city: "x".repeat(1_048_577) }, "person.city is longer than 1 MiB"],
    ["person", { name: "Ada" }, 'person.name takes an object with firstName, lastName, but got "Ada"'],
    ["person", { name: { first: "Ada" } }, 'person.name has no sub-field "first"; it has firstName, lastName'],
    ["person", { name: { firstName: "a\u0000" } }, "person.name.firstName holds a NUL character"],
    ["person", { emails: { additionalEmails: "a@x" } }, "person.emails.additionalEmails takes a list"],
    ["person", { emails: { additionalEmails: ["a@x", 7] } }, "person.emails.additionalEmails[1] takes text"],
    ["person", { phones: { additionalPhones: [{ numbr: "1" }] } }, '[0] has no key "numbr"; it has number'],
    ["person", { xLink: { secondaryLinks: [{ url: "\ud800" }] } }, "secondaryLinks[0].url holds half a character"],
    ["person", { companyId: "acme" }, 'person.companyId takes the id of a record, but got "acme"'],
    ["company", { employees: "7" }, 'company.employees takes a number, but got "7"'],
    ["company", { employees: {} }, "company.employees takes a number, but got {}"],
    ["company", { employees: true }, "company.employees takes a number, but got true"],
    ["company", { employees: [1] }, "company.employees takes a number, but got [1]"],
    ["company", { idealCustomerProfile: "true" }, "takes true or false"],
    ["company", { annualRecurringRevenue: { amountMicros: 1.5 } }, ".amountMicros takes a whole number, but got 1.5"],
    ["company", { annualRecurringRevenue: { amountMicros: 2 ** 53 } }, "takes a whole number"],
    ["opportunity", { stage: "LOST" }, 'has no option "LOST"; it has NEW, SCREENING'],
    ["opportunity", { stage: "CLOSED_WONN" }, 'did you mean "CLOSED_WON"?'],
    ["opportunity", { stage: "closed Won" }, 'did you mean "CLOSED_WON"?'],
    ["task", { dueAt: "tomorrow" }, "takes a date and time such as"],
    ["task", { dueAt: "2026-02-30T10:00:00Z" }, "takes a date and time such as"],
    ["task", { dueAt: "2026-02-28T25:00:00Z" }, "takes a date and time such as"],
    ["task", { dueAt: 1_774_778_400 }, "takes a date and time such as"],
    ["task", { dueAt: "0000-12-31T23:59:59Z" }, "takes a moment in the years 1 to 9999"],
    ["task", { dueAt: "9999-12-31T23:00:00-02:00" }, "takes a moment in the years 1 to 9999"],
  ])("%s %j", async (object, values, message) => {
    expect(await refusal(make(object, values))).toMatchObject({
      code: "invalid-values",
      message: expect.stringContaining(message),
    });
  });

  test("all faults at once", async () => {
    const { details } = await refusal(make("company", { employees: "7", nmae: "x", name: 1 }));
    expect((details["issues"] as JsonObject[]).map(({ path }) => path)).toEqual([
      "values.employees",
      "values.nmae",
      "values.name",
    ]);
  });
});

test("a workspace sees and changes nothing of another", async () => {
  const { id } = await make("person", { emails: { primaryEmail: "own@x.example" } });
  expect(await berlin.count("person")).toBe(0);
  expect(await berlin.make("person", { emails: { primaryEmail: "own@x.example" } })).toMatchObject({
    outcome: "created",
  });
  expect(await refusal(berlin.make("opportunity", { pointOfContactId: id }))).toMatchObject({
    code: "related-record-not-found",
  });
});

test("a number of half a million zeros is refused at once", () => {
  const begun = performance.now();
  expect(() => parseDecimal(`${"0".repeat(500_000)}x`, undefined)).toThrow("takes a number");
  expect(performance.now() - begun).toBeLessThan(1_000);
});
