import { describe, expect, test } from "vitest";
import { createId } from "../../../src/ids.ts";
import { startRest } from "./support.ts";

const rest = await startRest();
const { call, make, list, pool } = rest;

describe("a record", () => {
  test("is created with 201, whole, under the name Twenty gives it", async () => {
    const { status, headers, body } = await call("POST", "people", {
      name: { firstName: "Ada", lastName: "Lovelace" },
      emails: { primaryEmail: "ada@made.example" },
    });
    expect(status).toBe(201);
    expect(headers.get("content-type")).toMatch(/^application\/json/);
    const moment = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    const actor = { source: "API", name: "Tester", workspaceMemberId: null };
    expect(body).toEqual({
      data: {
        createPerson: {
          id: expect.stringMatching(/^[0-9a-f-]{36}$/),
          createdAt: moment,
          updatedAt: moment,
          deletedAt: null,
          position: 0,
          createdBy: actor,
          updatedBy: actor,
          name: { firstName: "Ada", lastName: "Lovelace" },
          emails: { primaryEmail: "ada@made.example", additionalEmails: [] },
          phones: {
            primaryPhoneNumber: "",
            primaryPhoneCountryCode: "",
            primaryPhoneCallingCode: "",
            additionalPhones: [],
          },
          linkedinLink: { primaryLinkLabel: "", primaryLinkUrl: "", secondaryLinks: [] },
          xLink: { primaryLinkLabel: "", primaryLinkUrl: "", secondaryLinks: [] },
          jobTitle: null,
          city: null,
          avatarUrl: null,
          companyId: null,
        },
      },
    });
  });

  test("may bring its id", async () => {
    const id = createId();
    expect(await make("companies", { id: id.toUpperCase(), name: "Own id" })).toMatchObject({ id, name: "Own id" });
  });

  test("is read by its id, in either case", async () => {
    const company = await make("companies", { name: "Read" });
    const { status, body } = await call("GET", `companies/${company.id.toUpperCase()}`);
    expect([status, body]).toEqual([200, { data: { company } }]);
  });

  test.each(["PATCH", "PUT"])("is changed by %s, in the fields that are named only", async (method) => {
    const task = await make("tasks", { title: "Call", bodyV2: { markdown: "Soon" } });
    const { status, body } = await call(method, `tasks/${task.id}`, { id: task.id, status: "DONE" });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      data: { updateTask: { id: task.id, title: "Call", bodyV2: { markdown: "Soon" }, status: "DONE" } },
    });
  });

  test("that is written as it is stays as it was, without an event", async () => {
    const note = await make("notes", { title: "Same" });
    const { body } = await call("PATCH", `notes/${note.id}`, { title: "Same" });
    expect(body).toEqual({ data: { updateNote: note } });
    expect(await events(note.id)).toEqual(["created"]);
  });

  test("is destroyed by DELETE", async () => {
    const { id } = await make("opportunities", { name: "Gone" });
    const { status, body } = await call("DELETE", `opportunities/${id}`);
    expect([status, body]).toEqual([200, { data: { deleteOpportunity: { id } } }]);
    expect((await call("GET", `opportunities/${id}`)).status).toBe(404);
    expect((await call("DELETE", `opportunities/${id}`)).status).toBe(404);
    expect((await list("opportunities", { filter: `id[eq]:${id},deletedAt[is]:NOT_NULL` })).total).toBe(0);
    expect(await events(id)).toEqual(["created", "destroyed"]);
  });

  test("is only marked by DELETE with soft_delete=true, and found where deletedAt is asked for", async () => {
    const { id } = await make("companies", { name: "Marked" });
    const { status, body } = await call("DELETE", `companies/${id}?soft_delete=true`);
    expect([status, body]).toEqual([200, { data: { deleteCompany: { id } } }]);
    expect((await call("GET", `companies/${id}`)).status).toBe(404);
    expect((await call("PATCH", `companies/${id}`, { name: "Back" })).status).toBe(404);
    expect((await list("companies", { filter: `id[eq]:${id}` })).total).toBe(0);
    const { records } = await list("companies", { filter: `id[eq]:${id},deletedAt[is]:NOT_NULL` });
    expect(records).toMatchObject([{ id, name: "Marked", deletedAt: expect.any(String) }]);
    expect((await call("DELETE", `companies/${id}?soft_delete=true`)).status).toBe(404);
    expect((await call("DELETE", `companies/${id}`)).status).toBe(200);
    expect(await events(id)).toEqual(["created", "deleted", "destroyed"]);
  });
});

async function events(id: string): Promise<string[]> {
  const { rows } = await pool.query<{ kind: string }>(
    "select kind from tandem.outbox where record_id = $1 order by id",
    [id],
  );
  return rows.map(({ kind }) => kind);
}

test("every object has its routes, under its plural and its name", async () => {
  const member = await make("workspaceMembers", { userEmail: "rep@x.example", name: { firstName: "Rep" } });
  const company = await make("companies", { name: "Acme", accountOwnerId: member.id });
  const person = await make("people", { companyId: company.id });
  const opportunity = await make("opportunities", { companyId: company.id, pointOfContactId: person.id });
  const task = await make("tasks", { assigneeId: member.id });
  const note = await make("notes", { title: "N" });
  const taskTarget = await make("taskTargets", { taskId: task.id, personId: person.id });
  const noteTarget = await make("noteTargets", { noteId: note.id, opportunityId: opportunity.id });
  const all = { workspaceMember: member, company, person, opportunity, task, note, taskTarget, noteTarget };
  for (const [name, record] of Object.entries(all)) {
    const plural = rest.objects.find(name)!.plural;
    expect((await call("GET", `${plural}/${record.id}`)).body).toEqual({ data: { [name]: record } });
    expect((await list(plural, { filter: `id[eq]:${record.id}` })).records).toEqual([record]);
  }
});

describe("a refusal", () => {
  test.each<[string, string, unknown, number, string, string]>([
    ["GET", "persons", undefined, 404, "object-not-found", 'There is no object "persons"; there are'],
    ["GET", "peopel", undefined, 404, "object-not-found", 'did you mean "people"?'],
    ["GET", "people/abc", undefined, 404, "record-not-found", "There is no person abc."],
    ["GET", `people/${createId()}`, undefined, 404, "record-not-found", "There is no person"],
    ["PATCH", `people/${createId()}`, { city: "Bern" }, 404, "record-not-found", "There is no person"],
    ["DELETE", `people/${createId()}`, undefined, 404, "record-not-found", "There is no person"],
    ["OPTIONS", "people", undefined, 405, "method-not-allowed", "OPTIONS is not possible here. Use"],
    ["DELETE", "people", undefined, 400, "invalid-query", "filter must be given: it says which people are meant"],
    ["DELETE", "people?filter=", undefined, 400, "invalid-query", "filter must be given"],
    ["PATCH", "people", { city: "Bern" }, 400, "invalid-query", "filter must be given"],
    ["PATCH", "people/restore", undefined, 400, "invalid-query", "filter must be given"],
    ["POST", `people/${createId()}`, {}, 405, "method-not-allowed", "Use GET, HEAD, PATCH, PUT, DELETE."],
    ["GET", "people/%E0%A4%A", undefined, 400, "malformed-url", "percent-encoded"],
    [
      "GET",
      "people?fitler=city[eq]:Bern",
      undefined,
      400,
      "invalid-query",
      'fitler is no parameter here; did you mean "filter"?',
    ],
    ["GET", "people?depth=2", undefined, 400, "invalid-query", "depth takes 0 or 1"],
    ["GET", `people/${createId()}?depth=2`, undefined, 400, "invalid-query", "depth takes 0 or 1"],
    ["GET", "people?fields=jobTitel", undefined, 400, "invalid-query", 'did you mean "jobTitle"?'],
    ["GET", "people?fields=company", undefined, 400, "invalid-query", "which is there with depth=1 only"],
    ["GET", "people?limit=many", undefined, 400, "invalid-query", "limit takes a whole number"],
    ["GET", "people?limit=-1", undefined, 400, "invalid-query", "limit takes a whole number"],
    ["GET", "people?limit=", undefined, 400, "invalid-query", "limit takes a whole number"],
    ["GET", "people?limit=1&limit=2", undefined, 400, "invalid-query", "limit is given more than once"],
    ["GET", "people?starting_after=a&ending_before=b", undefined, 400, "invalid-query", "exclude each other"],
    ["GET", "people?starting_after=WyJhIl0", undefined, 400, "invalid-cursor", "not one of this list"],
    ["GET", "people?starting_after=nonsense", undefined, 400, "invalid-cursor", "not one of this list"],
    [
      "GET",
      "people?starting_after=WyIxIiwiMiJd&order_by=city",
      undefined,
      400,
      "invalid-cursor",
      "not one of this list",
    ],
    [
      "GET",
      "people?order_by=jobTitel",
      undefined,
      400,
      "invalid-order-by",
      'order_by: person has no field "jobTitel"; did you mean "jobTitle"?',
    ],
    [
      "GET",
      "people?order_by=city[Up]",
      undefined,
      400,
      "invalid-order-by",
      'unknown direction "Up" of city; there are AscNullsFirst',
    ],
    ["GET", "people?order_by=city[DescNullLast]", undefined, 400, "invalid-order-by", 'did you mean "DescNullsLast"?'],
    ["GET", "people?order_by=name", undefined, 400, "invalid-order-by", '"name" has no order; name a sub-field of it'],
    ["GET", "people?order_by=emails.additionalEmails", undefined, 400, "invalid-order-by", "is a list"],
    ["GET", "people?order_by=city,,id", undefined, 400, "invalid-order-by", '"" is not understood'],
    ["GET", `people?order_by=${"city,".repeat(10)}id`, undefined, 400, "invalid-order-by", "more than 10 fields"],
    [
      "DELETE",
      `people/${createId()}?soft_delete=yes`,
      undefined,
      400,
      "invalid-query",
      "soft_delete takes true or false",
    ],
    ["POST", "people?upsert=yes", {}, 400, "invalid-query", "upsert takes true or false"],
    ["POST", "people?upsert=true&match=emial", {}, 400, "invalid-query", 'person has no field "emial"'],
    ["PATCH", `people/${createId()}?upsert=true`, {}, 400, "invalid-query", "upsert is no parameter here"],
    ["POST", "people", "{", 400, "malformed-request", "not valid JSON"],
    ["POST", "people", [], 400, "invalid-body", "must be an object of fields"],
    [
      "POST",
      "people",
      { jobTitel: "CEO" },
      400,
      "invalid-values",
      'jobTitel: person has no field "jobTitel"; did you mean "jobTitle"?',
    ],
    ["POST", "people", { company: {} }, 400, "invalid-values", 'a relation is written by its id: "companyId"'],
    ["POST", "people", { createdAt: "2026-01-01" }, 400, "invalid-values", "set by the CRM itself"],
    ["POST", "people", { emails: "ada@x.example" }, 400, "invalid-values", "takes an object with primaryEmail"],
    ["POST", "people", { id: "abc" }, 400, "invalid-values", "id: takes a UUID"],
    ["POST", "people", { companyId: createId() }, 400, "related-record-not-found", "does not exist"],
    ["POST", "companies", { employees: "ten" }, 400, "invalid-values", "takes a number"],
    ["POST", "opportunities", { stage: "WON" }, 400, "invalid-values", "it has NEW, SCREENING"],
    ["POST", "taskTargets", {}, 400, "invalid-values", "taskId must have a value"],
  ])("%s %s %j: %i %s", async (method, path, sent, status, code, detail) => {
    const answer = await call(method, path, sent);
    expect(answer.headers.get("content-type")).toMatch(/^application\/problem\+json/);
    expect(answer.body).toMatchObject({ status, code, detail: expect.stringContaining(detail), statusCode: status });
    expect(answer.status).toBe(status);
  });

  test("carries what RFC 9457 and what Twenty's clients read, each fault by itself", async () => {
    const { body } = await call("POST", "companies", { nmae: "A", employees: "ten", name: "B" });
    expect(body).toEqual({
      type: "/problems/invalid-values",
      title: "Bad Request",
      status: 400,
      code: "invalid-values",
      detail: `${String((body["messages"] as string[]).join("; "))}.`,
      issues: [
        { path: "nmae", message: 'company has no field "nmae"; did you mean "name"?' },
        { path: "employees", message: 'company.employees takes a number, but got "ten"' },
      ],
      statusCode: 400,
      error: "Bad Request",
      messages: [
        'nmae: company has no field "nmae"; did you mean "name"?',
        'employees: company.employees takes a number, but got "ten"',
      ],
    });
  });

  test("of a taken value is 400, as in Twenty, and says by which record", async () => {
    const first = await make("people", { emails: { primaryEmail: "taken@x.example" } });
    const values = { emails: { primaryEmail: "Taken@X.example" } };
    const refusal = {
      status: 400,
      body: { code: "record-exists", detail: `person: emails is taken, by the record ${first.id}.` },
    };
    expect(await call("POST", "people", values)).toMatchObject(refusal);
    const other = await make("people", {});
    expect(await call("PATCH", `people/${other.id}`, values)).toMatchObject(refusal);
    const target = { taskId: (await make("tasks", {})).id, personId: first.id };
    await make("taskTargets", target);
    expect(await call("POST", "people", { id: first.id })).toMatchObject({
      status: 400,
      body: { code: "record-exists", detail: expect.stringContaining("with this id") },
    });
    expect(await call("POST", "taskTargets", target)).toMatchObject({
      status: 400,
      body: { code: "record-exists", detail: expect.stringContaining("taskId and personId together are taken") },
    });
  });

  test("of clearing what must have a value names the field", async () => {
    const { id } = await make("workspaceMembers", { userEmail: "must@x.example" });
    expect(await call("PATCH", `workspaceMembers/${id}`, { userEmail: null })).toMatchObject({
      status: 400,
      body: { code: "invalid-values", messages: ["userEmail: must have a value"] },
    });
  });

  test("of changing an id says that it cannot be changed", async () => {
    const { id } = await make("notes", {});
    expect(await call("PATCH", `notes/${id}`, { id: createId() })).toMatchObject({
      status: 400,
      body: { messages: ["id: cannot be changed"] },
    });
  });

  test("leaves nothing behind", async () => {
    const before = await list("people");
    await call("POST", "people", { city: "Bern", nothing: 1 });
    await call("POST", "people", { city: "Bern", companyId: createId() });
    expect((await list("people")).total).toBe(before.total);
  });
});

test("a body that is no JSON by its type is 415, one above 1 MiB is 413, and the connection goes on", async () => {
  const headers = { authorization: `Bearer ${rest.key}` };
  const text = await fetch(`${rest.url}/people`, {
    method: "POST",
    headers,
    body: new URLSearchParams({ city: "Bern" }),
  });
  expect([text.status, await text.json()]).toMatchObject([415, { statusCode: 415 }]);
  const large = await call("POST", "people", { city: "x".repeat(1024 * 1024) });
  expect(large).toMatchObject({ status: 413, body: { statusCode: 413 } });
});

test("two workspaces see nothing of each other", async () => {
  const other = await startRest();
  const mine = await make("companies", { name: "Mine", domainName: { primaryLinkUrl: "https://one.example" } });
  expect((await other.call("GET", `companies/${mine.id}`)).status).toBe(404);
  expect((await other.list("companies")).total).toBe(0);
  await other.make("companies", { id: mine.id, domainName: { primaryLinkUrl: "https://one.example" } });
  expect((await call("GET", `companies/${mine.id}`)).body).toEqual({ data: { company: mine } });
});
