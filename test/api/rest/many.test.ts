import { describe, expect, test } from "vitest";
import { createView } from "../../../src/crm/views.ts";
import { createId } from "../../../src/ids.ts";
import type { JsonObject } from "../../../src/json.ts";
import { startRest } from "./support.ts";

const { call, make, list, pool, objects, workspace } = await startRest();
const idsOf = (records: unknown): string[] => (records as { id: string }[]).map(({ id }) => id);
const dataOf = (body: JsonObject): Record<string, JsonObject[]> => body["data"] as Record<string, JsonObject[]>;
async function kinds(id: string): Promise<string[]> {
  const { rows } = await pool.query<{ kind: string }>(
    "select kind from tandem.outbox where record_id = $1 order by id",
    [id],
  );
  return rows.map(({ kind }) => kind);
}

describe("a batch", () => {
  test("makes records in the order in which they are sent", async () => {
    const id = createId();
    const rows = [{ id, city: "Aa" }, { city: "Ab" }, { city: "Ac", emails: { primaryEmail: "third@x.example" } }];
    const { status, body } = await call("POST", "batch/people", rows);
    expect(status).toBe(201);
    expect(Object.keys(body)).toEqual(["data"]);
    expect(dataOf(body)["createPeople"]).toMatchObject([{ id, city: "Aa" }, { city: "Ab" }, rows[2]]);
  });

  test("makes all or none, and names the row and field at fault", async () => {
    const before = await list("people");
    const rows = [{ city: "Ba" }, { jobTitel: "CEO", city: 1 }];
    expect(await call("POST", "batch/people", rows)).toMatchObject({
      status: 400,
      body: {
        code: "invalid-values",
        issues: [
          { path: "[1].jobTitel", message: 'person has no field "jobTitel"; did you mean "jobTitle"?' },
          { path: "[1].city", message: "person.city takes text, but got 1" },
        ],
      },
    });
    const taken = await make("people", { emails: { primaryEmail: "batch@x.example" } });
    expect(await call("POST", "batch/people", [{}, { emails: { primaryEmail: "Batch@x.example" } }])).toMatchObject({
      status: 400,
      body: { code: "record-exists", detail: `[1] person: emails is taken, by the record ${taken.id}.` },
    });
    expect((await list("people")).total).toBe(before.total + 1);
  });

  test("with atomic=false writes what it can, and says what became of each row", async () => {
    const rows = [{ city: "Ca" }, { companyId: createId() }, { city: "Cc" }];
    const { status, body } = await call("POST", "batch/people?atomic=false", rows);
    expect(status).toBe(201);
    expect(dataOf(body)["createPeople"]).toMatchObject([{ city: "Ca" }, { city: "Cc" }]);
    expect(body["outcomes"]).toMatchObject([
      { outcome: "created" },
      { outcome: "refused", id: null, refusal: { code: "related-record-not-found" } },
      { outcome: "created" },
    ]);
  });

  test("upserts by a unique field, by an id, or by the fields that match names", async () => {
    const known = await make("companies", { name: "Known", domainName: { primaryLinkUrl: "https://known.example" } });
    const upserted = await call("POST", "batch/companies?upsert=true", [
      { domainName: { primaryLinkUrl: "known.example" }, employees: 5 },
      { id: known.id, name: "Renamed" },
      { name: "New" },
    ]);
    const [first, second, third] = dataOf(upserted.body)["createCompanies"]!;
    expect([first, second]).toMatchObject([{ id: known.id }, { id: known.id, name: "Renamed", employees: 5 }]);
    expect(third).toMatchObject({ name: "New", employees: null });
    const matched = await call("POST", "batch/companies?upsert=true&match=name", [{ name: "New", employees: 7 }]);
    expect(dataOf(matched.body)["createCompanies"]).toMatchObject([{ id: third!["id"], employees: 7 }]);
  });

  test("changes records by their ids", async () => {
    const [first, second] = [await make("tasks", { title: "A" }), await make("tasks", { title: "B" })];
    const { status, body } = await call("PATCH", "batch/tasks", [
      { id: second.id, status: "DONE" },
      { id: first.id, title: "A2" },
    ]);
    expect(status).toBe(200);
    expect(dataOf(body)["updateTasks"]).toMatchObject([
      { id: second.id, status: "DONE" },
      { id: first.id, title: "A2", status: "TODO" },
    ]);
    const missing = createId();
    expect(
      await call("PATCH", "batch/tasks", [
        { id: first.id, title: "A3" },
        { id: missing, title: "C" },
      ]),
    ).toMatchObject({
      status: 404,
      body: { detail: `[1] There is no task ${missing}.` },
    });
    expect(await call("PATCH", "batch/tasks", [{ title: "C" }])).toMatchObject({ status: 400 });
  });

  test.each([
    [{}, "must be a list of records"],
    [[1], "must be a list of records"],
    [Array.from({ length: 1_001 }, () => ({})), "takes 1000 at most"],
  ])("that is no list of records is refused (%#)", async (rows, detail) => {
    expect(await call("POST", "batch/people", rows)).toMatchObject({
      status: 400,
      body: { code: "invalid-body", detail: expect.stringContaining(detail) },
    });
  });
});

test("upsert=true changes the one that is there by its address, else makes it", async () => {
  const first = await call("POST", "people?upsert=true", { emails: { primaryEmail: "up@x.example" }, city: "Bern" });
  expect(first.status).toBe(201);
  const { id } = (first.body["data"] as Record<string, { id: string }>)["createPerson"]!;
  const again = await call("POST", "people?upsert=true", { emails: { primaryEmail: "UP@x.example" }, jobTitle: "CEO" });
  expect(again).toMatchObject({ status: 201, body: { data: { createPerson: { id, city: "Bern", jobTitle: "CEO" } } } });
  expect(await call("POST", "people?upsert=true", { companyId: createId() })).toMatchObject({
    status: 400,
    body: { code: "related-record-not-found", detail: "person.companyId: the record it refers to does not exist." },
  });
  expect(await call("POST", "people?upsert=true", { jobTitel: "x" })).toMatchObject({
    status: 400,
    body: { issues: [{ path: "jobTitel" }] },
  });
});

describe("by a filter", () => {
  test("many are changed, marked, restored and destroyed", async () => {
    const made = [await make("people", { city: "Fa" }), await make("people", { city: "Fa" })];
    const other = await make("people", { city: "Fb" });
    const ids = idsOf(made);
    const changed = await call("PATCH", "people?filter=city[eq]:Fa", { jobTitle: "CTO" });
    expect(dataOf(changed.body)["updatePeople"]).toMatchObject(ids.map((id) => ({ id, jobTitle: "CTO" })));
    const marked = await call("DELETE", "people?filter=city[eq]:Fa&soft_delete=true");
    expect(marked.body).toEqual({ data: { deletePeople: ids.map((id) => ({ id })) } });
    expect((await call("DELETE", "people?filter=city[eq]:Fa")).body).toEqual({ data: { deletePeople: [] } });
    for (const path of ["people/restore", "restore/people"]) {
      const back = await call("PATCH", `${path}?filter=city[eq]:Fa&fields=city`);
      expect(dataOf(back.body)["restorePeople"]).toEqual(ids.map((id) => ({ id, city: "Fa" })));
      await call("DELETE", "people?filter=city[eq]:Fa&soft_delete=true");
    }
    const gone = await call("DELETE", "people?filter=city[eq]:Fa,deletedAt[is]:NOT_NULL");
    expect(gone.body).toEqual({ data: { deletePeople: ids.map((id) => ({ id })) } });
    expect(await kinds(ids[0]!)).toEqual([
      "created",
      "updated",
      "deleted",
      "restored",
      "deleted",
      "restored",
      "deleted",
      "destroyed",
    ]);
    expect(await kinds(other.id)).toEqual(["created"]);
  });
});

describe("a deleted record", () => {
  test.each(["tasks/{id}/restore", "restore/tasks/{id}"])("is brought back by %s", async (path) => {
    const { id } = await make("tasks", { title: "Back" });
    await call("DELETE", `tasks/${id}?soft_delete=true`);
    const { status, body } = await call("PATCH", path.replace("{id}", id));
    expect([status, body]).toMatchObject([200, { data: { restoreTask: { id, title: "Back", deletedAt: null } } }]);
    expect((await call("GET", `tasks/${id}`)).status).toBe(200);
    expect((await call("PATCH", path.replace("{id}", createId()))).status).toBe(404);
  });
});

describe("merging", () => {
  test("makes one record of several, by either name of the answer, or shows it beforehand", async () => {
    const first = await make("people", { city: "Ma" });
    const second = await make("people", { city: "Mb", jobTitle: "CEO" });
    const deal = await make("opportunities", { pointOfContactId: first.id });
    const body = { ids: [first.id, second.id.toUpperCase()], conflictPriorityIndex: 1 };
    const preview = await call("PATCH", "people/merge", { ...body, dryRun: true });
    expect(preview).toMatchObject({ status: 200, body: { data: { mergePerson: { city: "Mb" } } } });
    expect((await call("GET", `people/${first.id}`)).status).toBe(200);
    const merged = await call("PATCH", "people/merge?depth=1", body);
    const expected = { id: second.id, city: "Mb", jobTitle: "CEO", pointOfContactForOpportunities: [{ id: deal.id }] };
    expect(merged).toMatchObject({ status: 200, body: { data: { mergePeople: expected, mergePerson: expected } } });
    expect((await call("GET", `people/${first.id}`)).status).toBe(404);
  });

  test.each([
    [{ ids: [createId()], conflictPriorityIndex: 0 }, "ids: takes at least two ids"],
    [{ ids: ["a", "b"], conflictPriorityIndex: 0 }, "ids[0]: takes ids of records"],
    [{ ids: [createId(), createId()], conflictPriorityIndex: 2 }, "is the place of one of the 2 ids"],
    [{ ids: [createId(), createId()] }, "conflictPriorityIndex"],
  ])("%j is refused", async (body, message) => {
    expect(await call("PATCH", "people/merge", body)).toMatchObject({
      status: 400,
      body: { code: "invalid-body", detail: expect.stringContaining(message) },
    });
  });
});

describe("duplicates", () => {
  test("are found of records that are there, and of such as may be", async () => {
    const name = { firstName: "Dora", lastName: "Double" };
    const company = await make("companies", {});
    const [first, second] = [await make("people", { name }), await make("people", { name, companyId: company.id })];
    for (const path of ["people/duplicates", "duplicates/people"]) {
      const byId = await call("POST", path, { ids: [first.id] });
      expect(byId).toMatchObject({
        status: 200,
        body: {
          data: [
            {
              totalCount: 1,
              pageInfo: { hasNextPage: false, startCursor: second.id },
              personDuplicates: [{ id: second.id }],
            },
          ],
        },
      });
    }
    const byData = await call("POST", "people/duplicates?depth=1&fields=company", {
      data: [{ name }, { name: { firstName: "Nobody", lastName: "Else" } }],
    });
    expect(byData.body["data"]).toMatchObject([
      {
        totalCount: 2,
        personDuplicates: [
          { id: first.id, company: null },
          { id: second.id, company: { id: company.id } },
        ],
      },
      { totalCount: 0, personDuplicates: [], pageInfo: { startCursor: null } },
    ]);
    expect((await call("POST", "people/duplicates", { ids: [] })).body).toEqual({ data: [] });
  });

  test.each([
    [{}, "Send either ids or data"],
    [{ ids: [], data: [] }, "Send either ids or data"],
    [{ data: [] }, "data: has no record"],
    [{ data: [{ nmae: {} }] }, 'did you mean "name"?'],
  ])("%j is refused", async (body, message) => {
    expect(await call("POST", "people/duplicates", body)).toMatchObject({
      status: 400,
      body: { detail: expect.stringContaining(message) },
    });
  });

  test("of a record that is not there are refused", async () => {
    expect(await call("POST", "people/duplicates", { ids: [createId()] })).toMatchObject({ status: 404 });
  });
});

describe("groups", () => {
  const query = (parameters: Record<string, string>): string =>
    `opportunities/groupBy?${new URLSearchParams(parameters).toString()}`;

  test("are a bare list, with figures, in order, and a sample of each", async () => {
    const closeDate = "2025-02-05T08:00:00Z";
    for (const [name, stage, amountMicros] of [
      ["A", "NEW", 1000],
      ["B", "NEW", 3000],
      ["C", "MEETING", 2000],
    ] as const)
      await make("opportunities", { name, stage, closeDate, amount: { amountMicros, currencyCode: "EUR" } });
    const { status, body } = await call(
      "GET",
      query({
        group_by: '[{"closeDate":{"granularity":"DAY_OF_THE_WEEK"}},{"stage":true}]',
        aggregate: '["maxAmountAmountMicros"]',
        filter: `closeDate[eq]:"${closeDate}"`,
        order_by: '[{"aggregate":{"maxAmountAmountMicros":"AscNullsLast"}}]',
        include_records_sample: "true",
        order_by_for_records: "name[DescNullsLast]",
        limit: "10",
      }),
    );
    expect(status).toBe(200);
    expect(body).toMatchObject([
      {
        groupByDimensionValues: ["Wednesday", "MEETING"],
        totalCount: 1,
        maxAmountAmountMicros: 2000,
        records: [{ name: "C" }],
      },
      {
        groupByDimensionValues: ["Wednesday", "NEW"],
        totalCount: 2,
        maxAmountAmountMicros: 3000,
        records: [{ name: "B" }, { name: "A" }],
      },
    ]);
  });

  test("may be of what a view shows", async () => {
    await make("opportunities", { name: "Seen", stage: "CUSTOMER" });
    const view = await createView(
      { sql: pool, workspaceId: workspace.id, objects },
      {
        object: objects.find("opportunity")!,
        name: "won",
        label: "Won",
        filter: { field: "stage", operator: "equals", value: "CUSTOMER" },
        sort: [],
        columns: [],
        search: null,
      },
    );
    const { body } = await call("GET", query({ group_by: '[{"stage":true}]', view_id: view.id }));
    expect(body).toMatchObject([{ groupByDimensionValues: ["CUSTOMER"] }]);
    const other = await call("GET", `people/groupBy?group_by=[{"city":true}]&view_id=${view.id}`);
    expect(other).toMatchObject({ status: 400, body: { detail: "view_id is a view of opportunity, not of person." } });
  });

  test.each([
    [{}, "group_by must be given"],
    [{ group_by: "stage" }, "group_by is no valid JSON"],
    [{ group_by: "[]" }, "takes one or two fields"],
    [{ group_by: '[{"stage":true,"name":true}]' }, "has one key in each of its objects"],
    [{ group_by: '[{"stage":1}]' }, "ends each field with true"],
    [{ group_by: '[{"closeDate":{"granularity":"CENTURY"}}]' }, "there are NONE, DAY, WEEK"],
    [{ group_by: '[{"closeDate":{"granularity":"DAY","timeZone":"Mars"}}]' }, "no IANA name"],
    [{ group_by: '[{"stage":true}]', aggregate: '["sumStage"]' }, '"sum" is of numbers'],
    [{ group_by: '[{"stage":true}]', order_by: '[{"name":"AscNullsLast"}]' }, "by which nothing is grouped"],
    [{ group_by: '[{"stage":true}]', order_by: '[{"stage":"Up"}]' }, 'unknown direction "Up"'],
    [{ group_by: '[{"stage":true}]', view_id: createId() }, "view"],
  ])("%j is refused", async (parameters, message) => {
    const { status, body } = await call("GET", query(parameters as Record<string, string>));
    expect([400, 404]).toContain(status);
    expect(body["detail"]).toContain(message);
  });
});
