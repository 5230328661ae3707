import { expect, test } from "vitest";
import type { Json, JsonObject } from "../../src/json.ts";
import { dropRemoved } from "../../src/crm/metadata/keeper.ts";
import { createTestDatabase } from "../support/database.ts";
import { startGateway } from "./gateway.ts";

const { pool } = await createTestDatabase();

async function start() {
  const gateway = await startGateway(pool);
  const call = async (method: string, path: string, body?: Json) =>
    gateway.call(method, path, body === undefined ? {} : { body });
  const ok = async (method: string, path: string, body?: Json): Promise<JsonObject> => {
    const answer = await call(method, path, body);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
    return answer.body;
  };
  return { gateway, call, ok };
}

const project = {
  name: "project",
  plural: "projects",
  fields: [
    { name: "code", type: "TEXT", unique: true, required: true },
    { name: "budget", type: "NUMBER", decimals: 2 },
    { name: "phase", type: "SELECT", options: [{ value: "IDEA", label: "Idea" }], defaultValue: "IDEA" },
    { name: "tags", type: "MULTI_SELECT", options: ["A", "B"].map((value) => ({ value, label: value })) },
    { name: "notes", type: "ARRAY" },
    { name: "startsOn", type: "DATE" },
    { name: "stars", type: "RATING" },
    { name: "data", type: "RAW_JSON" },
    { name: "externalId", type: "UUID" },
    { name: "contact", type: "EMAILS" },
  ],
};

test("an object is made with fields of every kind, and its records are read and written at once", async () => {
  const { ok, call } = await start();
  const made = await ok("POST", "/api/objects", project);
  expect(made).toMatchObject({
    name: "project",
    label: "Project",
    labelPlural: "Projects",
    state: "active",
    standard: false,
  });
  const values = {
    name: "Mars",
    code: "M-1",
    budget: 12.5,
    tags: ["B", "A", "B"],
    notes: ["x", "y"],
    startsOn: "2026-03-01",
    stars: "RATING_4",
    data: { deep: [1, { a: null }] },
    externalId: "0197F5F0-0000-7000-8000-000000000001",
    contact: { primaryEmail: "pm@example.com" },
  };
  const { data } = await ok("POST", "/rest/projects", values);
  expect(data).toMatchObject({
    createProject: {
      ...values,
      tags: ["B", "A"],
      phase: "IDEA",
      externalId: "0197f5f0-0000-7000-8000-000000000001",
      contact: { primaryEmail: "pm@example.com", additionalEmails: [] },
    },
  });
  const twice = await call("POST", "/rest/projects", { code: "M-1" });
  expect(twice.body).toMatchObject({ status: 400, code: "record-exists" });
  const lacking = await call("POST", "/rest/projects", { name: "No code" });
  expect(lacking.body).toMatchObject({ status: 400, code: "invalid-values" });
  expect(lacking.text).toContain("code");
});

test("a field shows as building while what was asked of it is brought about", async () => {
  const { ok } = await start();
  const stateOf = async () => {
    const { fields } = await ok("GET", "/api/objects/note");
    return (fields as JsonObject[]).find(({ name }) => name === "title")?.["state"];
  };
  expect(await stateOf()).toBe("active");
  const want = (wanted: string | null) =>
    pool.query(
      `update tandem.fields f set wanted = $1::jsonb from tandem.objects o
       where o.id = f.object_id and o.name = 'note' and f.name = 'title'`,
      [wanted],
    );
  await want('{"indexed": true}');
  expect(await stateOf()).toBe("building");
  await want(null);
  expect(await stateOf()).toBe("active");
});

test("tasks and notes are linked to the records of a new object", async () => {
  const { ok, call } = await start();
  await ok("POST", "/api/objects", project);
  const { data } = await ok("POST", "/rest/projects", { code: "L-1" });
  const { id } = (data as JsonObject)["createProject"] as JsonObject;
  const task = (await ok("POST", "/rest/tasks", { title: "Plan" }))["data"] as JsonObject;
  const taskId = (task["createTask"] as JsonObject)["id"] ?? null;
  await ok("POST", "/rest/taskTargets", { taskId, projectId: id ?? null });
  const twice = await call("POST", "/rest/taskTargets", { taskId, projectId: id ?? null });
  expect(twice.body).toMatchObject({ code: "record-exists" });
  const objects = (await ok("GET", "/api/objects/taskTarget"))["fields"];
  expect(objects).toContainEqual(expect.objectContaining({ name: "projectId", state: "active", type: "RELATION" }));
});

test("a relation is followed from both sides, and one to several objects points to one of them", async () => {
  const { ok, call } = await start();
  await ok("POST", "/api/objects", project);
  const sponsor = { name: "sponsor", type: "RELATION", object: "company" };
  const made = await ok("POST", "/api/objects/project/fields", sponsor);
  expect(made["data"]).toMatchObject([
    {
      name: "sponsorId",
      state: "active",
      indexed: true,
      settings: { object: "company", inverse: { name: "projects" } },
    },
  ]);
  const several = { name: "lead", type: "RELATION", objects: ["person", "workspaceMember"] };
  const both = await ok("POST", "/api/objects/project/fields", several);
  expect(both["data"]).toMatchObject([{ name: "leadPersonId" }, { name: "leadWorkspaceMemberId" }]);
  const company = ((await ok("POST", "/rest/companies", { name: "Acme" }))["data"] as JsonObject)[
    "createCompany"
  ] as JsonObject;
  await ok("POST", "/rest/projects", { code: "R-1", sponsorId: company["id"] ?? null });
  const found = await ok("GET", "/rest/projects?filter=sponsorId[eq]:" + String(company["id"]));
  expect(found["totalCount"]).toBe(1);
  const wrong = await call("POST", "/rest/projects", {
    code: "R-2",
    sponsorId: "0197f5f0-0000-7000-8000-00000000dead",
  });
  expect(wrong.body).toMatchObject({ code: "related-record-not-found" });
});

test("options come and are renamed without a look at the records; one that is held cannot go", async () => {
  const { ok, call } = await start();
  await ok("POST", "/api/objects", project);
  await ok("POST", "/rest/projects", { code: "O-1" });
  const more = [
    { value: "IDEA", label: "Just an idea" },
    { value: "DONE", label: "Done" },
  ];
  const changed = await ok("PATCH", "/api/objects/project/fields/phase", { options: more });
  expect(changed["settings"]).toMatchObject({ options: [{ label: "Just an idea" }, { value: "DONE", position: 1 }] });
  await ok("POST", "/rest/projects", { code: "O-2", phase: "DONE" });
  const lost = await call("PATCH", "/api/objects/project/fields/phase", { options: more.slice(0, 1) });
  expect(lost.status).toBe(409);
  expect(lost.body).toMatchObject({ code: "option-in-use" });
});

test("what records stand against is refused with the records named, and can be had when they are mended", async () => {
  const { ok, call } = await start();
  const ids: string[] = [];
  for (const jobTitle of ["CEO", "CEO", "CTO", null]) {
    const { data } = await ok("POST", "/rest/people", { jobTitle });
    ids.push(String(((data as JsonObject)["createPerson"] as JsonObject)["id"]));
  }
  const unique = await call("PATCH", "/api/objects/person/fields/jobTitle", { unique: true });
  expect(unique.body).toMatchObject({ status: 409, code: "records-with-same-value" });
  expect((unique.body["issues"] as JsonObject[]).map(({ path }) => path)).toEqual(ids.slice(0, 2));
  const both = { required: true, label: "Role", defaultValue: "CEO" };
  const required = await call("PATCH", "/api/objects/person/fields/jobTitle", both);
  expect(required.body).toMatchObject({ status: 409, code: "records-without-value" });
  expect((required.body["issues"] as JsonObject[]).map(({ path }) => path)).toEqual([ids[3]]);
  const untouched = await ok("GET", "/api/objects/person/fields/jobTitle");
  expect(untouched).toMatchObject({ label: "Job title", defaultValue: null, required: false, state: "active" });
  await ok("POST", "/rest/people", { jobTitle: "CEO" });
  await ok("POST", "/rest/people", {});
  await pool.query("select 1");
  for (const [i, id] of ids.entries()) await ok("PATCH", `/rest/people/${id}`, { jobTitle: `Role ${i}` });
  const rest = (await ok("GET", "/rest/people?limit=200"))["data"] as { people: JsonObject[] };
  for (const { id } of rest.people.filter((person) => !ids.includes(String(person["id"]))))
    await ok("PATCH", `/rest/people/${String(id)}`, { jobTitle: `Title of ${String(id)}` });
  const field = await ok("PATCH", "/api/objects/person/fields/jobTitle", { unique: true, required: true });
  expect(field).toMatchObject({ unique: true, required: true, failure: null });
  expect((await call("POST", "/rest/people", { jobTitle: "Role 1" })).body).toMatchObject({ code: "record-exists" });
  expect((await call("POST", "/rest/people", {})).body).toMatchObject({ code: "invalid-values" });
  await ok("PATCH", "/api/objects/person/fields/jobTitle", { unique: false, required: false });
  await ok("POST", "/rest/people", { jobTitle: "Role 1" });
});

test("an index over several fields can keep them unique together", async () => {
  const { ok, call } = await start();
  const path = "/api/objects/opportunity/indexes";
  const made = await ok("POST", path, { fields: ["name", "companyId"], unique: true });
  expect(made).toMatchObject({ fields: ["name", "companyId"], unique: true, state: "active", standard: false });
  const company = ((await ok("POST", "/rest/companies", { name: "Acme" }))["data"] as JsonObject)[
    "createCompany"
  ] as JsonObject;
  const deal = { name: "Deal", companyId: company["id"] ?? null };
  await ok("POST", "/rest/opportunities", deal);
  expect((await call("POST", "/rest/opportunities", deal)).body).toMatchObject({ code: "record-exists" });
  await ok("POST", "/rest/opportunities", { name: "Deal" });
  await ok("POST", "/rest/opportunities", { name: "Deal" });
  expect((await call("POST", path, { fields: ["companyId", "name"], unique: true })).status).toBe(201);
  expect((await call("POST", path, { fields: ["name"], unique: true })).body).toMatchObject({
    code: "records-with-same-value",
  });
  await ok("DELETE", `${path}/${String(made["id"])}`);
  const object = await ok("GET", "/api/objects/opportunity");
  expect((object["indexes"] as JsonObject[]).map((index) => index["fields"])).toEqual([["companyId", "name"]]);
});

test("a hidden field keeps its values, a removed one loses them, and its name is free", async () => {
  const { ok, call } = await start();
  await ok("POST", "/api/objects/person/fields", { name: "score", type: "NUMBER" });
  const { data } = await ok("POST", "/rest/people", { score: 7 });
  const id = String(((data as JsonObject)["createPerson"] as JsonObject)["id"]);
  await ok("PATCH", "/api/objects/person/fields/score", { active: false });
  expect((await call("PATCH", `/rest/people/${id}`, { score: 8 })).body).toMatchObject({ code: "invalid-values" });
  await ok("PATCH", "/api/objects/person/fields/score", { active: true });
  const shown = (await ok("GET", `/rest/people/${id}`))["data"] as JsonObject;
  expect(shown["person"]).toMatchObject({ score: 7 });
  await ok("DELETE", "/api/objects/person/fields/score");
  expect((await call("GET", "/api/objects/person/fields/score")).status).toBe(404);
  await ok("POST", "/api/objects/person/fields", { name: "score", type: "TEXT", searchable: true });
  const text = (await ok("PATCH", `/rest/people/${id}`, { score: "high" }))["data"] as JsonObject;
  expect(text["updatePerson"]).toMatchObject({ score: "high" });
  expect(await dropRemoved(pool, { minutes: 0 })).toBe(1);
  expect(((await ok("GET", `/rest/people/${id}`))["data"] as JsonObject)["person"]).toMatchObject({ score: "high" });
});

test("a removed object is gone with the relations that point to it", async () => {
  const { ok, call } = await start();
  await ok("POST", "/api/objects", project);
  await ok("POST", "/api/objects/person/fields", { name: "project", type: "RELATION", object: "project" });
  const { data } = await ok("POST", "/rest/projects", { code: "X" });
  const projectId = ((data as JsonObject)["createProject"] as JsonObject)["id"] ?? null;
  await ok("POST", "/rest/people", { projectId, jobTitle: "CEO" });
  await ok("DELETE", "/api/objects/project");
  expect((await call("GET", "/rest/projects")).status).toBe(404);
  const people = (await ok("GET", "/rest/people"))["data"] as { people: JsonObject[] };
  expect(people.people[0]).not.toHaveProperty("projectId");
  expect(await dropRemoved(pool, { minutes: 0 })).toBeGreaterThanOrEqual(4);
  await ok("POST", "/api/objects", project);
  await ok("POST", "/rest/projects", { code: "X" });
});

test("what an active workflow names is not taken away", async () => {
  const { ok, call, gateway } = await start();
  await ok("POST", "/api/objects/person/fields", { name: "score", type: "NUMBER" });
  await gateway.install({
    formatVersion: 1,
    key: "scores",
    name: "Scores",
    triggers: [{ id: "form", kind: "webhook", authentication: { kind: "none" } }],
    steps: [{ id: "made", kind: "create-record", input: { object: "person", values: { score: 1 } } }],
  });
  for (const refused of [
    await call("DELETE", "/api/objects/person/fields/score"),
    await call("PATCH", "/api/objects/person/fields/score", { active: false }),
    await call("PATCH", "/api/objects/person/fields/score", { name: "points" }),
  ]) {
    expect(refused.body).toMatchObject({ status: 409, code: "in-use" });
    expect(refused.text).toContain('the workflow \\"scores\\" (steps[0].input.values.score)');
  }
});

test("custom fields and objects are renamed, and nothing of their records is touched", async () => {
  const { ok } = await start();
  await ok("POST", "/api/objects", project);
  await ok("POST", "/api/objects/company/fields", { name: "project", type: "RELATION", object: "project" });
  await ok("POST", "/rest/projects", { code: "N-1" });
  await ok("PATCH", "/api/objects/project", { name: "undertaking", plural: "undertakings", label: "Undertaking" });
  await ok("PATCH", "/api/objects/undertaking/fields/code", { name: "reference", label: "Reference" });
  const { data } = await ok("GET", "/rest/undertakings?filter=reference[eq]:N-1");
  expect((data as { undertakings: JsonObject[] }).undertakings[0]).toMatchObject({ reference: "N-1" });
  const company = await ok("GET", "/api/objects/company/fields/projectId");
  expect(company["settings"]).toMatchObject({ object: "undertaking" });
});

test.each<[string, string, JsonObject, string]>([
  ["POST", "/api/objects", { name: "person", plural: "persons" }, "is called"],
  ["POST", "/api/objects", { name: "merge", plural: "merges" }, "a word of the API's paths"],
  ["POST", "/api/objects", { name: "sheep", plural: "sheep" }, "is the singular too"],
  ["POST", "/api/objects", { name: "Bad Name", plural: "x" }, "camelCase"],
  ["POST", "/api/objects/person/fields", { name: "jobTitle", type: "TEXT" }, "a field of person is called so"],
  ["POST", "/api/objects/person/fields", { name: "company", type: "TEXT" }, "a relation of person is called so"],
  ["POST", "/api/objects/company/fields", { name: "people", type: "TEXT" }, "is seen so from company"],
  ["POST", "/api/objects/person/fields", { name: "x", type: "SELECT" }, "needs its options"],
  ["POST", "/api/objects/person/fields", { name: "x", type: "NUMBR" }, 'unknown type "NUMBR"; did you mean "NUMBER"?'],
  ["POST", "/api/objects/person/fields", { name: "x", type: 5 }, "a type is needed, one of TEXT"],
  ["POST", "/api/objects/person/fields", { name: "x", type: "RAW_JSON", indexed: true }, "a RAW_JSON has no order"],
  ["POST", "/api/objects/person/fields", { name: "x", type: "CURRENCY", indexed: true }, "indexed by its sub-fields"],
  ["POST", "/api/objects/person/fields", { name: "x", type: "RELATION", object: "compny" }, 'did you mean "company"?'],
  [
    "POST",
    "/api/objects/person/fields",
    { name: "x", type: "NUMBER", decimals: 0, defaultValue: 1.5 },
    "a whole number",
  ],
  ["POST", "/api/objects/person/fields", { name: "x", type: "BOOLEAN", unique: true }, "cannot be unique"],
  [
    "POST",
    "/api/objects/person/fields",
    { name: "x", type: "TEXT", unique: true, defaultValue: "a" },
    "leave the default out",
  ],
  ["PATCH", "/api/objects/person/fields/jobTitle", { name: "role" }, "keeps its name"],
  ["DELETE", "/api/objects/person/fields/jobTitle", {}, "comes with every workspace"],
  ["DELETE", "/api/objects/person", {}, "comes with every workspace"],
  ["PATCH", "/api/objects/taskTarget", { active: false }, "cannot be hidden"],
  ["PATCH", "/api/objects/person", { duplicateCriteria: [["emails"]] }, "emails has primaryEmail, additionalEmails"],
  ["PATCH", "/api/objects/person", { duplicateCriteria: [["email"]] }, "names no field"],
  ["PATCH", "/api/objects/persn", { label: "X" }, 'did you mean "person"?'],
])("%s %s %j is refused: %s", async (method, path, body, sentence) => {
  const { gateway } = await start();
  const answer = await gateway.call(method, path, method === "DELETE" ? {} : { body });
  expect(answer.status).toBeGreaterThanOrEqual(400);
  expect(answer.status).toBeLessThan(500);
  expect(JSON.parse(answer.text)).toEqual(expect.anything());
  expect(answer.text.replaceAll('\\"', '"')).toContain(sentence);
});

test.each<[string, Json]>([
  ["12345678901234567890.12345678901234567890", "12345678901234567890.1234567890123456789"],
  ["0.1", 0.1],
  ["0.30000000000000004", 0.30000000000000004],
  ["-9007199254740993", "-9007199254740993"],
  ["9007199254740991", 9007199254740991],
  ["0.10", 0.1],
])("the number %s is kept exactly", async (sent, kept) => {
  const { gateway, ok } = await start();
  await ok("POST", "/api/objects/person/fields", { name: "score", type: "NUMBER" });
  const headers = { "content-type": "application/json" };
  const made = await gateway.call("POST", "/rest/people", { raw: `{"score": ${sent}}`, headers });
  const { id } = (made.body["data"] as JsonObject)["createPerson"] as JsonObject;
  const read = (await ok("GET", `/rest/people/${String(id)}`))["data"] as JsonObject;
  expect((read["person"] as JsonObject)["score"]).toBe(kept);
  const found = await ok("GET", `/rest/people?filter=score[eq]:${sent}`);
  expect(found["totalCount"]).toBe(1);
});
