import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../src/json.ts";
import { createTestDatabase } from "../support/database.ts";
import { hookDefinition, startGateway } from "./gateway.ts";

const { pool } = await createTestDatabase();
const { call, strangerKey } = await startGateway(pool);
const make = (body: JsonObject) => call("POST", "/api/views", { body });
const overdue = {
  object: "task",
  name: "overdue",
  label: "Overdue",
  filter: { all: [{ field: "status", operator: "notEquals", value: "DONE" }] },
  sort: [{ field: "dueAt", direction: "desc" }],
  columns: ["title", "dueAt"],
  search: null,
};

describe("a view", () => {
  test("is made, read, listed, changed and deleted", async () => {
    const { status, body } = await make(overdue);
    expect([status, body]).toEqual([
      201,
      { ...overdue, id: expect.any(String), createdAt: expect.any(String), updatedAt: expect.any(String) },
    ]);
    const path = `/api/views/${String(body["id"])}`;
    expect((await call("GET", path)).body).toEqual(body);
    const changed = await call("PATCH", path, { body: { search: "call", columns: ["title"] } });
    expect(changed.body).toMatchObject({ ...overdue, search: "call", columns: ["title"] });
    await make({ object: "person", name: "everybody" });
    expect((await call("GET", "/api/views")).body["data"]).toHaveLength(2);
    const ofTasks = await call("GET", "/api/views?object=task");
    expect(ofTasks.body).toMatchObject({ data: [{ name: "overdue" }], nextCursor: null });
    expect((await call("DELETE", path)).body).toEqual({ removed: true });
    expect((await call("GET", path)).body).toMatchObject({ status: 404, code: "view-not-found" });
  });

  test("is made from a name alone", async () => {
    const { body } = await make({ object: "company", name: "all-companies" });
    expect(body).toMatchObject({ label: "all-companies", filter: null, sort: [], columns: [], search: null });
  });

  test("has a name that is its own among those of its object", async () => {
    await make({ object: "company", name: "mine" });
    expect((await make({ object: "company", name: "mine" })).body).toMatchObject({ status: 409, code: "name-taken" });
    expect((await make({ object: "person", name: "mine" })).status).toBe(201);
  });

  test.each<[JsonObject, string, string]>([
    [{ filter: { any: [{ field: "citty", operator: "isEmpty" }] } }, "filter.any[0]", 'did you mean "city"?'],
    [{ filter: { field: "createdAt", operator: "equals", value: "soon" } }, "filter", "takes a date and time"],
    [{ filter: { field: "company.nam", operator: "isEmpty" } }, "filter", 'did you mean "name"?'],
    [{ sort: [{ field: "city" }, { field: "emails.additionalEmails" }] }, "sort[1].field", "has no order"],
    [{ columns: ["name", "emals"] }, "columns[1]", 'did you mean "emails"?'],
  ])("is refused with %j", async (content, path, message) => {
    const { status, body } = await make({ object: "person", name: "wrong", ...content });
    expect([status, body["code"], body["issues"]]).toEqual([
      422,
      "invalid-view",
      [{ path, message: expect.stringContaining(message) }],
    ]);
  });

  test.each<[JsonObject, number]>([
    [{ object: "persn", name: "x" }, 404],
    [{ object: "person", name: "Two Words" }, 422],
    [{ object: "person", name: "x", filter: { field: "city" } }, 422],
    [{ object: "person", name: "x", colums: [] }, 422],
    [{ object: "taskTarget", name: "x", search: "x" }, 422],
  ])("is refused as %j", async (body, status) => {
    expect((await make(body)).status).toBe(status);
  });

  test("is nobody else's", async () => {
    const { body } = await make({ object: "note", name: "ours" });
    const key = await strangerKey();
    const path = `/api/views/${String(body["id"])}`;
    for (const method of ["GET", "DELETE"]) expect((await call(method, path, { key })).status).toBe(404);
    expect((await call("PATCH", path, { key, body: { label: "Theirs" } })).status).toBe(404);
    expect((await call("GET", "/api/views", { key })).body["data"]).toEqual([]);
  });
});

test("a workflow that names a view is checked against the views that there are", async () => {
  await make({ object: "company", name: "big-ones" });
  const naming = (view: string): JsonObject => ({
    ...hookDefinition(view),
    steps: [{ id: "found", kind: "search-records", input: { object: "company", view } }],
  });
  const { status, body } = await call("POST", "/api/workflows", { body: naming("big-one") });
  expect([status, body["issues"]]).toEqual([
    422,
    [{ path: "steps[0].input.view", message: 'company has no view "big-one"; did you mean "big-ones"?' }],
  ]);
  expect((await call("POST", "/api/workflows", { body: naming("big-ones") })).status).toBe(201);
});
