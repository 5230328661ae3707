import { randomUUID } from "node:crypto";
import { describe, expect, onTestFinished, test } from "vitest";
import type { LaunchOutcome } from "../../src/activities/contract.ts";
import type { JsonObject } from "../../src/json.ts";
import { launcherIdOf } from "../../src/runs/launches/launcher-id.ts";
import { workflowBundlePath } from "../support/bundle.ts";
import { createTestDatabase } from "../support/database.ts";
import { startTestEngine } from "../support/engine.ts";
import { until } from "../support/until.ts";
import { keepHistory, recordHistories, replay } from "./recorded.ts";

const { pool } = await createTestDatabase();
const engine = await startTestEngine(pool, { overrides: { maxCachedWorkflows: 2 } });
const { link, installation, workspace } = engine;

function manualDefinition(key: string, trigger: JsonObject = {}): JsonObject {
  const triggers = [{ id: "button", kind: "manual", ...trigger }];
  const steps = [{ id: "answer", kind: "set", input: { x: 1 } }];
  return { formatVersion: 1, key, name: key, triggers, steps };
}

/** Makes and activates a workflow, and waits for its launcher. */
async function install(key: string, trigger: JsonObject = {}) {
  const { workflowId } = await engine.activate(manualDefinition(key, trigger));
  engine.ringTriggers();
  const launcherId = launcherIdOf({ installation, workspaceId: workspace.id, workflowKey: key });
  const handle = link.client.workflow.getHandle(launcherId);
  await until(`the launcher of ${key}`, async () => (await handle.describe()).status.name === "RUNNING");
  return { workflowId, launcherId, handle };
}

interface Launched {
  readonly launchId: string;
  readonly status: string;
  readonly error: { code: string; message: string } | null;
  readonly launchedBy: JsonObject;
}

async function launchesOf(workflowId: string): Promise<Launched[]> {
  const { rows } = await pool.query<Launched>(
    `select launch_id as "launchId", status, error, launched_by as "launchedBy" from tandem.launches where workflow_id = $1 order by id`,
    [workflowId],
  );
  return rows;
}

const untilTaken = (workflowId: string, count: number): Promise<Launched[]> =>
  until(
    `${count} launches to be taken`,
    async () => {
      const launches = await launchesOf(workflowId);
      return launches.length >= count ? launches : undefined;
    },
    50_000,
  );

async function runsOf(workflowId: string): Promise<Array<{ id: string; status: string }>> {
  const { rows } = await pool.query<{ id: string; status: string }>(
    "select id, status from tandem.runs where workflow_id = $1",
    [workflowId],
  );
  return rows;
}

/** Sends bytes as they are, whatever they are. */
async function signalRaw(workflowId: string, payloads: Array<{ data?: Buffer; encoding?: string }>, name = "launch") {
  await link.client.workflowService.signalWorkflowExecution({
    namespace: link.namespace,
    workflowExecution: { workflowId },
    signalName: name,
    requestId: randomUUID(),
    input: {
      payloads: payloads.map(({ data, encoding }) => ({
        ...(data === undefined ? {} : { data }),
        metadata: encoding === undefined ? {} : { encoding: Buffer.from(encoding) },
      })),
    },
  });
}

describe("a signal", () => {
  test("launches the workflow, once under one launch id, and the launcher tells what became of it", async () => {
    const { workflowId, launcherId, handle } = await install("once", { inputs: { note: { type: "text" } } });
    for (let i = 0; i < 3; i++) await handle.signal("launch", { launchId: "spring", inputs: { note: "a" } });
    await handle.signal("launch", { launchId: "spring", inputs: { note: "b" } });
    await handle.signal("launch");
    const launches = await untilTaken(workflowId, 3);
    expect(launches).toMatchObject([
      { launchId: "spring", status: "started", launchedBy: { kind: "signal", launcherId } },
      { status: "refused", error: { code: "launch-id-taken", askedId: "spring" } },
      { status: "started", launchId: expect.stringMatching(/^[0-9a-f-]{36}$/) },
    ]);
    const recent = await until("the outcomes", async () => {
      const outcomes = await handle.query<readonly LaunchOutcome[]>("recentLaunches");
      return outcomes.length === 5 ? outcomes : undefined;
    });
    expect(recent.map(({ status }) => status)).toEqual(["launched", "refused", "repeated", "repeated", "launched"]);
    expect(recent[1]).toMatchObject({
      askedId: "spring",
      reason: expect.stringContaining('"spring" stands for another launch'),
    });
    const runs = await until("its runs to complete", async () => {
      const found = await runsOf(workflowId);
      return found.every(({ status }) => status === "completed") ? found : undefined;
    });
    expect(runs).toHaveLength(2);
  });

  test("leaves a history that replays: a launcher outlives the release that made it", async () => {
    const { workflowId, launcherId, handle } = await install("replayed", { inputs: { note: { type: "text" } } });
    for (const note of ["a", "b"]) {
      await handle.signal("launch", { launchId: note, inputs: { note } });
      await untilTaken(workflowId, note === "a" ? 1 : 2);
    }
    await signalRaw(launcherId, [{ data: Buffer.from("{"), encoding: "json/plain" }]);
    await untilTaken(workflowId, 3);
    await until("the last outcome", async () => {
      return (await handle.query<readonly LaunchOutcome[]>("recentLaunches")).length === 3;
    });
    const history = await handle.fetchHistory();
    await expect(replay(await workflowBundlePath(), history, launcherId)).resolves.toBeUndefined();
    if (recordHistories) await keepHistory("launcher", history);
  });

  test("that is no launch is kept as refused, with the reason, and the next one works", async () => {
    const { workflowId, launcherId, handle } = await install("malformed", {
      availability: "single",
      object: "person",
      inputs: { count: { type: "number" } },
    });
    const json = "json/plain";
    const data = (text: string): Buffer => Buffer.from(text);
    const bad: Array<[Array<{ data?: Buffer; encoding?: string }>, RegExp]> = [
      [[{ data: data("{not json"), encoding: json }], /not valid JSON/],
      [[{ data: Buffer.from([0xff, 0xfe, 0x00]), encoding: json }], /not UTF-8/],
      [[{ data: data("{}") }], /say which records/],
      [[{ data: data("x"), encoding: "binary/encrypted" }], /not valid JSON/],
      [[{ data: data("42"), encoding: json }], /a launch is an object/],
      [[{ data: data('"text"'), encoding: json }], /a launch is an object/],
      [[{ data: data("[]"), encoding: json }], /a launch is an object/],
      [[{ data: data(`${"[".repeat(20_000)}`), encoding: json }], /not valid JSON/],
      [
        [{ data: data(`{"inputs":{"count":${"[".repeat(5_000)}${"]".repeat(5_000)}}}`), encoding: json }],
        /more than 64/,
      ],
      [[{ data: data('{"launchId":"a\\u0000b"}'), encoding: json }], /NUL/],
      [[{ data: data('{"filter":{"\\ud800":1}}'), encoding: json }], /surrogate/],
      [[{ data: data('{"ids":["x"],"inputs":{"count":1}}'), encoding: json }], /ids\[0\]: the id of a record/],
      [[{ data: data('{"ids":[],"inputs":{"count":"1"}}'), encoding: json }], /inputs\.count: takes a number/],
      [[{ data: data('{"ids":[],"input":{}}'), encoding: json }], /unknown key "input"; did you mean "inputs"\?/],
      [[{ data: data(`"${"x".repeat(70_000)}"`), encoding: json }], /70002 bytes/],
      [
        [
          { data: data("{}"), encoding: json },
          { data: Buffer.from([0xff]), encoding: "no/such" },
        ],
        /2 payloads/,
      ],
    ];
    for (const [payloads] of bad) await signalRaw(launcherId, payloads);
    await signalRaw(launcherId, [{ data: Buffer.from([0xff]), encoding: "json/plain" }], "lunch");
    await handle.signal("launch", { launchId: "good", ids: [] });
    const launches = await untilTaken(workflowId, bad.length + 1);
    expect(launches.at(-1)).toMatchObject({ launchId: "good", status: "starting", error: null });
    expect(launches.slice(0, -1).map(({ status }) => status)).toEqual(bad.map(() => "refused"));
    bad.forEach(([, reason], position) => expect(launches[position]?.error?.message).toMatch(reason));
  });

  test("to a workflow that is not active is kept as refused, and works again when it is", async () => {
    const { workflowId, handle } = await install("switched");
    await pool.query("update tandem.workflows set status = 'inactive' where id = $1", [workflowId]);
    await handle.signal("launch", { launchId: "off" });
    expect(await untilTaken(workflowId, 1)).toMatchObject([
      { status: "refused", error: { code: "workflow-inactive", askedId: "off" } },
    ]);
    await pool.query("update tandem.workflows set status = 'active' where id = $1", [workflowId]);
    await handle.signal("launch", { launchId: "off" });
    expect(await untilTaken(workflowId, 2)).toMatchObject([
      { status: "refused" },
      { launchId: "off", status: "started" },
    ]);
  });
});

describe("a launcher", () => {
  test("that somebody terminated is made again", async () => {
    const { workflowId, handle } = await install("ended");
    await handle.terminate("by mistake");
    await pool.query("update tandem.launchers set checked_at = null where workflow_id = $1", [workflowId]);
    await until("another one", async () => (await handle.describe()).status.name === "RUNNING");
    await handle.signal("launch", { launchId: "after" });
    expect(await untilTaken(workflowId, 1)).toMatchObject([{ launchId: "after", status: "started" }]);
  });

  test("is ended when the workflow has no manual trigger any more", async () => {
    const { workflowId, handle } = await install("left");
    await pool.query("delete from tandem.triggers where workflow_id = $1", [workflowId]);
    engine.ringTriggers();
    await until("it to be forgotten", async () => {
      const { rows } = await pool.query("select 1 from tandem.launchers where workflow_id = $1", [workflowId]);
      return rows.length === 0;
    });
    expect((await handle.describe()).status.name).toBe("TERMINATED");
  });

  test("takes 700 signals, most of them at once, and begins anew on the way without losing any", async () => {
    const { workflowId, launcherId, handle } = await install("flood");
    // Its runs are not what is looked at: they wait.
    const limitRuns = (limit: number) =>
      pool.query("update tandem.workspaces set run_limit = $2 where id = $1", [workspace.id, limit]);
    await limitRuns(0);
    onTestFinished(async () => void (await limitRuns(100)));
    const { runId: first } = await handle.describe();
    for (let from = 0; from < 700; from += 175)
      await Promise.all(
        Array.from({ length: 175 }, (_, i) => handle.signal("launch", { launchId: `launch-${from + i}` })),
      );
    const launches = await untilTaken(workflowId, 700);
    expect(new Set(launches.map(({ launchId }) => launchId)).size).toBe(700);
    expect(await runsOf(workflowId)).toHaveLength(700);
    const anew = await until("it to have begun anew", async () => {
      const described = await link.client.workflow.getHandle(launcherId).describe();
      return described.runId === first ? undefined : described;
    });
    expect(anew.status.name).toBe("RUNNING");
    const recent = await handle.query<readonly LaunchOutcome[]>("recentLaunches");
    expect(recent.length).toBe(20);
  });
});
