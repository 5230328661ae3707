import { describe, expect, test } from "vitest";
import { createRecord } from "../../src/activities/create-record.ts";
import { deleteRecord } from "../../src/activities/delete-record.ts";
import { pickRecord } from "../../src/activities/pick-record.ts";
import { searchRecords } from "../../src/activities/search-records.ts";
import type { RecordKind, StepContext, StepKind } from "../../src/activities/step-kind.ts";
import { updateRecord } from "../../src/activities/update-record.ts";
import { upsertRecord } from "../../src/activities/upsert-record.ts";
import { changeView, createView } from "../../src/crm/views.ts";
import { FencedError, type Issue } from "../../src/errors.ts";
import { createId } from "../../src/ids.ts";
import type { JsonObject } from "../../src/json.ts";
import { createSeal, isLedgerConflict, type RunKey } from "../../src/runs/ledger.ts";
import type { Sealed } from "../../src/runs/seal.ts";
import { createCrm, refusal } from "../crm/support.ts";
import { createTestDatabase } from "../support/database.ts";
import { enqueue, insertWorkflow } from "../support/rows.ts";
import { plainContext } from "../support/step-context.ts";

const { pool } = await createTestDatabase();
const crm = await createCrm(pool);
const { workspace, objects, make, events, count } = crm;
const workflow = { workspaceId: workspace.id, ...(await insertWorkflow(pool, workspace.id, "leads")) };

async function startRun(): Promise<RunKey> {
  const runId = await enqueue(pool, workflow);
  await pool.query("update tandem.runs set status = 'running', started_at = now() where id = $1", [runId]);
  return { runId, fence: 1 };
}

function contextOf({ runId }: RunKey, path: string): StepContext {
  const { signal } = new AbortController();
  const run = { id: runId, workflowId: workflow.workflowId, workflowKey: "leads", depth: 1 };
  return { ...plainContext, sql: pool, workspace, objects, run, path, signal };
}

/** Does a step as a lane does: with an input as its kind parses it, sealed in the ledger. */
async function act(
  kind: RecordKind<unknown>,
  input: JsonObject,
  at: { key?: RunKey; path?: string } = {},
): Promise<Sealed> {
  const { key = await startRun(), path = "step" } = at;
  const row = { path, kind: kind.kind, input, error: null, attempts: 1, attempt: null, lane: "quick" } as const;
  const seal = createSeal(key, { ...row, startedAt: new Date() });
  return kind.run(contextOf(key, path), kind.input.parse(input), seal);
}

async function resultsOf({ runId }: RunKey): Promise<unknown[]> {
  const { rows } = await pool.query("select path, status, outcome, output from tandem.step_results where run_id = $1", [
    runId,
  ]);
  return rows;
}

async function reps(): Promise<void> {
  await pool.query(`truncate ${crm.object("workspaceMember").table} cascade`);
  await pool.query("delete from tandem.rotations");
  for (const name of ["a", "b", "c"]) await make("workspaceMember", { userEmail: `${name}@reps.example` });
  const gone = await make("workspaceMember", { userEmail: "gone@reps.example" });
  await pool.query(`update ${crm.object("workspaceMember").table} set deleted_at = now() where id = $1`, [gone.id]);
  await make("workspaceMember", { userEmail: "away@reps.example", active: false });
}

/** Those of the registry that work on records; it cannot be loaded here without a mail transport. */
const kinds = {
  "create-record": createRecord,
  "update-record": updateRecord,
  "upsert-record": upsertRecord,
  "delete-record": deleteRecord,
  "search-records": searchRecords,
  "pick-record": pickRecord,
} satisfies Record<string, StepKind>;
type Name = keyof typeof kinds;

const pick = { object: "workspaceMember", strategy: "round-robin" };
const nameOf = ({ output }: Sealed) => String(((output as JsonObject)["record"] as JsonObject)["userEmail"])[0];

describe("every step that changes records", () => {
  const cases: [Exclude<Name, "search-records">, () => Promise<JsonObject>, string | null][] = [
    ["create-record", async () => ({ object: "person", values: { jobTitle: "CTO" } }), "created"],
    [
      "update-record",
      async () => ({ object: "person", id: (await make("person", {})).id, values: { city: "Bern" } }),
      "updated",
    ],
    [
      "upsert-record",
      async () => ({ object: "company", match: ["name"], values: { name: createId(), employees: 1 } }),
      "created",
    ],
    ["delete-record", async () => ({ object: "person", id: (await make("person", {})).id }), "deleted"],
    ["delete-record", async () => ({ object: "person", id: createId() }), "absent"],
    ["pick-record", () => reps().then(() => pick), null],
  ];

  test.each(cases)("%s seals what it gives with what it did", async (name, makeInput, outcome) => {
    const key = await startRun();
    const { output, outcome: said } = await act(kinds[name], await makeInput(), { key });
    expect(said).toBe(outcome);
    expect(kinds[name].output.safeParse(output).error).toBeUndefined();
    expect(await resultsOf(key)).toEqual([{ path: "step", status: "done", outcome, output }]);
  });

  test.each(cases)("%s changes nothing when another attempt has sealed the step", async (name, makeInput) => {
    const key = await startRun();
    const input = await makeInput();
    await act(kinds[name], input, { key });
    const before = await world();
    const again = name === "update-record" ? { ...input, values: { city: "Rome" } } : input;
    const outcome = await act(kinds[name], again, { key }).catch((error: unknown) => error);
    expect(isLedgerConflict(outcome)).toBe(true);
    expect(await world()).toEqual(before);
  });

  test.each(cases)("%s changes nothing in a run that was closed, or started anew", async (name, makeInput) => {
    const key = await startRun();
    const input = await makeInput();
    const before = await world();
    await expect(act(kinds[name], input, { key: { ...key, fence: 0 } })).rejects.toBeInstanceOf(FencedError);
    await pool.query("update tandem.runs set status = 'completed', ended_at = now() where id = $1", [key.runId]);
    await expect(act(kinds[name], input, { key })).rejects.toBeInstanceOf(FencedError);
    expect(await world()).toEqual(before);
  });

  async function world(): Promise<unknown> {
    const { rows } = await pool.query(
      "select key, last_id from tandem.rotations where last_id > '00000000-0000-0000-0000-000000000000'",
    );
    return { events: await events(), turns: rows, people: await count("person"), companies: await count("company") };
  }
});

test("a record says which workflow made it, its event which run", async () => {
  const key = await startRun();
  const { output } = await act(createRecord, { object: "person", values: {} }, { key });
  const { id, record } = output as { id: string; record: JsonObject };
  expect(record["createdBy"]).toMatchObject({ source: "WORKFLOW", name: "leads" });
  expect(await events(id)).toMatchObject([
    { origin: { runId: key.runId, workflowId: workflow.workflowId, depth: 1 }, actor: { source: "WORKFLOW" } },
  ]);
});

test("fifty runs at once that create the person of one address make one, each with its own result", async () => {
  const values = { emails: { primaryEmail: "fifty@x.example" } };
  const sealed = await Promise.all(
    Array.from({ length: 50 }, (_, i) =>
      act(createRecord, { object: "person", ifExists: "update", values: { ...values, city: `${i}` } }),
    ),
  );
  expect(new Set(sealed.map(({ output }) => (output as JsonObject)["id"])).size).toBe(1);
  expect(sealed.filter(({ outcome }) => outcome === "created")).toHaveLength(1);
});

test("fifty runs at once that upsert a company by its name make one", async () => {
  const sealed = await Promise.all(
    Array.from({ length: 50 }, (_, i) =>
      act(upsertRecord, { object: "company", match: ["name"], values: { name: "Fifty", employees: i } }),
    ),
  );
  expect(new Set(sealed.map(({ output }) => (output as JsonObject)["id"])).size).toBe(1);
  expect(sealed.filter(({ outcome }) => outcome === "created")).toHaveLength(1);
});

test("a step that is refused seals nothing: what is refused is the lane's to seal", async () => {
  const key = await startRun();
  const { id } = await make("person", { city: "Bern" });
  const onlyIf = { field: "city", operator: "equals", value: "Rome" };
  const refused = await refusal(act(updateRecord, { object: "person", id, values: { city: "x" }, onlyIf }, { key }));
  expect(refused).toMatchObject({ code: "precondition-failed", details: { record: { id, city: "Bern" } } });
  expect(await resultsOf(key)).toEqual([]);
});

test("a link whose id was dropped is dropped with it", async () => {
  const links = [{ object: "person" }, { object: "company", id: (await make("company", {})).id }];
  const { output } = await act(createRecord, { object: "task", values: {}, links });
  const linked = (await events()).filter(({ after }) => after?.["taskId"] === (output as JsonObject)["id"]);
  expect(linked).toMatchObject([{ after: { companyId: links[1]!.id, personId: null } }]);
});

describe("pick-record", () => {
  test("goes in turns through who is active, and begins anew after the last", async () => {
    await reps();
    const picked: unknown[] = [];
    for (let i = 0; i < 7; i++) picked.push(nameOf(await act(pickRecord, pick)));
    expect(picked).toEqual(["a", "b", "c", "a", "b", "c", "a"]);
  });

  test("shares fairly among runs that ask at once, the first time too", async () => {
    await reps();
    const picked = await Promise.all(Array.from({ length: 30 }, () => act(pickRecord, pick)));
    expect(picked.map(nameOf).toSorted().join("")).toBe("a".repeat(10) + "b".repeat(10) + "c".repeat(10));
  });

  test("keeps a turn of its own for each step, and takes only whom the filter lets", async () => {
    await reps();
    const filter = { field: "userEmail", operator: "notEquals", value: "B@reps.example" };
    const picked: unknown[] = [];
    for (const path of ["one", "one", "one", "two"])
      picked.push(nameOf(await act(pickRecord, { ...pick, filter }, { path })));
    expect(picked).toEqual(["a", "c", "a", "a"]);
  });

  test("says that there is nothing to pick, and goes on when there is", async () => {
    await reps();
    const filter = { field: "userEmail", operator: "equals", value: "new@reps.example" };
    expect(await refusal(act(pickRecord, { ...pick, filter }))).toMatchObject({ code: "nothing-to-pick" });
    await make("workspaceMember", { userEmail: "new@reps.example" });
    expect(nameOf(await act(pickRecord, { ...pick, filter }))).toBe("n");
  });
});

describe("search-records", () => {
  const search = async (input: JsonObject) =>
    searchRecords.run(contextOf(await startRun(), "found"), searchRecords.input.parse(input));

  test("gives records, the first and the total, in the order asked for, with the fields asked for", async () => {
    for (const employees of [3, 1, 2]) await make("company", { name: "Search", employees });
    const input = {
      object: "company",
      filter: { field: "name", operator: "equals", value: "Search" },
      sort: [{ field: "employees", direction: "desc" }],
      fields: ["employees"],
      limit: 2,
    };
    const { output, outcome } = await search(input);
    const found = [3, 2].map((employees) => ({ id: expect.any(String), employees }));
    expect(output).toEqual({ records: found, first: found[0], total: 3, totalIsEstimate: false });
    expect(outcome).toBe("3 found");
    expect(searchRecords.output.safeParse(output).error).toBeUndefined();
    const none = await search({ object: "company", filter: { field: "name", operator: "equals", value: null } });
    expect(none.output).toEqual({ records: [], first: null, total: 0, totalIsEstimate: false });
  });

  test("looks within a view, as it is now, and for words", async () => {
    const company = crm.object("company");
    for (const [name, employees] of [
      ["View Öne", 5],
      ["View Two", 50],
      ["Other Two", 70],
    ] as const)
      await make("company", { name, employees });
    const place = { sql: pool, workspaceId: workspace.id, objects };
    const view = await createView(place, {
      object: company,
      name: "viewed",
      label: "Viewed",
      filter: { field: "name", operator: "startsWith", value: "View" },
      sort: [{ field: "employees", direction: "desc" }],
      columns: [],
      search: null,
    });
    const names = async (input: JsonObject) => {
      const { output } = await search({ object: "company", view: "viewed", ...input });
      return (output as { records: { name: string }[] }).records.map(({ name }) => name);
    };
    expect(await names({})).toEqual(["View Two", "View Öne"]);
    expect(await names({ sort: [{ field: "employees" }] })).toEqual(["View Öne", "View Two"]);
    expect(await names({ filter: { field: "employees", operator: "lessThan", value: 10 } })).toEqual(["View Öne"]);
    expect(await names({ search: "two" })).toEqual(["View Two"]);
    expect(await names({ search: "" })).toEqual([]);
    await changeView(place, view.id, { filter: null, search: "two" });
    expect(await names({})).toEqual(["Other Two", "View Two"]);
    expect(await names({ search: "view" })).toEqual(["View Two"]);
    await pool.query("update tandem.views set filter = $2 where id = $1", [
      view.id,
      { field: "gone", operator: "isEmpty" },
    ]);
    expect(await refusal(names({}))).toMatchObject({
      code: "invalid-filter",
      message: 'view "viewed": filter: company has no field "gone".',
    });
    expect(await refusal(search({ object: "company", view: "viewd" }))).toMatchObject({
      code: "unknown-view",
      message: 'company has no view "viewd"; did you mean "viewed"?',
    });
  });

  test.each<[JsonObject, boolean]>([
    [{ limit: 1 }, true],
    [{ limit: 200 }, true],
    [{ limit: 0 }, false],
    [{ limit: 201 }, false],
    [{ limit: "5" }, false],
    [{ columns: ["name"] }, false],
    [{ all: true }, true],
    [{ filter: { field: "name", operator: "equals" } }, false],
  ])("takes %j: %s", (input, taken) => {
    expect(searchRecords.input.safeParse({ object: "company", ...input }).success).toBe(taken);
  });
});

describe("activation says exactly what is wrong", () => {
  const faults = (kind: StepKind, input: JsonObject): string[] =>
    (kind.check?.(input, { objects, at: "steps[0].input" }) ?? []).map(
      ({ path, message }: Issue) => `${path.slice("steps[0].input".length)}: ${message}`,
    );
  const id = "{{ found.first.id }}";

  test.each<[Name, JsonObject, string[]]>([
    ["create-record", { object: "persn", values: {} }, ['.object: unknown object "persn"; did you mean "person"?']],
    [
      "create-record",
      { object: "person", values: { jobTitel: "{{ x }}", name: { first: "{{ x }}" }, city: 7, emails: "{{ mail }}" } },
      [
        '.values.jobTitel: person has no field "jobTitel"; did you mean "jobTitle"?',
        ".values.city: person.city takes text, but got 7",
        '.values.name.first: name has no sub-field "first"',
      ],
    ],
    [
      "create-record",
      { object: "opportunity", values: { stage: "Closed won" } },
      ['.values.stage: opportunity.stage has no option "Closed won"; did you mean "CLOSED_WON"?'],
    ],
    ["create-record", { object: "workspaceMember", values: {} }, ['.values: workspaceMember must have "userEmail"']],
    [
      "create-record",
      {
        object: "note",
        values: {},
        links: [
          { object: "task", id },
          { object: "{{ trigger.object }}", id },
        ],
      },
      ['.links[0].object: records of "task" cannot be linked; those of person, company, opportunity can'],
    ],
    [
      "update-record",
      {
        object: "person",
        id,
        values: {},
        modes: { emails: "append-unique", city: "append-unique", cty: "clear" },
        links: [],
        onlyIf: {
          all: [
            { field: "stage", operator: "isEmpty" },
            { field: "city", operator: "in", value: ["Bern", 7, true] },
          ],
        },
      },
      [
        '.modes.city: "append-unique" adds to lists, and person.city holds none',
        '.modes.cty: person has no field "cty"; did you mean "city"?',
        ".links: person has no links; task and note have",
        '.onlyIf.all[0]: person has no field "stage"',
        '.onlyIf.all[1]: "city" takes text, but got true',
      ],
    ],
    ["update-record", { object: "person", id, values: {}, onlyIf: { unchangedSince: "{{ found.first }}" } }, []],
    [
      "upsert-record",
      { object: "company", match: ["name", "domain"], values: {} },
      ['.match[0]: "name" is matched, so it must stand in values', '.match[1]: company has no field "domain"'],
    ],
    ["delete-record", { object: "peple", id }, ['.object: unknown object "peple"']],
    [
      "search-records",
      {
        object: "opportunity",
        filter: {
          any: [
            { field: "stage", operator: "equals", value: "WON" },
            { field: "compny.name", operator: "equals", value: "{{ x }}" },
            { field: "closeDate", operator: "lessThan", value: "2026-01-01" },
            { field: "company.name", operator: "equals", value: "{{ x }}" },
          ],
        },
        sort: [{ field: "amont" }, { field: "amount" }, { field: "amount.amountMicros" }],
        fields: ["id", "nme", "name"],
      },
      [
        '.fields[1]: opportunity has no field "nme"; did you mean "name"?',
        '.sort[0].field: opportunity has no field "amont"; did you mean "amount"?',
        '.sort[1].field: "amount" has no order; name a sub-field of it',
        '.filter.any[0]: "stage" has no option "WON"; it has NEW, SCREENING, MEETING, PROPOSAL, CUSTOMER, CLOSED_WON, CLOSED_LOST',
        '.filter.any[1]: opportunity has no field or relation "compny"; did you mean "company"?',
        '.filter.any[2]: "closeDate" is a moment and 2026-01-01 a day; use start_of_day',
      ],
    ],
    [
      "pick-record",
      { ...pick, filter: { field: "activ", operator: "equals", value: true } },
      ['.filter: workspaceMember has no field "activ"; did you mean "active"?'],
    ],
  ])("%s %j", (kind, input, expected) => {
    expect(faults(kinds[kind], input)).toEqual(expected);
  });

  test.each(Object.entries(kinds) as [Name, StepKind][])("%s: the sample is one that it takes and gives", (_, kind) => {
    expect(kind.input.safeParse(kind.sample.input).error).toBeUndefined();
    expect(kind.output.safeParse(kind.sample.output).error).toBeUndefined();
    expect(faults(kind, kind.sample.input)).toEqual([]);
  });
});
