import { expect, test } from "vitest";
import { StepError } from "../../src/errors.ts";
import { createLog } from "../../src/log.ts";
import { cancelRun } from "../../src/runs/cancel.ts";
import { createReconciler } from "../../src/runs/reconciler.ts";
import { createWitness } from "../../src/worker/temporal.ts";
import { createTestDatabase } from "../support/database.ts";
import { definitionOf, startTestEngine } from "../support/engine.ts";
import { createAskKind, createCallKind, createOutside, fails, hangs, says } from "../support/test-kinds.ts";
import { until } from "../support/until.ts";

const { pool } = await createTestDatabase();
const outside = createOutside({
  flaky: [fails("busy", true), fails("busy", true), says("at last")],
  broken: [fails("busy", true)],
  refused: [fails("refused", false)],
  later: [fails("busy", true), says("later")],
  slow: [hangs],
  waits: [fails("busy", true), fails("busy", true)],
  fine: [says("fine")],
  once: [hangs, says("second")],
  strange: [
    async () => {
      throw new StepError("refused", "It said \u{d83d} and \0.", { details: { body: { "\0": ["\u{de00}"] } } });
    },
  ],
});
const engine = await startTestEngine(pool, {
  kinds: { call: createCallKind(outside), "ask-test": createAskKind(outside) },
});
const lanes = [
  ["quick", "ask-test", true],
  ["ordinary", "call", false],
] as const;

async function runOf(key: string, steps: never[] | object[], options: { quickLane?: boolean } = {}) {
  const workflow = await engine.activate(definitionOf(key, steps as never[]), options);
  return engine.enqueue(workflow, {});
}

for (const [lane, kind, quickLane] of lanes) {
  test(`a step whose target fails twice is done at the third try (${lane} lane)`, async () => {
    outside.asked.clear();
    const run = await engine.finished(
      await runOf(`flaky-${lane}`, [{ id: "call", kind, input: { name: "flaky" } }], { quickLane }),
    );
    expect(run).toMatchObject({
      status: "completed",
      steps: [{ path: "call", status: "done", output: { said: "at last" }, attempts: 3 }],
    });
    const { rows } = await pool.query(
      "select number, counts, error->>'code' as code from tandem.step_attempts where run_id = $1 order by number",
      [run.id],
    );
    expect(rows).toMatchObject([
      { counts: true, code: "busy" },
      { counts: true, code: "busy" },
      { counts: true, code: null },
    ]);
  });

  test(`a step that fails for good fails the run, with the step, the attempts and the reason (${lane} lane)`, async () => {
    const broken = await engine.finished(
      await runOf(`broken-${lane}`, [{ id: "call", name: "Call them", kind, input: { name: "broken" } }], {
        quickLane,
      }),
    );
    expect(broken).toMatchObject({
      status: "failed",
      error: {
        code: "busy",
        step: "call",
        attempts: 3,
        message: `Step "Call them" failed after 3 attempts: It said busy.`,
      },
    });
    const refused = await engine.finished(
      await runOf(`refused-${lane}`, [{ id: "call", kind, input: { name: "refused" } }], { quickLane }),
    );
    expect(refused).toMatchObject({
      status: "failed",
      error: { code: "refused", attempts: 1 },
      steps: [{ status: "failed", outcome: "refused" }],
    });
  });

  test(`a failure whose text Postgres cannot keep is kept without that, and ends the step once (${lane} lane)`, async () => {
    outside.asked.clear();
    const run = await engine.finished(
      await runOf(`strange-${lane}`, [{ id: "call", kind, input: { name: "strange" } }], { quickLane }),
    );
    expect(run).toMatchObject({
      status: "failed",
      steps: [{ error: { message: "It said \u{fffd} and \u{fffd}.", body: { "\u{fffd}": ["\u{fffd}"] } } }],
    });
    expect(outside.asked.get("strange")).toBe(1);
  });

  test(`onError goes on, or runs steps that read the error, whose output stands in (${lane} lane)`, async () => {
    const steps = [
      { id: "first", kind, input: { name: "refused" }, onError: "continue" },
      { id: "after", kind: "set", input: { ok: "{{ first.ok }}", code: "{{ first.error.code }}" } },
      {
        id: "second",
        kind,
        input: { name: "refused" },
        onError: {
          steps: [
            {
              id: "noted",
              kind: "set",
              input: { why: "{{ error.code }}: {{ error.message }}", status: "{{ error.status }}" },
            },
          ],
          output: { said: "{{ noted.why }}" },
        },
      },
      { id: "last", kind: "set", input: { said: "{{ second.said }}" } },
      { id: "third", kind, input: { name: "refused" }, onError: { codes: ["other"], steps: [] } },
    ];
    const run = await engine.finished(await runOf(`handled-${lane}`, steps, { quickLane }));
    expect(run.steps.map((step) => [step.path, step.status])).toEqual([
      ["first", "failed"],
      ["after", "done"],
      ["second", "failed"],
      ["noted", "done"],
      ["second.output", "done"],
      ["last", "done"],
      ["third", "failed"],
    ]);
    expect(run.steps.find((step) => step.path === "after")?.output).toEqual({ ok: false, code: "refused" });
    expect(run.steps.find((step) => step.path === "last")?.output).toEqual({ said: "refused: It said refused." });
    expect(run).toMatchObject({ status: "failed", error: { step: "third" } });
  });

  test(`a filter that does not pass ends the run as completed (${lane} lane)`, async () => {
    const steps = [
      {
        id: "go",
        kind: "filter",
        when: { left: "{{ trigger.body.go | default: false }}", operator: "equals", right: true },
      },
      { id: "never", kind: "set", input: { x: 1 } },
    ];
    const run = await engine.finished(await runOf(`filtered-${lane}`, steps, { quickLane }));
    expect(run).toMatchObject({
      status: "completed",
      steps: [{ path: "go", outcome: "not passed", output: { passed: false } }],
    });
  });

  test(`a next try far ahead gives up the slot, and goes on when it is due (${lane} lane)`, async () => {
    outside.asked.clear();
    const step = { id: "call", kind, input: { name: "later" }, retry: { initialInterval: "1h" } };
    const runId = await runOf(
      `later-${lane}`,
      [step, { id: "then", kind: "set", input: { said: "{{ call.said }}" } }],
      { quickLane },
    );
    await until("the run to wait", async () => (await statusOf(runId)) === "waiting");
    await pool.query("update tandem.runs set due_at = now() where id = $1", [runId]);
    engine.ring();
    expect(await engine.finished(runId)).toMatchObject({
      status: "completed",
      steps: [
        { path: "call", attempts: 2 },
        { path: "then", output: { said: "later" } },
      ],
    });
  });
}

test("a step that runs out of time fails as a target does", async () => {
  const run = await engine.finished(
    await runOf("timeout", [
      {
        id: "call",
        kind: "call",
        input: { name: "slow" },
        timeout: "200ms",
        retry: { maximumAttempts: 2, initialInterval: "10ms" },
      },
    ]),
  );
  expect(run).toMatchObject({ status: "failed", error: { code: "timeout", attempts: 2 } });
});

test("a cancel reaches a running step within three seconds, and the run ends as cancelled in both places", async () => {
  outside.asked.clear();
  const runId = await runOf("cancelled", [
    { id: "before", kind: "set", input: { x: 1 } },
    { id: "call", kind: "call", input: { name: "slow" }, onError: "continue" },
  ]);
  await until("the call to be made", () => outside.asked.get("slow") === 1);
  const asked = Date.now();
  await cancelRun(pool, { workspaceId: engine.workspace.id, runId });
  engine.ring();
  const run = await engine.finished(runId);
  expect(Date.now() - asked).toBeLessThan(3_000);
  expect(run).toMatchObject({ status: "cancelled", steps: [{ path: "before" }] });
  await until(
    "Temporal to say so",
    async () => (await engine.link.client.workflow.getHandle(runId).describe()).status.name === "CANCELLED",
  );
});

test("a waiting run can be cancelled", async () => {
  outside.asked.clear();
  const runId = await runOf("cancelled-waiting", [
    { id: "call", kind: "call", input: { name: "waits" }, retry: { initialInterval: "1h" } },
  ]);
  await until("the run to wait", async () => (await statusOf(runId)) === "waiting");
  await cancelRun(pool, { workspaceId: engine.workspace.id, runId });
  engine.ring();
  expect(await engine.finished(runId)).toMatchObject({ status: "cancelled" });
});

test("a run whose workflow a person terminates in the Web UI is closed with that reason", async () => {
  const runId = await runOf("terminated", [{ id: "call", kind: "call", input: { name: "slow" }, timeout: "5m" }]);
  await until("the run to be running", async () => (await statusOf(runId)) === "running");
  await engine.link.client.workflow.getHandle(runId).terminate("by hand");
  await pool.query("update tandem.runs set checked_at = now() - interval '1 hour' where id = $1", [runId]);
  engine.ring();
  expect(await engine.finished(runId)).toMatchObject({ status: "failed", error: { code: "workflow-terminated" } });
});

test("a run that was taken for lost while its workflow lived is ended there and goes on in another one", async () => {
  outside.asked.clear();
  const runId = await runOf("taken-for-lost", [
    { id: "before", kind: "set", input: { x: 1 } },
    { id: "call", kind: "call", input: { name: "once" }, timeout: "5m" },
  ]);
  await until("the call to be made", () => outside.asked.get("once") === 1);
  const witness = createWitness(engine.link);
  const mistaken = createReconciler({
    pool,
    log: createLog("test", "fatal"),
    witness: {
      ...witness,
      describe: async (id) => (id === runId ? { kind: "not-found" } : witness.describe(id)),
    },
  });
  mistaken.start();
  await until("the run to be started anew", async () => {
    await makeDue(runId);
    mistaken.ring();
    return (await fenceOf(runId)) > 1;
  });
  await mistaken.stop();
  await until("the run to be over", async () => {
    await lookAgain(runId);
    return (await statusOf(runId)) === "completed";
  });
  expect(await engine.finished(runId)).toMatchObject({
    status: "completed",
    steps: [
      { path: "before", status: "done" },
      { path: "call", status: "done", output: { said: "second" } },
    ],
  });
  expect(outside.asked.get("once")).toBe(2);
});

test("a run that Temporal cancels by itself ends as cancelled", async () => {
  outside.asked.clear();
  const runId = await runOf("ui-cancelled", [{ id: "call", kind: "call", input: { name: "slow" } }]);
  await until("the call to be made", () => outside.asked.get("slow") === 1);
  await engine.link.client.workflow.getHandle(runId).cancel();
  expect(await engine.finished(runId)).toMatchObject({ status: "cancelled" });
});

test("of one concurrency key one run goes at a time, in order", async () => {
  const workflow = await engine.activate(
    definitionOf("keyed", [{ id: "call", kind: "call", input: { name: "fine" } }]),
  );
  const ids: string[] = [];
  for (let i = 0; i < 5; i++) ids.push(await engine.enqueue(workflow, {}, { concurrency: { key: "one", limit: 1 } }));
  for (const id of ids) expect(await engine.finished(id)).toMatchObject({ status: "completed" });
  const { rows } = await pool.query<{ id: string; overlapping: boolean }>(
    `select a.id, exists (select 1 from tandem.runs b where b.id = any($1) and b.id > a.id and b.started_at < a.ended_at) as overlapping
     from tandem.runs a where a.id = any($1) order by a.id`,
    [ids],
  );
  expect(rows.map((row) => row.overlapping)).toEqual([false, false, false, false, false]);
});

/** Lets the reconcilers look at the run now. */
async function lookAgain(runId: string): Promise<void> {
  await makeDue(runId);
  engine.ring();
}

/** Whichever reconciler has its round next looks at the run. */
async function makeDue(runId: string): Promise<void> {
  await pool.query("update tandem.runs set checked_at = now() - interval '1 hour' where id = $1", [runId]);
}

async function fenceOf(runId: string): Promise<number> {
  const { rows } = await pool.query<{ fence: number }>("select fence from tandem.runs where id = $1", [runId]);
  return rows[0]?.fence ?? 0;
}

async function statusOf(runId: string): Promise<string | undefined> {
  const { rows } = await pool.query<{ status: string }>("select status from tandem.runs where id = $1", [runId]);
  return rows[0]?.status;
}
