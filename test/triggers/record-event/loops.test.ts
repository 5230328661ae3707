import { afterEach, expect, test } from "vitest";
import type { Json, JsonObject } from "../../../src/json.ts";
import { startGateway } from "../../api/gateway.ts";
import { createTestDatabase } from "../../support/database.ts";
import { startTestEngine } from "../../support/engine.ts";
import { startRelaying } from "../../support/relaying.ts";
import { until } from "../../support/until.ts";

const { pool } = await createTestDatabase();
const engine = await startTestEngine(pool);
const gateway = await startGateway(pool, { workspaceId: engine.workspace.id });
startRelaying(pool, () => engine.ring());

interface Runs {
  readonly completed: number;
  readonly stopped: number;
  /** How many runs led to each, of those that ran. */
  readonly depths: readonly number[];
}

let count = 0;

/** Activates workflows, by name; gives how to ask what they did once all is quiet. */
async function activate(workflows: Record<string, { trigger: JsonObject; steps: Json[] }>) {
  const own = (count += 1);
  const ids: Record<string, string> = {};
  for (const [name, { trigger, steps }] of Object.entries(workflows)) {
    const key = `${name}-${own}`;
    const { workflowId } = await engine.activate({
      formatVersion: 1,
      key,
      name: key,
      triggers: [{ id: "start", kind: "record-event", ...trigger }],
      steps,
    });
    ids[name] = workflowId;
  }
  return {
    ids,
    async settled(): Promise<Record<string, Runs>> {
      await until("nothing is under way", isQuiet, 60_000);
      const entries = Object.entries(ids).map(async ([name, id]) => [name, await runsOf(id)] as const);
      return Object.fromEntries(await Promise.all(entries));
    },
  };
}

async function isQuiet(): Promise<boolean> {
  const { rows } = await pool.query<{ open: number }>(
    `select (select count(*) from tandem.outbox) + (select count(*) from tandem.debounces) + (select count(*) from tandem.event_lists)
      + (select count(*) from tandem.runs where ended_at is null) as open`,
  );
  return rows[0]?.open === 0;
}

async function runsOf(workflowId: string): Promise<Runs> {
  const { rows } = await pool.query<{ status: string; depth: number; error: JsonObject | null }>(
    "select status, depth, error from tandem.runs where workflow_id = $1 order by id",
    [workflowId],
  );
  const ran = rows.filter(({ status }) => status === "completed");
  const stopped = rows.filter(({ status }) => status === "stopped-as-loop");
  expect(rows.length).toBe(ran.length + stopped.length);
  for (const { depth, error } of stopped) expect({ depth, code: error?.["code"] }).toEqual({ depth: 6, code: "loop" });
  return {
    completed: ran.length,
    stopped: stopped.length,
    depths: ran.map(({ depth }) => depth).toSorted((a, b) => a - b),
  };
}

async function write(method: string, path: string, body: JsonObject = {}): Promise<JsonObject> {
  const answer = await gateway.call(method, path, { body });
  if (answer.status >= 300) throw new Error(answer.text);
  return Object.values(answer.body["data"] as JsonObject)[0] as JsonObject;
}

const create = (object: string, values: JsonObject, id = "made"): Json => ({
  id,
  kind: "create-record",
  input: { object, values },
});
const update = (object: string, values: JsonObject): Json => ({
  id: "changed",
  kind: "update-record",
  input: { object, id: "{{ trigger.record.id }}", values },
});
const on = (object: string, event: string, rest: JsonObject = {}): JsonObject => ({
  objects: [object],
  events: [event],
  ...rest,
});
const begin = (): Promise<JsonObject> => write("POST", "/rest/companies", { name: "Beginning", employees: 0 });

afterEach(async () => {
  await pool.query("update tandem.workflows set status = 'inactive'");
});

test("a workflow that heeds its own writes stops at the sixth run in a row", async () => {
  const employees = "{{ trigger.record.employees | plus: 1 }}";
  const chain = await activate({
    self: { trigger: on("company", "updated", { ownWrites: "heed" }), steps: [update("company", { employees })] },
  });
  const made = await begin();
  await write("PATCH", `/rest/companies/${String(made["id"])}`, { employees: 10 });
  expect(await chain.settled()).toEqual({ self: { completed: 6, stopped: 1, depths: [0, 1, 2, 3, 4, 5] } });
  const { body } = await gateway.call("GET", `/rest/companies/${String(made["id"])}`);
  expect((body["data"] as JsonObject)["company"]).toMatchObject({ employees: 16 });
});

test("two workflows that answer each other's changes stop", async () => {
  const chain = await activate({
    ping: {
      trigger: on("company", "updated", { condition: { field: "name", operator: "became", value: "ping" } }),
      steps: [update("company", { name: "pong" })],
    },
    pong: {
      trigger: on("company", "updated", { condition: { field: "name", operator: "became", value: "pong" } }),
      steps: [update("company", { name: "ping" })],
    },
  });
  const made = await begin();
  await write("PATCH", `/rest/companies/${String(made["id"])}`, { name: "ping" });
  expect(await chain.settled()).toEqual({
    ping: { completed: 3, stopped: 1, depths: [0, 2, 4] },
    pong: { completed: 3, stopped: 0, depths: [1, 3, 5] },
  });
});

test("records that make records, of one object or of two in turn, stop", async () => {
  const chain = await activate({
    own: { trigger: on("note", "created", { ownWrites: "heed" }), steps: [create("note", { title: "Next" })] },
    people: { trigger: on("company", "created"), steps: [create("person", { city: "Oslo" })] },
    companies: { trigger: on("person", "created"), steps: [create("company", { name: "Next" })] },
  });
  await write("POST", "/rest/notes", { title: "First" });
  await begin();
  expect(await chain.settled()).toEqual({
    own: { completed: 6, stopped: 1, depths: [0, 1, 2, 3, 4, 5] },
    people: { completed: 3, stopped: 1, depths: [0, 2, 4] },
    companies: { completed: 3, stopped: 0, depths: [1, 3, 5] },
  });
});

test("a record that is deleted and made again and again stops", async () => {
  const chain = await activate({
    remove: {
      trigger: on("company", "created"),
      steps: [{ id: "gone", kind: "delete-record", input: { object: "company", id: "{{ trigger.record.id }}" } }],
    },
    bring: { trigger: on("company", "deleted"), steps: [create("company", { name: "{{ trigger.record.name }}" })] },
  });
  await begin();
  expect(await chain.settled()).toEqual({
    remove: { completed: 3, stopped: 1, depths: [0, 2, 4] },
    bring: { completed: 3, stopped: 0, depths: [1, 3, 5] },
  });
});

test("a chain that a person launched stops as any other", async () => {
  const { workflowId } = await engine.activate({
    formatVersion: 1,
    key: "by-hand",
    name: "By hand",
    triggers: [{ id: "hand", kind: "manual", availability: "global" }],
    steps: [create("company", { name: "By hand" })],
  });
  const chain = await activate({
    people: { trigger: on("company", "created"), steps: [create("person", { city: "Oslo" })] },
    companies: { trigger: on("person", "created"), steps: [create("company", { name: "Next" })] },
  });
  expect((await gateway.call("POST", `/api/workflows/${workflowId}/launch`, { body: {} })).status).toBe(202);
  engine.ring();
  await until("the launch has led to something", async () => (await runsOf(chain.ids["people"]!)).completed > 0);
  expect(await chain.settled()).toEqual({
    people: { completed: 3, stopped: 0, depths: [1, 3, 5] },
    companies: { completed: 2, stopped: 1, depths: [2, 4] },
  });
});

test("records that settle, and lists, stop too", async () => {
  const debounce = "100ms";
  const chain = await activate({
    ping: {
      trigger: on("company", "updated", {
        debounce,
        condition: { field: "name", operator: "became", value: "ping" },
      }),
      steps: [update("company", { name: "pong" })],
    },
    pong: {
      trigger: on("company", "updated", {
        debounce,
        condition: { field: "name", operator: "became", value: "pong" },
      }),
      steps: [update("company", { name: "ping" })],
    },
    notes: {
      trigger: on("note", "created", { debounce, deliver: "list" }),
      steps: [create("task", { title: "Next" })],
    },
    tasks: {
      trigger: on("task", "created", { debounce, deliver: "list" }),
      steps: [create("note", { title: "Next" })],
    },
  });
  const made = await begin();
  await write("PATCH", `/rest/companies/${String(made["id"])}`, { name: "ping" });
  await write("POST", "/rest/notes", { title: "First" });
  const turns = { completed: 3, stopped: 1, depths: [0, 2, 4] };
  const others = { completed: 3, stopped: 0, depths: [1, 3, 5] };
  expect(await chain.settled()).toEqual({ ping: turns, pong: others, notes: turns, tasks: others });
});

test("a chain that fans out says once that it was stopped, and keeps no other workflow from running", async () => {
  const chain = await activate({
    people: {
      trigger: on("company", "created"),
      steps: [1, 2, 3].map((number) => create("person", { city: `Place ${number}` }, `made${number}`)),
    },
    companies: { trigger: on("person", "created"), steps: [create("company", { name: "Next" })] },
    bystander: { trigger: on("note", "created"), steps: [] },
  });
  await begin();
  await until("the chain is under way", async () => (await runsOf(chain.ids["companies"]!)).completed > 3);
  await write("POST", "/rest/notes", { title: "Meanwhile" });
  const runs = await chain.settled();
  expect(runs["people"]).toMatchObject({ completed: 1 + 3 + 9, stopped: 1 });
  expect(runs["companies"]).toMatchObject({ completed: 3 + 9 + 27, stopped: 0 });
  expect(runs["bystander"]).toEqual({ completed: 1, stopped: 0, depths: [0] });
  const { rows } = await pool.query<{ events: number }>(
    `select count(*) as events from tandem.record_events e join tandem.runs r on r.id = any(e.run_ids)
     where r.workflow_id = $1 and r.status = 'stopped-as-loop'`,
    [chain.ids["people"]],
  );
  expect(rows).toEqual([{ events: 27 }]);
});
