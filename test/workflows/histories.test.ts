import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { bundleWorkflowCode } from "@temporalio/worker";
import { describe, expect, onTestFinished, test } from "vitest";
import { createSendEmail } from "../../src/activities/send-email.ts";
import { projectRoot } from "../../src/config.ts";
import { workflowBundlePath } from "../support/bundle.ts";
import { createTestDatabase } from "../support/database.ts";
import { startTestEngine } from "../support/engine.ts";
import { startTestMailbox } from "../support/mail.ts";
import { createAskKind, createCallKind, createOutside } from "../support/test-kinds.ts";
import { controlKinds } from "../worker/waits/support.ts";
import { historiesFolder, keepHistory, readHistory, recordHistories, replay } from "./recorded.ts";
import { answers, documentOf, scenarios } from "./scenarios.ts";

const { pool } = await createTestDatabase();
const { mail } = await startTestMailbox(pool);
const outside = createOutside(answers);
const engine = await startTestEngine(pool, {
  kinds: {
    ...controlKinds,
    "send-email": createSendEmail(mail),
    call: createCallKind(outside),
    "ask-test": createAskKind(outside),
  },
  // Of more than two runs at once all but two are evicted and replayed from their history.
  overrides: { maxCachedWorkflows: 2 },
});

describe("what runs today", () => {
  const ids = new Map<string, string>();

  test("every scenario ends, with runs evicted from the cache meanwhile", async () => {
    for (const [name, { quickLane, meanwhile }] of Object.entries(scenarios)) {
      outside.asked.clear();
      const runId = await engine.enqueue(await engine.activate(documentOf(name), { quickLane }), {});
      await meanwhile?.({ engine, pool, outside, runId });
      const { status } = await engine.finished(runId);
      expect([name, status]).toEqual([name, endOf(name)]);
      ids.set(name, runId);
    }
    await Promise.all(
      ["no-steps", "retry-ordinary", "handled"].map(async (name) => {
        const { rows } = await pool.query<{ workflowId: string; versionId: string }>(
          `select workflow_id as "workflowId", version_id as "versionId" from tandem.runs where id = $1`,
          [ids.get(name)],
        );
        const again = await Promise.all([1, 2, 3].map(() => engine.enqueue(rows[0]!, {})));
        for (const runId of again) expect(await engine.finished(runId)).toMatchObject({ status: "completed" });
      }),
    );
  });

  test("its histories replay", async () => {
    for (const [name, workflowId] of workflowsOf(ids)) {
      const history = await engine.link.client.workflow.getHandle(workflowId).fetchHistory();
      await expect(replay(await workflowBundlePath(), history, workflowId)).resolves.toBeUndefined();
      if (recordHistories) await keepHistory(name, history);
    }
  });

  test("no history holds a value that came with the trigger or went into a record", async () => {
    const secret = "canary-7d1f@values.example";
    const steps = [
      {
        id: "made",
        kind: "create-record",
        input: { object: "person", values: { emails: { primaryEmail: "{{ trigger.body.email }}" } } },
      },
      {
        id: "tell",
        kind: "send-email",
        input: { to: ["{{ trigger.body.email }}"], subject: "{{ trigger.body.email }}", text: "x" },
      },
      { id: "bad", kind: "create-record", input: { object: "task", values: { dueAt: "{{ trigger.body.email }}" } } },
    ];
    for (const quickLane of [true, false]) {
      const workflow = await engine.activate(
        { ...documentOf("no-steps"), key: `canary-${quickLane}`, steps },
        { quickLane },
      );
      const runId = await engine.enqueue(workflow, { email: `${quickLane}-${secret}` });
      expect(await engine.finished(runId)).toMatchObject({ status: "failed", error: { step: "bad" } });
      const history = await engine.link.client.workflow.getHandle(runId).fetchHistory();
      const text = JSON.stringify(history, (_key, value: unknown) =>
        value instanceof Uint8Array ? Buffer.from(value).toString() : value,
      );
      expect(text).not.toContain("canary-7d1f");
    }
  });
});

describe("what was released", async () => {
  const files = (await readdir(historiesFolder)).filter((file) => file.endsWith(".binpb"));

  test("there is a recorded history of every scenario", () => {
    const recorded = new Set(files.map((file) => file.replace(/^[\d.]+-/, "").replace(/\.binpb$/, "")));
    for (const name of Object.keys(scenarios)) expect(recorded).toContain(name);
    for (const name of ownLoops) expect(recorded).toContain(`${name}-own`);
  });

  test.each(files)("%s replays", async (file) => {
    await expect(replay(await workflowBundlePath(), await readHistory(file), "recorded")).resolves.toBeUndefined();
  });

  test("an interpreter that does something else is found out", async () => {
    const altered = await bundleAltered("for (const step of steps)", "for (const step of steps.toReversed())");
    const file = files.find((name) => name.includes("every-kind-ordinary"));
    await expect(replay(altered, await readHistory(file!), "recorded")).rejects.toThrow(/[Nn]ondeterminism/);
  });
});

/** Scenarios with a loop that is a workflow of its own. */
const ownLoops = ["loop-ordinary", "loop-beside", "failure-loop"];

function workflowsOf(ids: ReadonlyMap<string, string>): Array<[string, string]> {
  return [...ids].flatMap(([name, runId]): Array<[string, string]> => [
    [name, runId],
    ...(ownLoops.includes(name) ? [[`${name}-own`, `${runId}:1:each`] as [string, string]] : []),
  ]);
}

function endOf(name: string): string {
  if (name.startsWith("cancel")) return "cancelled";
  return name.startsWith("failure") ? "failed" : "completed";
}

/** Today's workflows with one change in the interpreter, bundled apart. */
async function bundleAltered(from: string, to: string): Promise<string> {
  const copy = join(projectRoot, "test/workflows", `.altered-${process.pid}`);
  onTestFinished(() => rm(copy, { recursive: true, force: true }));
  const workflows = await readdir(join(projectRoot, "src/workflows"));
  for (const source of [
    ...workflows.map((file) => `workflows/${file}`),
    "definition/plan.ts",
    "definition/interpret.ts",
  ]) {
    await mkdir(join(copy, source, ".."), { recursive: true });
    await cp(join(projectRoot, "src", source), join(copy, source));
  }
  const interpreter = join(copy, "definition/interpret.ts");
  const text = await readFile(interpreter, "utf8");
  expect(text).toContain(from);
  await writeFile(interpreter, text.replace(from, to));
  const { code } = await bundleWorkflowCode({
    workflowsPath: join(copy, "workflows/index.ts"),
    logger: { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {} },
  });
  await writeFile(join(copy, "bundle.js"), code);
  return join(copy, "bundle.js");
}
