import { describe, expect, test } from "vitest";
import type { Json, JsonObject } from "../../../src/json.ts";
import { createTestDatabase } from "../../support/database.ts";
import { issuesOf, manualDefinition, startLaunching } from "./support.ts";

const { pool } = await createTestDatabase();
const { call, install, launch, makePeople, runsOf, strangerKey, workspaceId } = await startLaunching(pool);

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

  test("that asks for nothing needs no body, and takes no other than an object", async () => {
    const workflow = await install(manualDefinition("bare"));
    const path = `/api/workflows/${workflow}/launch`;
    expect((await call("POST", path)).body).toMatchObject({ status: "started", duplicate: false });
    expect((await call("POST", path, { body: "now" })).status).toBe(422);
    expect((await call("POST", path, { raw: "now", headers: { "content-type": "application/json" } })).status).toBe(
      400,
    );
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
  });
});
