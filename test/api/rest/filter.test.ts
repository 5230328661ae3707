import { describe, expect, test } from "vitest";
import { createId } from "../../../src/ids.ts";
import { startRest } from "./support.ts";

const { make, list, call } = await startRest();
const acme = await make("companies", {
  name: "acme",
  employees: 10,
  domainName: { primaryLinkUrl: "https://www.acme.example/about" },
  annualRecurringRevenue: { amountMicros: "12345678901234567890", currencyCode: "CHF" },
  idealCustomerProfile: true,
});
await make("companies", {
  name: "beta",
  employees: 200,
  annualRecurringRevenue: { amountMicros: 5, currencyCode: "EUR" },
});
await make("companies", { name: "gamma", employees: -1.5 });
await make("companies", { name: "" });
await make("companies", {});

const people = [
  ["Ada", "Bern", "ada@x.example", ["a@x.example", "b@x.example"]],
  ["bob", "Basel", "Bob@X.example", ["b@x.example"]],
  ["Cleo", null, "", []],
  ['D"\\', "St. Gallen, (Stadt)", "d%e_f@x.example", []],
] as const;
for (const [firstName, city, primaryEmail, additionalEmails] of people) {
  await make("people", {
    name: { firstName },
    city,
    emails: { primaryEmail, additionalEmails: [...additionalEmails] },
    companyId: firstName === "Ada" ? acme.id : null,
  });
}
const noted = await make("notes", { title: "first" });

async function found(plural: "people" | "companies", filter: string): Promise<string[]> {
  const { records, total } = await list(plural, { filter, order_by: "createdAt" });
  expect(total).toBe(records.length);
  return records.map((record) =>
    plural === "people" ? (record["name"] as { firstName: string }).firstName : String(record["name"]),
  );
}

describe("people", () => {
  test.each<[string, string[]]>([
    ["city[eq]:Bern", ["Ada"]],
    ['city[eq]:"Bern"', ["Ada"]],
    ["city[eq]:bern", []],
    ["city[neq]:Bern", ["bob", "Cleo", 'D"\\']],
    ['city[eq]:"St. Gallen, (Stadt)"', ['D"\\']],
    ['name.firstName[eq]:"D\\"\\\\"', ['D"\\']],
    ['city[in]:["Bern","Basel"]', ["Ada", "bob"]],
    ["city[in]:[Bern, Basel]", ["Ada", "bob"]],
    ["city[in]:[]", []],
    ["not(city[in]:[])", ["Ada", "bob", "Cleo", 'D"\\']],
    ["city[is]:NULL", ["Cleo"]],
    ["city[is]:null", ["Cleo"]],
    ["city[is]:NOT_NULL", ["Ada", "bob", 'D"\\']],
    ["city[gt]:Bern", ['D"\\']],
    ["city[gte]:Bern", ["Ada", 'D"\\']],
    ["city[lt]:Bern", ["bob"]],
    ["city[lte]:Bern", ["Ada", "bob"]],
    ["city[startsWith]:B", ["Ada", "bob"]],
    ["city[startsWith]:%", []],
    ["city[endsWith]:l", ["bob"]],
    ["city[like]:B%", ["Ada", "bob"]],
    ["city[like]:b%", []],
    ["city[like]:B_rn", ["Ada"]],
    ["city[ilike]:b%", ["Ada", "bob"]],
    // E-mails are equal without case; what is looked for in them is looked for as it was written.
    ["emails.primaryEmail[eq]:bob@x.example", ["bob"]],
    ["emails[eq]:BOB@x.example", ["bob"]],
    ["emails.primaryEmail[in]:[BOB@x.example,ADA@x.example]", ["Ada", "bob"]],
    ["emails.primaryEmail[neq]:bob@x.example", ["Ada", "Cleo", 'D"\\']],
    ["emails.primaryEmail[startsWith]:BOB", ["bob"]],
    ["emails.primaryEmail[like]:Bob@%", ["bob"]],
    ["emails.primaryEmail[like]:bob@%", []],
    ["emails.primaryEmail[ilike]:bob@%", ["bob"]],
    ['emails.primaryEmail[like]:"d\\\\%e\\\\_f@%"', ['D"\\']],
    ["emails.primaryEmail[is]:NULL", ["Cleo"]],
    ["emails[is]:NOT_NULL", ["Ada", "bob", 'D"\\']],
    ["emails.additionalEmails[containsAny]:[a@x.example,c@x.example]", ["Ada"]],
    ["emails.additionalEmails[containsAny]:[b@x.example]", ["Ada", "bob"]],
    ["emails.additionalEmails[containsAny]:[]", []],
    ["emails.additionalEmails[is]:NULL", ["Cleo", 'D"\\']],
    ["name[is]:NULL", []],
    ["name.lastName[is]:NULL", ["Ada", "bob", "Cleo", 'D"\\']],
    ["linkedinLink[is]:NOT_NULL", []],
    [`companyId[eq]:${acme.id}`, ["Ada"]],
    [`companyId[in]:["${acme.id}","${createId()}"]`, ["Ada"]],
    ["companyId[is]:NULL", ["bob", "Cleo", 'D"\\']],
    ["createdAt[gt]:2020-01-01", ["Ada", "bob", "Cleo", 'D"\\']],
    ["createdAt[lt]:2020-01-01T00:00:00+02:00", []],
    ["createdBy.source[eq]:API,createdBy.name[eq]:Tester", ["Ada", "bob", "Cleo", 'D"\\']],
    ["city[eq]:Bern,name.firstName[eq]:Ada", ["Ada"]],
    ["city[eq]:Bern,name.firstName[eq]:bob", []],
    ["and(city[eq]:Bern,name.firstName[eq]:Ada)", ["Ada"]],
    ["or(city[eq]:Bern,name.firstName[eq]:bob)", ["Ada", "bob"]],
    ["not(city[eq]:Bern)", ["bob", "Cleo", 'D"\\']],
    ["not(city[eq]:Bern,name.firstName[eq]:bob)", ["Ada", "bob", "Cleo", 'D"\\']],
    ["not(city[like]:B%)", ["Cleo", 'D"\\']],
    ["or(and(city[like]:B%,not(city[eq]:Bern)),city[is]:NULL)", ["bob", "Cleo"]],
    ["deletedAt[is]:NULL", ["Ada", "bob", "Cleo", 'D"\\']],
    ["", ["Ada", "bob", "Cleo", 'D"\\']],
  ])("%s", async (filter, names) => {
    expect(await found("people", filter)).toEqual(names);
  });
});

describe("companies", () => {
  test.each<[string, string[]]>([
    ["employees[eq]:10", ["acme"]],
    ['employees[eq]:"10.0"', ["acme"]],
    ["employees[gt]:10", ["beta"]],
    ["employees[gte]:10", ["acme", "beta"]],
    ["employees[lt]:0", ["gamma"]],
    ["employees[lte]:-1.5", ["gamma"]],
    ["employees[in]:[10,200]", ["acme", "beta"]],
    ["employees[neq]:10", ["beta", "gamma", "", "null"]],
    ["employees[is]:NULL", ["", "null"]],
    ["name[is]:NULL", ["", "null"]],
    ['name[eq]:""', [""]],
    ["idealCustomerProfile[eq]:true", ["acme"]],
    ["idealCustomerProfile[eq]:False", ["beta", "gamma", "", "null"]],
    ["domainName.primaryLinkUrl[eq]:acme.example", ["acme"]],
    ["domainName[eq]:HTTP://ACME.example", ["acme"]],
    ["domainName.primaryLinkUrl[like]:https://%/about", ["acme"]],
    ["annualRecurringRevenue.amountMicros[eq]:12345678901234567890", ["acme"]],
    ["annualRecurringRevenue.amountMicros[gt]:12345678901234567889", ["acme"]],
    ["annualRecurringRevenue.amountMicros[lt]:6", ["beta"]],
    ["annualRecurringRevenue.currencyCode[in]:[CHF,EUR]", ["acme", "beta"]],
  ])("%s", async (filter, names) => {
    expect(await found("companies", filter)).toEqual(names);
  });
});

test("a deleted record is found where deletedAt is asked for, at whatever depth", async () => {
  const { id } = await make("notes", { title: "deleted" });
  await call("DELETE", `notes/${id}?soft_delete=true`);
  const titles = async (filter: string) => (await list("notes", { filter })).records.map((record) => record["title"]);
  expect(await titles("")).toEqual(["first"]);
  expect(await titles("deletedAt[is]:NOT_NULL")).toEqual(["deleted"]);
  expect(await titles(`or(id[eq]:${noted.id},not(deletedAt[is]:NULL))`)).toEqual(["first", "deleted"]);
});

describe("what does not fit", () => {
  test.each<[string, string]>([
    ["jobTitel[eq]:x", 'person has no field "jobTitel"; did you mean "jobTitle"?'],
    ["company[eq]:x", 'a relation is written by its id: "companyId"'],
    ["emails.primary[eq]:x", 'emails has no sub-field "primary"'],
    ["city.name[eq]:x", 'city has no sub-field "name"; it has no sub-fields'],
    ["name[eq]:Ada", 'name a sub-field: "name.firstName"'],
    ["companyId[eq]:acme", '"companyId" takes the id of a record, but got "acme"'],
    ["id[eq]:x", '"id" is compared with an id, but got "x"'],
    ["createdAt[gt]:yesterday", '"createdAt" takes a date and time such as'],
    ["position[gt]:high", '"position" takes a number, but got "high"'],
    ["position[in]:[1,high]", '"position" takes a number, but got "high"'],
    ["city[is]:EMPTY", '"is" takes NULL or NOT_NULL, but got "EMPTY"'],
    ["city[containsAny]:[Bern]", '"containsAny" looks into lists, and city is none'],
    ["position[like]:1%", '"like" looks at text, and position is none'],
    ["id[ilike]:1%", '"ilike" looks at text, and id is none'],
    ["createdAt[startsWith]:2026", '"startsWith" looks for text in text'],
    ['city[like]:"100\\\\"', 'the pattern of "like" ends with a single \\'],
    ["city[equals]:Bern", 'unknown comparator "equals"'],
  ])("%s", async (filter, detail) => {
    const { status, body } = await call("GET", `people?${new URLSearchParams({ filter }).toString()}`);
    expect(body).toMatchObject({ code: "invalid-filter", detail: expect.stringContaining(detail), statusCode: 400 });
    expect(status).toBe(400);
  });
});
