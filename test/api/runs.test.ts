import { describe, expect, test } from "vitest";
import type { Json, JsonObject } from "../../src/json.ts";
import { createId } from "../../src/ids.ts";
import { enqueueRuns, type NewRun } from "../../src/runs/enqueue.ts";
import { createTestDatabase } from "../support/database.ts";
import { definitionOf, recordKinds, startTestEngine } from "../support/engine.ts";
import { createCallKind, createOutside, fails, hangs, says } from "../support/test-kinds.ts";
import { until } from "../support/until.ts";
import { startGateway } from "./gateway.ts";

const outside = createOutside({
  flaky: [fails("busy", true), says("at last")],
  broken: [fails("refused", false)],
  slow: [fails("busy", true), hangs],
  rows: [says(Array.from({ length: 2_500 }, (_, i) => ({ i, text: "x".repeat(500) })))],
});
const kinds = { ...recordKinds, call: createCallKind(outside) };
const { pool } = await createTestDatabase();
const engine = await startTestEngine(pool, { kinds });
const { call, install, strangerKey } = await startGateway(pool, { kinds, workspaceId: engine.workspace.id });

async function start(hook: string, body: Json = {}): Promise<string> {
  const answer = await call("POST", hook, { key: null, body });
  engine.ring();
  return String(answer.body["runId"]);
}

async function read(runId: string): Promise<JsonObject> {
  return (await call("GET", `/api/runs/${runId}`)).body;
}

async function finish(runId: string): Promise<JsonObject> {
  await engine.finished(runId);
  return read(runId);
}

const stepsOf = (run: JsonObject): JsonObject[] => run["steps"] as JsonObject[];
const moment = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);

describe("a run", () => {
  test("counts the long lists that its steps gave, and gives their items page by page", async () => {
    const { hook } = await install(
      definitionOf("long-list", [
        { id: "given", kind: "call", input: { name: "rows" } },
        {
          id: "even",
          kind: "branch",
          branches: [{ steps: [], output: { rows: "{{ given.said }}" } }],
        },
      ]),
    );
    const runId = await start(hook);
    const run = await finish(runId);
    expect(stepsOf(run)).toMatchObject([
      { output: { said: { count: 2_500 } }, lists: [{ path: "given", name: "said", count: 2_500 }] },
      {
        output: { branch: 0, output: { rows: { count: 2_500 } } },
        lists: [{ path: "even.output", name: "rows", count: 2_500 }],
      },
    ]);
    for (const [path, name] of [
      ["given", "said"],
      ["even.output", "rows"],
    ]) {
      const items: unknown[] = [];
      for (let cursor: unknown = ""; cursor !== null;) {
        const query = `name=${name}&limit=200${cursor === "" ? "" : `&cursor=${String(cursor)}`}`;
        const { body } = await call("GET", `/api/runs/${runId}/steps/${path}/list?${query}`);
        items.push(...(body["data"] as unknown[]).map((item) => (item as JsonObject)["i"]));
        cursor = body["nextCursor"];
      }
      expect(items).toEqual(Array.from({ length: 2_500 }, (_, i) => i));
    }
    const at = `/api/runs/${runId}/steps/given/list?name=said`;
    expect((await call("GET", `${at}&cursor=2499`)).body).toMatchObject({ data: [{ i: 2_499 }], nextCursor: null });
    expect((await call("GET", `${at}&cursor=9999`)).body).toEqual({ data: [], nextCursor: null });
    expect(await call("GET", `/api/runs/${runId}/steps/given/list?name=sad`)).toMatchObject({
      status: 404,
      body: { code: "list-not-found" },
    });
    expect(await call("GET", `${at}&cursor=x`)).toMatchObject({ status: 400 });
    expect(await call("GET", at, { key: await strangerKey() })).toMatchObject({ status: 404 });
  });

  test("shows every step with its input, output and attempts, and what a branch hands out beside the branch", async () => {
    const { id, hook } = await install(
      definitionOf(
        "branching",
        [
          {
            id: "size",
            kind: "branch",
            branches: [
              {
                name: "large",
                when: { left: "{{ trigger.body.seats }}", operator: "greaterThan", right: 10 },
                steps: [
                  {
                    id: "company",
                    kind: "create-record",
                    input: { object: "company", values: { name: "{{ trigger.body.name }}" } },
                  },
                ],
                output: { id: "{{ company.id }}" },
              },
              { steps: [], output: { id: null } },
            ],
          },
          { id: "answer", kind: "set", input: { id: "{{ size.output.id }}" } },
        ],
        { output: { id: "{{ answer.id }}" } },
      ),
    );
    const runId = await start(hook, { seats: 12, name: "Acme" });
    const run = await finish(runId);
    expect(run).toMatchObject({
      id: runId,
      workflowId: id,
      workflowKey: "branching",
      status: "completed",
      error: null,
      depth: 0,
      origin: null,
    });
    for (const key of ["createdAt", "startedAt", "endedAt"]) expect(run[key]).toEqual(moment);
    const steps = stepsOf(run);
    expect(steps.map(({ path, kind, status, lane }) => [path, kind, status, lane])).toEqual([
      ["size", "branch", "done", "quick"],
      ["company", "create-record", "done", "quick"],
      ["answer", "set", "done", "quick"],
    ]);
    const [size, company, answer] = steps as [JsonObject, JsonObject, JsonObject];
    const companyId = (company["output"] as JsonObject)["id"];
    expect(size["output"]).toEqual({ branch: "large", output: { id: companyId } });
    expect(company).toMatchObject({
      outcome: "created",
      input: { object: "company", values: { name: "Acme" } },
      error: null,
    });
    expect(company["attempts"]).toEqual([
      { number: 1, startedAt: company["startedAt"], endedAt: company["endedAt"], error: null },
    ]);
    expect(answer["output"]).toEqual({ id: companyId });
    expect(run["output"]).toEqual({ id: companyId });
  });

  test("shows each attempt of a step that was tried again", async () => {
    const { hook } = await install(definitionOf("flaky", [{ id: "ask", kind: "call", input: { name: "flaky" } }]));
    const [step] = stepsOf(await finish(await start(hook)));
    expect(step).toMatchObject({ path: "ask", status: "done", lane: "ordinary", output: { said: "at last" } });
    expect(step?.["attempts"]).toEqual([
      { number: 1, startedAt: moment, endedAt: moment, error: expect.objectContaining({ code: "busy" }) },
      { number: 2, startedAt: moment, endedAt: moment, error: null },
    ]);
  });

  test("that failed names the step and why", async () => {
    const { hook } = await install(definitionOf("broken", [{ id: "ask", kind: "call", input: { name: "broken" } }]));
    const run = await finish(await start(hook));
    expect(run).toMatchObject({ status: "failed", error: { code: "refused" } });
    expect(JSON.stringify(run["error"])).toContain("ask");
    expect(stepsOf(run)[0]).toMatchObject({ path: "ask", status: "failed", output: null, error: { code: "refused" } });
    expect(stepsOf(run)[0]?.["attempts"]).toEqual([
      expect.objectContaining({ number: 1, error: expect.objectContaining({ code: "refused" }) }),
    ]);
  });

  test("whose failed step was handled shows what stands in for its output", async () => {
    const onError = {
      steps: [{ id: "note", kind: "set", input: { why: "{{ error.code }}" } }],
      output: { said: "{{ note.why }}" },
    };
    const { hook } = await install(
      definitionOf("handled", [{ id: "ask", kind: "call", input: { name: "broken" }, onError }]),
    );
    const run = await finish(await start(hook));
    expect(run["status"]).toBe("completed");
    expect(stepsOf(run).map(({ path, status, output }) => [path, status, output])).toEqual([
      ["ask", "failed", { said: "refused" }],
      ["note", "done", { why: "refused" }],
    ]);
  });

  test("shows a step that is being tried, and stops within seconds when it is cancelled", async () => {
    const { hook } = await install(
      definitionOf("slow", [{ id: "ask", kind: "call", input: { name: "slow" }, timeout: "10m" }]),
    );
    const runId = await start(hook);
    const running = await until("its second attempt", async () => {
      const run = await read(runId);
      const attempts = stepsOf(run)[0]?.["attempts"] as Json[] | undefined;
      return attempts?.length === 2 ? run : undefined;
    });
    expect(running["status"]).toBe("running");
    expect(stepsOf(running)).toEqual([
      {
        path: "ask",
        kind: "call",
        status: "running",
        outcome: null,
        lane: "ordinary",
        startedAt: moment,
        endedAt: null,
        attempts: [
          { number: 1, startedAt: moment, endedAt: moment, error: expect.objectContaining({ code: "busy" }) },
          { number: 2, startedAt: moment, endedAt: null, error: null },
        ],
        input: null,
        output: null,
        lists: [],
        items: null,
        log: null,
        error: expect.objectContaining({ code: "busy" }),
      },
    ]);
    const cancelled = await call("POST", `/api/runs/${runId}/cancel`);
    expect([cancelled.status, cancelled.body["cancelRequestedAt"]]).toEqual([202, moment]);
    engine.ring();
    expect((await finish(runId))["status"]).toBe("cancelled");
    const again = await call("POST", `/api/runs/${runId}/cancel`);
    expect(again.body).toMatchObject({ status: 409, code: "run-over", detail: expect.stringContaining("cancelled") });
  });
});

describe("the list of runs", () => {
  test("goes newest first, by workflow, by status, and page by page", async () => {
    const good = await install(definitionOf("good", [{ id: "answer", kind: "set", input: { x: 1 } }]));
    const bad = await install(definitionOf("bad", [{ id: "ask", kind: "call", input: { name: "broken" } }]));
    const started: string[] = [];
    for (const hook of [good.hook, good.hook, good.hook, bad.hook]) started.push(await start(hook));
    for (const runId of started) await engine.finished(runId);
    const list = async (query: string) => (await call("GET", `/api/runs?${query}`)).body;
    const ids = (page: JsonObject): string[] => (page["data"] as { id: string }[]).map(({ id }) => id);
    const [first, second, third, failed] = started;

    expect(ids(await list(`workflowId=${good.id}`))).toEqual([third, second, first]);
    expect(ids(await list("status=failed&limit=1"))).toEqual([failed]);
    expect(ids(await list(`workflowId=${good.id}&status=failed`))).toEqual([]);
    const page = await list(`workflowId=${good.id}&limit=2`);
    expect(ids(page)).toEqual([third, second]);
    const rest = await list(`workflowId=${good.id}&limit=2&cursor=${String(page["nextCursor"])}`);
    expect([ids(rest), rest["nextCursor"]]).toEqual([[first], null]);
    expect((page["data"] as JsonObject[])[0]).toMatchObject({
      workflowKey: "good",
      status: "completed",
      triggerKind: "webhook",
      stuck: false,
    });
    expect((page["data"] as JsonObject[])[0]).not.toHaveProperty("steps");
    expect((await call("GET", "/api/runs", { key: await strangerKey() })).body["data"]).toEqual([]);
  });

  test("is narrowed to several statuses, a kind of trigger, a launch and a time, and says why runs were skipped", async () => {
    const { id: workflowId } = await install(
      definitionOf("narrowed", [{ id: "answer", kind: "set", input: { x: 1 } }]),
    );
    const { rows } = await pool.query<{ id: string }>(
      "select id from tandem.workflow_versions where workflow_id = $1",
      [workflowId],
    );
    const [origin, launch] = [{ runId: createId(), workflowId, depth: 1 }, createId()];
    const made = (run: Partial<NewRun>): NewRun => ({
      id: createId(),
      workspaceId: engine.workspace.id,
      workflowId,
      versionId: rows[0]!.id,
      trigger: { id: "form", kind: "webhook" },
      settings: {},
      ...run,
    });
    const skipped = made({
      trigger: { id: "daily", kind: "schedule" },
      scheduledAt: new Date("2026-11-24T09:00:00Z"),
      over: { status: "skipped", reason: { code: "missed", message: "It was too late." } },
    });
    const launched = made({
      trigger: { id: "ask", kind: "manual" },
      origin,
      launchedBy: { name: "Ada", launch },
      lists: { records: Array.from({ length: 250 }, (_, number) => ({ id: String(number) })) },
    });
    const old = made({ over: { status: "failed", reason: { code: "x", message: "X." } } });
    await enqueueRuns(pool, [old, skipped, launched]);
    await pool.query("update tandem.runs set created_at = now() - interval '10 minutes' where id = $1", [old.id]);
    engine.ring();
    await engine.finished(launched.id);
    const list = async (query: string): Promise<JsonObject[]> =>
      (await call("GET", `/api/runs?workflowId=${workflowId}&${query}`)).body["data"] as JsonObject[];
    const ids = async (query: string) => (await list(query)).map(({ id }) => id);

    expect(await ids("status=skipped,completed")).toEqual([launched.id, skipped.id]);
    expect(await ids("triggerKind=schedule")).toEqual([skipped.id]);
    expect(await call("GET", "/api/runs?triggerKind=schedul")).toMatchObject({
      status: 400,
      body: { issues: [{ path: "triggerKind", message: expect.stringContaining('"schedule"') }] },
    });
    expect(await ids(`launchId=${launch}`)).toEqual([launched.id]);
    const minuteAgo = encodeURIComponent(new Date(Date.now() - 60_000).toISOString());
    expect(await ids(`createdFrom=${minuteAgo}`)).toEqual([launched.id, skipped.id]);
    expect(await ids(`createdUntil=${minuteAgo}`)).toEqual([old.id]);
    expect((await list("status=skipped"))[0]).toMatchObject({
      scheduledAt: "2026-11-24T09:00:00.000Z",
      error: { code: "missed", message: "It was too late." },
      startedAt: null,
      origin: null,
      depth: 0,
      launchedBy: null,
    });
    expect(await read(launched.id)).toMatchObject({
      trigger: { kind: "manual", records: { count: 250 } },
      origin,
      depth: 2,
      launchedBy: { name: "Ada", launch },
      concurrency: null,
    });
  });

  test.each([
    "status=done",
    "status=failed,done",
    "workflowId=x",
    "limit=201",
    "cursor=AAAA",
    "createdFrom=yesterday",
    "launchId=1",
  ])("refuses %s", async (query) => {
    expect((await call("GET", `/api/runs?${query}`)).body).toMatchObject({ status: 400 });
  });
});
