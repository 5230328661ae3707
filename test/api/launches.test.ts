import { afterAll, describe, expect, test } from "vitest";
import type { Json, JsonObject } from "../../src/json.ts";
import { createLog } from "../../src/log.ts";
import { createLaunchLoop } from "../../src/runs/launches/loop.ts";
import { createTestDatabase } from "../support/database.ts";
import { recordKinds } from "../support/engine.ts";
import { until } from "../support/until.ts";
import { startGateway, type Answer } from "./gateway.ts";

const { pool } = await createTestDatabase();
const { call, workspaceId, strangerKey, url } = await startGateway(pool);
const loop = createLaunchLoop({ pool, kinds: recordKinds, log: createLog("test", "fatal") });
loop.start();
afterAll(() => loop.stop());

function manualDefinition(key: string, trigger: JsonObject = {}, rest: JsonObject = {}): JsonObject {
  return {
    formatVersion: 1,
    key,
    name: key,
    triggers: [{ id: "button", kind: "manual", ...trigger }],
    steps: [{ id: "answer", kind: "set", input: { x: 1 } }],
    ...rest,
  };
}

async function install(definition: JsonObject): Promise<string> {
  const made = await call("POST", "/api/workflows", { body: definition });
  expect(made.text).toContain('"draft"');
  const id = String(made.body["id"]);
  expect((await call("POST", `/api/workflows/${id}/activate`)).status).toBe(200);
  return id;
}

const launch = (workflow: string, body: Json, headers: Record<string, string> = {}): Promise<Answer> =>
  call("POST", `/api/workflows/${workflow}/launch`, { body, headers });

const issuesOf = ({ body }: Answer): string[] =>
  ((body["issues"] ?? []) as { path: string; message: string }[]).map(({ path, message }) => `${path}: ${message}`);

async function makePeople(names: readonly string[], fields: JsonObject = {}): Promise<string[]> {
  const { body } = await call("POST", "/rest/batch/people", {
    body: names.map((firstName) => ({ name: { firstName }, ...fields })),
  });
  return ((body["data"] as JsonObject)["createPeople"] as JsonObject[]).map(({ id }) => String(id));
}

/** The launch, when all that it makes is made. */
const settled = (id: Json | undefined): Promise<JsonObject> =>
  until(`launch ${String(id)} to be over`, async () => {
    const { body } = await call("GET", `/api/launches/${String(id)}`);
    return body["status"] === "starting" ? undefined : body;
  });

async function runsOf(id: Json | undefined): Promise<Array<{ id: string; trigger: JsonObject; priority: number }>> {
  const { rows } = await pool.query<{ id: string; trigger: JsonObject; priority: number }>(
    "select id, trigger, priority from tandem.runs where launched_by ->> 'launch' = $1 order by id",
    [id],
  );
  return rows;
}

describe("a global launch", () => {
  test("makes one run, which knows who launched it and with which inputs", async () => {
    const workflow = await install(
      manualDefinition("global", {
        inputs: {
          campaign: { type: "text", required: true },
          budget: { type: "number", default: 100 },
          until: { type: "date" },
        },
      }),
    );
    const { status, body } = await launch(workflow, { inputs: { campaign: "Spring" } });
    expect([status, body]).toEqual([
      202,
      {
        id: expect.any(String),
        launchId: expect.any(String),
        status: "started",
        runId: expect.any(String),
        duplicate: false,
      },
    ]);
    const run = await call("GET", `/api/runs/${String(body["runId"])}`);
    expect(run.body).toMatchObject({
      status: "queued",
      triggerId: "button",
      triggerKind: "manual",
      depth: 0,
      origin: null,
      trigger: { inputs: { campaign: "Spring", budget: 100, until: null } },
    });
    expect(await runsOf(body["id"])).toMatchObject([{ priority: 1 }]);
    const told = await call("GET", `/api/launches/${String(body["id"])}`);
    expect(told.body).toMatchObject({
      workflowId: workflow,
      triggerId: "button",
      status: "started",
      launchedBy: { kind: "api-key", name: "Tester", id: expect.any(String) },
      object: null,
      selection: null,
      selected: null,
      started: 1,
      runs: { queued: 1 },
    });
  });

  test("is told of with all that launching it takes", async () => {
    const inputs = { campaign: { type: "text", label: "Campaign" } };
    const workflow = await install(manualDefinition("told", { inputs }));
    const { body } = await call("GET", `/api/workflows/${workflow}`);
    expect(body["triggers"]).toEqual([
      {
        id: "button",
        kind: "manual",
        availability: "global",
        inputs: { campaign: { type: "text", label: "Campaign", required: false } },
        launcherId: expect.stringMatching(/-launch-[0-9a-f]{12}-told$/),
      },
    ]);
  });

  test("is refused with the place of each input that does not fit", async () => {
    const workflow = await install(
      manualDefinition("refused", {
        inputs: {
          email: { type: "email", required: true, label: "Whom to tell" },
          when: { type: "dateTime" },
          day: { type: "date" },
          size: { type: "select", options: ["small", "large"] },
          person: { type: "record", object: "person" },
          sure: { type: "boolean" },
        },
      }),
    );
    const person = "0192f0c4-7a10-7cc3-9e55-000000000001";
    const answer = await launch(workflow, {
      inputs: { when: "tomorrow", day: "2026-02-30", size: "lage", person, sure: "yes", emial: "x" },
      view: "all",
    });
    expect([answer.status, answer.body["code"]]).toEqual([422, "invalid-launch"]);
    expect(issuesOf(answer).toSorted()).toEqual(
      [
        "view: this workflow is launched without records: leave it out",
        'inputs.emial: there is no input "emial"; did you mean "email"?',
        "inputs.email: is required: Whom to tell",
        'inputs.when: takes a date and time with its offset, such as 2026-03-29T10:00:00Z, but got "tomorrow"',
        'inputs.day: takes a day, such as 2026-03-29, but got "2026-02-30"',
        'inputs.size: is none of small, large; did you mean "large"?',
        'inputs.sure: takes true or false, but got "yes"',
        `inputs.person: there is no person ${person}`,
      ].toSorted(),
    );
    const known = await makePeople(["Ada"]);
    expect((await launch(workflow, { inputs: { email: "a@b.example", person: known[0]! } })).status).toBe(202);
  });

  test("under the same id is the same launch, by body or by header", async () => {
    const workflow = await install(manualDefinition("twice", { inputs: { note: { type: "text" } } }));
    const first = await launch(workflow, { launchId: "spring-1", inputs: { note: "a" } });
    const again = await launch(workflow, { inputs: { note: "a" } }, { "idempotency-key": "spring-1" });
    expect(again.body).toEqual({ ...first.body, duplicate: true });
    const other = await launch(workflow, { launchId: "spring-1", inputs: { note: "b" } });
    expect([other.status, other.body["code"]]).toEqual([409, "launch-id-taken"]);
    const differing = await launch(workflow, { launchId: "spring-2" }, { "idempotency-key": "spring-3" });
    expect([differing.status, issuesOf(differing)]).toEqual([
      422,
      ["launchId: is another one than the header Idempotency-Key"],
    ]);
    const unusable = await launch(workflow, {}, { "idempotency-key": "a b" });
    expect([unusable.status, unusable.body["code"]]).toEqual([400, "invalid-idempotency-key"]);
    expect(await runsOf(first.body["id"])).toHaveLength(1);
  });

  test("under one id by many at once makes one run", async () => {
    const workflow = await install(manualDefinition("at-once"));
    const answers = await Promise.all(Array.from({ length: 20 }, () => launch(workflow, { launchId: "one" })));
    expect(new Set(answers.map(({ status, body }) => `${status} ${String(body["runId"])}`)).size).toBe(1);
    expect(answers.filter(({ body }) => body["duplicate"] === false)).toHaveLength(1);
    const { rows } = await pool.query("select 1 from tandem.runs where workflow_id = $1", [workflow]);
    expect(rows).toHaveLength(1);
  });

  test("of a workflow that is not active, has no such trigger or is not there is refused", async () => {
    const workflow = await install(manualDefinition("inactive"));
    const before = await launch(workflow, { launchId: "before" });
    await call("POST", `/api/workflows/${workflow}/deactivate`);
    expect(await launch(workflow, {})).toMatchObject({ status: 409, body: { code: "workflow-inactive" } });
    expect((await launch(workflow, { launchId: "before" })).body).toEqual({ ...before.body, duplicate: true });
    const { body: draft } = await call("POST", "/api/workflows", { body: manualDefinition("draft-only") });
    expect(await launch(String(draft["id"]), {})).toMatchObject({ status: 409, body: { code: "workflow-inactive" } });
    const hook = await install(manualDefinition("no-manual", {}, { triggers: [{ id: "form", kind: "webhook" }] }));
    expect(await launch(hook, {})).toMatchObject({ status: 409, body: { code: "no-manual-trigger" } });
    expect((await launch(workspaceId, {})).status).toBe(404);
  });

  test("names its trigger where the workflow has several", async () => {
    const triggers = [
      { id: "all", kind: "manual" },
      { id: "each", kind: "manual", availability: "single", object: "person" },
    ];
    const workflow = await install(manualDefinition("several", {}, { triggers }));
    expect(issuesOf(await launch(workflow, {}))).toEqual(["triggerId: is required: the workflow has all, each"]);
    expect(issuesOf(await launch(workflow, { triggerId: "al" }))).toEqual([
      'triggerId: there is no manual trigger "al"; did you mean "all"?',
    ]);
    const { body } = await launch(workflow, { triggerId: "all" });
    expect(await runsOf(body["id"])).toMatchObject([{ trigger: { id: "all" } }]);
  });
});

describe("a launch for each record", () => {
  test("makes a run for each id, names those that are not there, and passes deleted ones", async () => {
    const workflow = await install(manualDefinition("each-id", { availability: "single", object: "person" }));
    const people = await makePeople(Array.from({ length: 250 }, (_, i) => `Person ${i}`));
    await call("DELETE", `/rest/people/${people[7]!}?soft_delete=true`);
    const unknown = "00000000-0000-4000-8000-00000000000a";
    const ids = [...people, unknown, people[0]!.toUpperCase()];
    const { status, body } = await launch(workflow, { ids });
    expect([status, body["status"], body["runId"]]).toEqual([202, "starting", null]);
    const over = await settled(body["id"]);
    expect(over).toMatchObject({
      status: "started",
      object: "person",
      selection: { ids: true },
      selected: 251,
      selectedIsEstimate: false,
      taken: 249,
      started: 249,
      missing: { count: 2, ids: [unknown, people[7]!] },
      runs: { queued: 249 },
    });
    const runs = await runsOf(body["id"]);
    const launched = runs.map(({ trigger }) => String((trigger["record"] as JsonObject)["id"]));
    expect(launched).toEqual(people.filter((id) => id !== people[7]).toSorted());
    expect(runs[0]).toMatchObject({ priority: 1, trigger: { object: "person", record: { name: expect.anything() } } });
  });

  test("takes the records of a filter, and those of a view as it is then", async () => {
    const workflow = await install(manualDefinition("each-of", { availability: "single", object: "person" }));
    const engineers = await makePeople(["A", "B", "C"], { jobTitle: "Engineer of engines" });
    await makePeople(["Dorothea"], { jobTitle: "Painter" });
    const filter = { field: "jobTitle", operator: "equals", value: "Engineer of engines" };
    const byFilter = await settled((await launch(workflow, { filter })).body["id"]);
    expect(byFilter).toMatchObject({ started: 3, selected: 3, selectedIsEstimate: false, selection: { filter } });
    const { body: view } = await call("POST", "/api/views", { body: { object: "person", name: "engineers", filter } });
    const byView = (await launch(workflow, { view: "engineers" })).body["id"];
    expect(await settled(byView)).toMatchObject({ started: 3, selection: { view: "engineers" } });
    expect((await runsOf(byView)).map(({ trigger }) => (trigger["record"] as JsonObject)["id"])).toEqual(
      engineers.toSorted(),
    );
    await call("PATCH", `/api/views/${String(view["id"])}`, { body: { search: "dorothea", filter: null } });
    expect(await settled((await launch(workflow, { view: "engineers" })).body["id"])).toMatchObject({ started: 1 });
  });

  test("that selects nothing is over at once", async () => {
    const workflow = await install(manualDefinition("none", { availability: "single", object: "person" }));
    const filter = { field: "jobTitle", operator: "equals", value: "Nobody is" };
    expect(await settled((await launch(workflow, { filter })).body["id"])).toMatchObject({ started: 0, selected: 0 });
    expect(await settled((await launch(workflow, { ids: [] })).body["id"])).toMatchObject({ started: 0, selected: 0 });
  });

  test("says one way, and one only, by which its records are selected", async () => {
    const workflow = await install(manualDefinition("ways", { availability: "single", object: "person" }));
    expect(issuesOf(await launch(workflow, {}))).toEqual([
      ': say which records of person: by "ids", "view" or "filter"',
    ]);
    expect(issuesOf(await launch(workflow, { ids: [], view: "x" }))).toEqual([
      'view: is one way too many to select records: "ids" is there already',
    ]);
    expect(issuesOf(await launch(workflow, { ids: ["x"] }))).toEqual(["ids[0]: the id of a record"]);
    await call("POST", "/api/views", { body: { object: "person", name: "hot-leads" } });
    expect(issuesOf(await launch(workflow, { view: "hot-lead" }))).toEqual([
      'view: person has no view "hot-lead"; did you mean "hot-leads"?',
    ]);
    const filter = { all: [{ field: "jobTitel", operator: "equals", value: "x" }] };
    expect(issuesOf(await launch(workflow, { filter }))).toEqual([
      expect.stringMatching(/^filter\.all\[0\]: .*"jobTitel"; did you mean "jobTitle"\?$/),
    ]);
  });

  test("never has more than 500 runs queued, and takes each record once while others are made", async () => {
    const workflow = await install(manualDefinition("many", { availability: "single", object: "company" }));
    const names = Array.from({ length: 1_234 }, (_, i) => ({ name: `Crowd ${i}` }));
    for (let from = 0; from < names.length; from += 200)
      await call("POST", "/rest/batch/companies", { body: names.slice(from, from + 200) });
    const { body } = await launch(workflow, { filter: { field: "name", operator: "startsWith", value: "Crowd" } });
    await call("POST", "/rest/companies", { body: { name: "Crowd, but later" } });
    let mostQueued = 0;
    const over = await until("the launch to be over", async () => {
      const { body: now } = await call("GET", `/api/launches/${String(body["id"])}`);
      const { queued = 0 } = now["runs"] as { queued?: number };
      mostQueued = Math.max(mostQueued, queued);
      // In a dispatcher's place.
      await pool.query(
        `update tandem.runs set status = 'completed', ended_at = now() where id in (
          select id from tandem.runs where launched_by ->> 'launch' = $1 and status = 'queued' order by id limit 300)`,
        [body["id"]],
      );
      return now["status"] === "started" ? now : undefined;
    });
    expect(over).toMatchObject({ started: 1_234, taken: 1_234, selected: 1_234 });
    expect(mostQueued).toBeGreaterThan(300);
    expect(mostQueued).toBeLessThanOrEqual(500);
    const runs = await runsOf(body["id"]);
    expect(new Set(runs.map(({ trigger }) => (trigger["record"] as JsonObject)["id"])).size).toBe(1_234);
  });

  test("can be cancelled, with its runs or without", async () => {
    const workflow = await install(manualDefinition("cancelled", { availability: "single", object: "company" }));
    const names = Array.from({ length: 200 }, (_, i) => ({ name: `Herd ${i}` }));
    for (let batch = 0; batch < 4; batch++) await call("POST", "/rest/batch/companies", { body: names });
    const { body } = await launch(workflow, { filter: { field: "name", operator: "startsWith", value: "Herd" } });
    const path = `/api/launches/${String(body["id"])}`;
    await until("500 to be queued", async () => (await call("GET", path)).body["started"] === 500);
    const stopped = await call("POST", `${path}/cancel`, { body: {} });
    expect([stopped.status, stopped.body]).toEqual([
      202,
      expect.objectContaining({ status: "cancelled", started: 500, runs: { queued: 500 } }),
    ]);
    const again = await call("POST", `${path}/cancel`, { body: {} });
    expect([again.status, again.body["code"]]).toEqual([409, "launch-over"]);
    const whole = await call("POST", `${path}/cancel`, { body: { runs: true } });
    expect(whole.body).toMatchObject({ status: "cancelled", started: 500, runs: { cancelled: 500 } });
  });

  test("fails, with the reason, where what it selects by is gone", async () => {
    const workflow = await install(manualDefinition("gone", { availability: "single", object: "person" }));
    await makePeople(Array.from({ length: 200 }, (_, i) => `Gone ${i}`));
    await makePeople(Array.from({ length: 200 }, (_, i) => `Gone too ${i}`));
    await makePeople(Array.from({ length: 200 }, (_, i) => `Gone as well ${i}`));
    const { body: view } = await call("POST", "/api/views", { body: { object: "person", name: "gone-soon" } });
    const { body } = await launch(workflow, { view: "gone-soon" });
    await until("500 to be queued", async () => {
      return (await call("GET", `/api/launches/${String(body["id"])}`)).body["started"] === 500;
    });
    await call("DELETE", `/api/views/${String(view["id"])}`);
    await pool.query("update tandem.runs set status = 'completed', ended_at = now() where workflow_id = $1", [
      workflow,
    ]);
    expect(await settled(body["id"])).toMatchObject({
      status: "failed",
      error: { code: "unknown-view", message: expect.stringContaining('no view "gone-soon" any more') },
    });
  });
});

describe("a bulk launch", () => {
  test("makes one run with the whole selection, kept in pages", async () => {
    const workflow = await install(manualDefinition("bulk", { availability: "bulk", object: "person" }));
    const people = await makePeople(
      Array.from({ length: 120 }, (_, i) => `Bulk ${i}`),
      { city: "Bulk" },
    );
    const { body } = await launch(workflow, { ids: people });
    expect(body["runId"]).toEqual(expect.any(String));
    expect(await settled(body["id"])).toMatchObject({ status: "started", taken: 120, started: 1, runs: { queued: 1 } });
    const [run] = await runsOf(body["id"]);
    expect(run).toMatchObject({
      id: body["runId"],
      trigger: { object: "person", count: 120, records: { count: 120 }, inputs: {} },
    });
    const { rows } = await pool.query<{ page: number; items: JsonObject[] }>(
      "select page, items from tandem.run_lists where run_id = $1 and name = 'records' order by page",
      [body["runId"]],
    );
    expect(rows.map(({ page, items }) => [page, items.length])).toEqual([
      [0, 100],
      [1, 20],
    ]);
    expect(rows.flatMap(({ items }) => items.map(({ id }) => id))).toEqual(people.toSorted());
  });

  test("of nothing makes a run with an empty list", async () => {
    const workflow = await install(manualDefinition("bulk-none", { availability: "bulk", object: "person" }));
    const { body } = await launch(workflow, { ids: [] });
    expect(await settled(body["id"])).toMatchObject({ status: "started", taken: 0, started: 1 });
    expect(await runsOf(body["id"])).toMatchObject([{ trigger: { count: 0, records: { count: 0 } } }]);
  });
});

describe("launches of a workflow", () => {
  test("are listed newest first, page by page", async () => {
    const workflow = await install(manualDefinition("listed"));
    const ids: Json[] = [];
    for (let i = 0; i < 3; i++) ids.unshift((await launch(workflow, {})).body["id"]!);
    const first = await call("GET", `/api/workflows/${workflow}/launches?limit=2`);
    const second = await call("GET", `/api/workflows/${workflow}/launches?cursor=${String(first.body["nextCursor"])}`);
    const listed = [first, second].flatMap(({ body }) => (body["data"] as JsonObject[]).map(({ id }) => id));
    expect(listed).toEqual(ids);
    expect(second.body["nextCursor"]).toBeNull();
  });

  test("are not there for another workspace's key", async () => {
    const workflow = await install(manualDefinition("mine"));
    const { body } = await launch(workflow, {});
    const key = await strangerKey();
    for (const [method, path] of [
      ["GET", `/api/launches/${String(body["id"])}`],
      ["POST", `/api/launches/${String(body["id"])}/cancel`],
      ["GET", `/api/workflows/${workflow}/launches`],
      ["POST", `/api/workflows/${workflow}/launch`],
    ] as const) {
      const answer = await call(method, path, { key, ...(method === "POST" ? { body: {} } : {}) });
      expect([path, answer.status]).toEqual([path, 404]);
    }
    expect(url).toContain("127.0.0.1");
  });
});
