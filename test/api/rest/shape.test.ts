import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../../src/json.ts";
import { startRest } from "./support.ts";

const { call, make, list } = await startRest();
const one = async (path: string): Promise<JsonObject> => {
  const { status, body } = await call("GET", path);
  expect(status).toBe(200);
  return Object.values(body["data"] as Record<string, JsonObject>)[0]!;
};

const member = await make("workspaceMembers", { userEmail: "rep@x.example" });
const company = await make("companies", { name: "Acme", accountOwnerId: member.id });
const person = await make("people", { name: { firstName: "Ada" }, companyId: company.id });
const task = await make("tasks", { title: "Call" });
const link = await make("taskTargets", { taskId: task.id, personId: person.id });

describe("depth=1", () => {
  test("shows related records beside their ids, and lists of what points to the record", async () => {
    expect(await one(`people/${person.id}?depth=1`)).toEqual({
      ...person,
      company,
      pointOfContactForOpportunities: [],
      taskTargets: [link],
      noteTargets: [],
    });
    expect(await one(`people/${person.id}?depth=0`)).toEqual(person);
    const { records } = await list("companies", { depth: "1" });
    expect(records).toMatchObject([{ id: company.id, people: [person], accountOwner: member }]);
    expect(Object.keys((records[0]!["people"] as JsonObject[])[0]!)).not.toContain("company");
  });

  test("holds for writes too", async () => {
    const made = await call("POST", "people?depth=1", { companyId: company.id });
    expect(made.body).toMatchObject({ data: { createPerson: { company: { name: "Acme" } } } });
    const { id } = (made.body["data"] as Record<string, { id: string }>)["createPerson"]!;
    const changed = await call("PATCH", `people/${id}?depth=1`, { companyId: null });
    expect(changed.body).toMatchObject({ data: { updatePerson: { companyId: null, company: null } } });
  });
});

describe("fields", () => {
  test("says what is shown; the id always is", async () => {
    expect(await one(`people/${person.id}?fields=name,companyId`)).toEqual({
      id: person.id,
      name: person["name"],
      companyId: company.id,
    });
    const { records } = await list("people", { fields: "city", filter: `id[eq]:${person.id}` });
    expect(records).toEqual([{ id: person.id, city: null }]);
  });

  test("names relations where they are shown", async () => {
    expect(await one(`people/${person.id}?depth=1&fields=company`)).toEqual({ id: person.id, company });
  });
});

describe("a link's ends have the names of every version of Twenty", () => {
  test("in what is answered", async () => {
    expect(await one(`taskTargets/${link.id}`)).toMatchObject({
      taskId: task.id,
      personId: person.id,
      targetPersonId: person.id,
      targetPerson: person.id,
      companyId: null,
      targetCompanyId: null,
    });
    expect(await one(`taskTargets/${link.id}?depth=1&fields=targetPerson,person`)).toEqual({
      id: link.id,
      person,
      targetPerson: person,
    });
  });

  test.each(["personId", "targetPersonId", "targetPerson"])("in what is sent: %s", async (name) => {
    const other = await make("people", {});
    const made = await make("taskTargets", { taskId: task.id, [name]: other.id });
    expect(made).toMatchObject({ personId: other.id });
    const filter = `${name}[eq]:${other.id}`;
    expect((await list("taskTargets", { filter })).records).toEqual([made]);
    expect((await list("taskTargets", { filter, order_by: `${name}[DescNullsLast]` })).total).toBe(1);
    const changed = await call("PATCH", `taskTargets/${made.id}`, { [name]: null });
    expect(changed.body).toMatchObject({ data: { updateTaskTarget: { personId: null, targetPersonId: null } } });
  });

  test("and refuses two that differ", async () => {
    const body = { taskId: task.id, personId: person.id, targetPersonId: company.id };
    expect(await call("POST", "taskTargets", body)).toMatchObject({
      status: 400,
      body: { issues: [{ path: "targetPersonId", message: expect.stringContaining("another name of personId") }] },
    });
  });
});

describe("a filter follows relations", () => {
  test.each([
    ["people", 'company.name[eq]:"Acme"', 1],
    ["people", 'company.name[like]:"Ac%"', 1],
    ["people", 'company.accountOwner.userEmail[startsWith]:"rep"', 1],
    ["people", 'company.name[neq]:"Acme",companyId[is]:NOT_NULL', 0],
    ["people", 'company.name[ilike]:"beta%"', 0],
    ["taskTargets", `task.title[eq]:Call,targetPerson.company.name[in]:["Acme"]`, 1],
  ])("%s?filter=%s: %i", async (plural, filter, total) => {
    expect((await list(plural, { filter })).total).toBe(total);
  });

  test("three at most", async () => {
    const { status, body } = await call("GET", "taskTargets?filter=task.assignee.a.b.c[eq]:x");
    expect([status, body]).toMatchObject([400, { code: "invalid-filter" }]);
  });
});

test("search finds records by the beginnings of their words, and goes together with a filter", async () => {
  const found = await make("people", { name: { firstName: "Zoë", lastName: "Müller" }, city: "Zürich" });
  await make("people", { name: { firstName: "Zoe", lastName: "Meier" }, city: "Bern" });
  expect((await list("people", { search: "zoe mull" })).records).toEqual([found]);
  expect((await list("people", { search: "zoe", filter: "city[eq]:Zürich" })).records).toEqual([found]);
  expect(await list("people", { search: "zoe" })).toMatchObject({ total: 2, totalIsEstimate: false });
});

test("a cursor of a list without an order is the id of a record", async () => {
  const { records, endCursor } = await list("people", { limit: "1" });
  expect(endCursor).toBe(records[0]!.id);
  const next = await list("people", { limit: "1", starting_after: endCursor! });
  expect(next.startCursor).toBe(next.records[0]!.id);
  expect(next.records[0]!.id).not.toBe(endCursor);
});
