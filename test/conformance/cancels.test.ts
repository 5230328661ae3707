import { describe, expect, onTestFinished, test } from "vitest";
import { controlKinds } from "../../src/definition/schema.ts";
import type { JsonObject } from "../../src/json.ts";
import { cancelRun } from "../../src/runs/cancel.ts";
import { livingChildren, isBusy } from "../code/children.ts";
import { definitionOf } from "../support/engine.ts";
import { connectTo } from "../support/http.ts";
import { stalls, startScriptedSmtp } from "../support/scripted-smtp.ts";
import { until } from "../support/until.ts";
import { transportTo } from "../activities/mail-step.ts";
import { callable } from "../worker/waits/support.ts";
import { freePort } from "../support/mail.ts";
import { createWorld } from "./support/world.ts";

/** From the answer to a cancel until the run is over. */
const mostMs = 3_000;

const smtpPort = await freePort();
const world = await createWorld({ mail: transportTo(smtpPort), reply: () => new Promise(() => {}) });
const { pool, engine, service } = world;
const workspaceId = engine.workspace.id;
await connectTo(pool, workspaceId, {
  key: "rated",
  baseUrl: service.url,
  rate: { requests: 1_000, perMs: 1_000, concurrent: 5 },
});
await engine.activate(callable("waits-long", [{ id: "pause", kind: "wait", input: { for: "1h" } }]));
const ledger = "tandem.step_results";
const companies = engine.objects.find("company")!.table;

/** How a step of a kind is held up in the middle of its work. */
interface Held {
  readonly kind: string;
  readonly steps: JsonObject[];
  /** A table that is locked meanwhile: one statement of the step waits for it. */
  readonly locked?: string;
  /** Makes what holds it up. */
  prepare?(): Promise<void>;
  /** Whether it is held up by now. */
  reached?(runId: string): Promise<boolean>;
  /** Whether all that it had is gone. */
  gone?(runId: string): boolean | Promise<boolean>;
}

const it = (kind: string, input: JsonObject): JsonObject => ({ id: "it", kind, input });
const object = "company";
const id = "0197f5f0-0000-7000-8000-00000000dead";
const filter = { field: "name", operator: "equals", value: "x" };
const records = [{ name: "a" }];

/** How many statements wait for a lock. */
async function countLocked(): Promise<number> {
  const { rows } = await pool.query(
    "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
  );
  return rows.length;
}

const onRecords = (kind: string, input: JsonObject): Held => ({
  kind,
  steps: [it(kind, { object, ...input })],
  locked: companies,
});
const onLedger = (kind: string, step: JsonObject): Held => ({
  kind,
  steps: [{ id: "it", kind, ...step }],
  locked: ledger,
});
const request = it("http-request", { connection: "rated", method: "POST", path: "/hangs/{{ run.id }}", body: {} });
const isAsked = async (runId: string): Promise<boolean> =>
  service.received.some(({ path }) => path === `/hangs/${runId}`);
const isWaiting = async (runId: string): Promise<boolean> => {
  const { rows } = await pool.query("select 1 from tandem.runs where id = $1 and status = 'waiting'", [runId]);
  return rows.length > 0;
};
const noPlace = async (): Promise<boolean> => {
  const { rows } = await pool.query(
    "select 1 from tandem.connection_places where kind = 'call' and expires_at > clock_timestamp()",
  );
  return rows.length === 0;
};
let smtp: Awaited<ReturnType<typeof startScriptedSmtp>> | undefined;
const leaf = { left: 1, operator: "equals", right: 1 };

const held: Record<string, Held> = {
  "create-record": onRecords("create-record", { values: { name: "a" } }),
  "update-record": onRecords("update-record", { id, values: { name: "a" } }),
  "upsert-record": onRecords("upsert-record", { match: ["name"], values: { name: "a" } }),
  "delete-record": onRecords("delete-record", { id }),
  "search-records": onRecords("search-records", { filter }),
  "search-records of all": onRecords("search-records", { filter, all: true }),
  "count-records": onRecords("count-records", { filter }),
  "batch-upsert-records": onRecords("batch-upsert-records", { records }),
  "batch-update-records": onRecords("batch-update-records", { records: [{ id, name: "a" }] }),
  "pick-record": onRecords("pick-record", { strategy: "round-robin" }),
  "send-email, to a server that is silent": {
    kind: "send-email",
    steps: [it("send-email", { to: ["a@x.example"], subject: "x", text: "x" })],
    async prepare() {
      smtp = await startScriptedSmtp({ DATA: stalls }, smtpPort);
    },
    reached: async () => smtp?.reached.at(-1) === "DATA",
    gone: () => smtp?.open() === 0,
  },
  "http-request, to a server that is silent": {
    kind: "http-request",
    steps: [request],
    reached: isAsked,
    gone: noPlace,
  },
  "code, without end": {
    kind: "code",
    steps: [it("code", { source: "export default () => { for (;;); };", limits: { timeMs: 30_000 } })],
    reached: async () => livingChildren().some(isBusy),
    gone: () => !livingChildren().some(isBusy),
  },
  wait: { kind: "wait", steps: [it("wait", { for: "1h" })], reached: isWaiting },
  ask: {
    kind: "ask",
    steps: [it("ask", { title: "Held?" })],
    reached: isWaiting,
  },
  "run-workflow": {
    kind: "run-workflow",
    steps: [it("run-workflow", { workflow: "waits-long", inputs: { name: "x" } })],
    reached: async (runId) => {
      const { rows } = await pool.query("select 1 from tandem.runs where caller_run_id = $1 and status = 'waiting'", [
        runId,
      ]);
      return rows.length > 0;
    },
    gone: async (runId) => {
      const { rows } = await pool.query("select status from tandem.runs where caller_run_id = $1", [runId]);
      return rows[0]?.status === "cancelled";
    },
  },
  stop: onLedger("stop", { input: { as: "completed" } }),
  respond: onLedger("respond", { input: { body: 1 } }),
  set: onLedger("set", { input: { x: 1 } }),
  filter: onLedger("filter", { when: leaf }),
  branch: onLedger("branch", { branches: [{ when: leaf, steps: [] }] }),
  "iterator, in a loop of its own": {
    kind: "iterator",
    steps: [{ id: "loop", kind: "iterator", items: [1, 2, 3], concurrency: 2, steps: [request] }],
    reached: isAsked,
    gone: noPlace,
  },
  "iterator, of quick steps": {
    kind: "iterator",
    locked: companies,
    steps: [
      { id: "loop", kind: "iterator", items: [1, 2], steps: [it("create-record", { object, values: { name: "a" } })] },
    ],
  },
  parallel: {
    kind: "parallel",
    steps: [
      {
        id: "both",
        kind: "parallel",
        branches: [
          { name: "calls", steps: [request] },
          { name: "waits", steps: [{ id: "pause", kind: "wait", input: { for: "1h" } }] },
        ],
      },
    ],
    reached: isAsked,
    gone: noPlace,
  },
};

test("every kind is cancelled in the midst of it", () => {
  const known = [...Object.keys(world.kinds), ...controlKinds].toSorted();
  expect(
    [...new Set(Object.values(held).map(({ kind }) => kind))].toSorted(),
    "A step kind has its place here: how it is held up in the middle of its work.",
  ).toEqual(known);
});

/** So many at once that are held up by one lock. */
const together = 6;
const titles = Object.keys(held);
const byLock = [companies, ledger].map((table) => titles.filter((title) => held[title]?.locked === table));
const groups = [
  ...titles.filter((title) => held[title]?.locked === undefined).map((title) => [title]),
  ...byLock.flatMap((all) =>
    Array.from({ length: Math.ceil(all.length / together) }, (_, i) => all.slice(i * together, (i + 1) * together)),
  ),
].map((group) => ({ group, names: group.join(", ") }));

describe.each([
  ["quick", true],
  ["ordinary", false],
] as const)("in the %s lane a cancel", (lane, quickLane) => {
  test.each(groups)("in the midst of $names ends the run soon and leaves nothing behind", async ({ group }) => {
    const [table] = group.map((title) => held[title]!.locked);
    const workflows = await Promise.all(
      group.map(async (title) => {
        const one = held[title]!;
        await one.prepare?.();
        const key = `${title.replace(/[^a-z]+/g, "-")}-${lane}`;
        return { one, workflow: await engine.activate(definitionOf(key, one.steps), { quickLane }) };
      }),
    );
    const unlock = table === undefined ? undefined : await lock(table);
    const runs = await Promise.all(
      workflows.map(async ({ one, workflow }) => ({ one, runId: await engine.enqueue(workflow, {}) })),
    );
    await until("each step is held up", async () => {
      const reached = await Promise.all(
        runs.map(async ({ one, runId }) => one.reached === undefined || (await one.reached(runId))),
      );
      return reached.every(Boolean) && (table === undefined || (await countLocked()) === runs.length);
    });
    await Promise.all(runs.map(({ runId }) => cancelledSoon(runId)));
    // What seals a step waits for the ledger whatever happens: what was done is known there alone.
    if (table === ledger) await unlock?.();
    await Promise.all(runs.map(({ one, runId }) => nothingIsUnderWay(one, runId)));
    await unlock?.();
    await until("no statement of them is under way", async () => (await countLocked()) === 0);
    for (const { runId } of runs)
      expect(await leftOf(runId)).toEqual({ attempts: 0, waits: 0, results: 0, changes: 0 });
  });
});

test("a step whose transaction waits long for a lock is tried again, which is no try of the user's", async () => {
  const workflow = await engine.activate(definitionOf("waits-for-lock", held["batch-upsert-records"]!.steps));
  const unlock = await lock(companies);
  const runId = await engine.enqueue(workflow, {});
  await until("it to be tried again", async () => {
    const { rows } = await pool.query("select 1 from tandem.step_attempts where run_id = $1", [runId]);
    return rows.length > 1;
  });
  await unlock();
  const { status, steps } = await engine.finished(runId);
  expect([status, steps[0]?.attempts]).toEqual(["completed", 1]);
});

async function cancelledSoon(runId: string): Promise<void> {
  await cancelRun(pool, { workspaceId, runId });
  const asked = performance.now();
  engine.ring();
  expect(await engine.finished(runId)).toMatchObject({ status: "cancelled" });
  expect(performance.now() - asked).toBeLessThan(mostMs);
}

async function nothingIsUnderWay(one: Held, runId: string): Promise<void> {
  // The workflow is over before its activity hears so, which asks every second.
  await until("no activity of it is under way", () => world.underWay(runId) === 0, 3_000);
  await until("all that it had is gone", () => one.gone?.(runId) ?? true, 3_000);
  await until("its workflow is over", async () => {
    const { status } = await engine.link.client.workflow.getHandle(runId).describe();
    return status.name === "CANCELLED";
  });
}

/** Locks a table against writing, and records' against reading as well, until that is called. */
async function lock(table: string): Promise<() => Promise<void>> {
  const client = await pool.connect();
  await client.query("begin");
  await client.query(`lock table ${table} in ${table === companies ? "access exclusive" : "share"} mode`);
  let isHeld = true;
  const unlock = async (): Promise<void> => {
    if (!isHeld) return;
    isHeld = false;
    await client.query("rollback");
    client.release();
  };
  onTestFinished(unlock);
  return unlock;
}

/** What of a run is open still, or was done though it was cancelled. */
async function leftOf(runId: string): Promise<unknown> {
  const { rows } = await pool.query(
    `select (select count(*) from tandem.step_attempts where run_id = r.id and ended_at is null) as attempts,
       (select count(*) from tandem.waits where run_id = r.id and settled_at is null) as waits,
       (select count(*) from tandem.step_results where run_id = r.id and path = 'it') as results,
       (select count(*) from tandem.outbox where origin->>'runId' = r.id::text) as changes
     from tandem.runs r where r.id = $1`,
    [runId],
  );
  return rows[0];
}
