import { describe, expect, test } from "vitest";
import { findColumns } from "../../../src/crm/transfer/targets.ts";
import { createTestDatabase } from "../../support/database.ts";
import { createTestWorkspace } from "../../support/engine.ts";

const { pool } = await createTestDatabase();
const { objects } = await createTestWorkspace(pool);

function goesTo(name: string, column: string, mapping: Record<string, string | null> = {}): string {
  const object = objects.find(name)!;
  const { columns, issues } = findColumns({ objects, object }, ["id", column], { ...mapping });
  if (issues[0] !== undefined) return issues[0].message;
  const [, target] = columns.read.map((read) => read.target);
  if (target === undefined) return "nowhere";
  if (target.kind === "id") return "id";
  if (target.kind === "related") return `${target.field.name} by ${target.object.name}.${target.path.join(".")}`;
  return [target.field.name, ...(target.part === undefined ? [] : [target.part])].join(".");
}

describe("a column goes where its name says", () => {
  test.each([
    ["jobTitle", "jobTitle"],
    ["Job title", "jobTitle"],
    ["JOB_TITLE", "jobTitle"],
    ["emails.primaryEmail", "emails.primaryEmail"],
    ["Emails / Primary Email", "emails.primaryEmail"],
    ["E-Mails / Additional Emails", "emails.additionalEmails"],
    ["E-mail address", "emails.primaryEmail"],
    ["email", "emails.primaryEmail"],
    ["First name", "name.firstName"],
    ["Surname", "name.lastName"],
    ["Name / Last Name", "name.lastName"],
    ["Phones / Primary Phone Number", "phones.primaryPhoneNumber"],
    ["Telephone", "phones.primaryPhoneNumber"],
    ["Linkedin / Link Url", "linkedinLink.primaryLinkUrl"],
    ["City", "city"],
    ["Company / Id", "companyId"],
    ["company.id", "companyId"],
    ["Company", "companyId"],
    ["company.domainName", "companyId by company.domainName"],
    ["Company / Domain name", "companyId by company.domainName"],
    ["createdAt", "nowhere"],
    ["Created by / Name", "nowhere"],
    ["", "nowhere"],
    ["_reason", "nowhere"],
  ])("of a person %j goes to %s", (column, place) => {
    expect(goesTo("person", column)).toBe(place);
  });

  test.each([
    ["Address / City", "address.addressCity"],
    ["Zip", "address.addressPostcode"],
    ["Domain Name / Link URL", "domainName.primaryLinkUrl"],
    ["annualRecurringRevenue.amount", "annualRecurringRevenue.amountMicros"],
    ["accountOwner.userEmail", "accountOwnerId by workspaceMember.userEmail"],
  ])("of a company %j goes to %s", (column, place) => {
    expect(goesTo("company", column)).toBe(place);
  });
});

describe("a column that goes nowhere is refused with what was meant", () => {
  test.each([
    ["jobTitel", /no field "jobTitel"; did you mean "jobTitle"\?/],
    ["company.name", /found by what is unique: company\.id, company\.domainName/],
    ["emails.primary", /no sub-field "primary"; it has primaryEmail/],
    ["city.name", /person\.city has no parts/],
  ])("%j", (column, message) => {
    expect(goesTo("person", column)).toMatch(message);
  });
});

describe("the mapping", () => {
  test("stands above the name, and leaves columns out", () => {
    expect(goesTo("person", "city", { city: "jobTitle" })).toBe("jobTitle");
    expect(goesTo("person", "whatever", { whatever: null })).toBe("nowhere");
  });

  test("names only columns that are there, and no place twice", () => {
    expect(goesTo("person", "city", { town: "city" })).toMatch(/names a column that the file does not have/);
    expect(goesTo("person", "key", { key: "id" })).toMatch(/goes where the column "id" goes: id/);
  });
});
