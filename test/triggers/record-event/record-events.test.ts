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

afterEach(async () => {
  await pool.query("update tandem.workflows set status = 'inactive'");
});

/** A workflow of one record trigger; its output is what `output` says. */
async function watch(key: string, trigger: JsonObject, rest: JsonObject = {}): Promise<string> {
  const definition: JsonObject = {
    formatVersion: 1,
    key,
    name: key,
    triggers: [{ id: "change", kind: "record-event", ...trigger }],
    steps: [{ id: "seen", kind: "set", input: { name: "{{ trigger.record.name | default: null }}" } }],
    ...rest,
  };
  const { workflowId } = await engine.activate(definition);
  return workflowId;
}

async function write(method: string, path: string, body: Json = {}): Promise<JsonObject> {
  const answer = await gateway.call(method, path, { body });
  if (answer.status >= 300) throw new Error(answer.text);
  const [record] = Object.values(answer.body["data"] as JsonObject);
  return record as JsonObject;
}

interface Run {
  readonly id: string;
  readonly status: string;
  readonly trigger: JsonObject;
  readonly output: Json;
  readonly error: JsonObject | null;
  readonly depth: number;
}

async function runsOf(workflowId: string): Promise<Run[]> {
  const { rows } = await pool.query<Run>(
    "select id, status, trigger, output, error, depth from tandem.runs where workflow_id = $1 order by id",
    [workflowId],
  );
  return rows;
}

/** The workflow's runs when everything that was written so far has been relayed and there are so many. */
async function untilRuns(workflowId: string, count: number, limitMs?: number): Promise<Run[]> {
  await until(
    `${count} runs`,
    async () => {
      const { rows } = await pool.query(
        `select (select count(*) from tandem.outbox) + (select count(*) from tandem.debounces) + (select count(*) from tandem.event_lists)
          + (select count(*) from tandem.runs where workflow_id = $1 and ended_at is null) as open`,
        [workflowId],
      );
      return rows[0].open === 0 && (await runsOf(workflowId)).length >= count;
    },
    limitMs,
  );
  const runs = await runsOf(workflowId);
  expect(runs).toHaveLength(count);
  return runs;
}

const won = {
  objects: ["opportunity"],
  events: ["upserted"],
  condition: { field: "stage", operator: "became", value: "CLOSED_WON" },
};
const deal = (values: JsonObject): Promise<JsonObject> => write("POST", "/rest/opportunities", values);

test("a deal that becomes won starts a run, and no later change of it does", async () => {
  const id = await watch("won", won, {
    output: {
      record: "{{ trigger.record.stage }}",
      before: "{{ trigger.before.stage }}",
      changed: "{{ trigger.changedFields }}",
      actor: "{{ trigger.actor.source }}",
      company: "{{ trigger.record.company.name }}",
    },
  });
  const company = await write("POST", "/rest/companies", { name: "Acme" });
  const made = await deal({ name: "Roof", stage: "PROPOSAL", companyId: company["id"]! });
  await write("PATCH", `/rest/opportunities/${String(made["id"])}`, { name: "Roof and walls" });
  await write("PATCH", `/rest/opportunities/${String(made["id"])}`, { stage: "CLOSED_WON" });
  await write("PATCH", `/rest/opportunities/${String(made["id"])}`, { name: "Roof, walls and door" });
  const [run] = await untilRuns(id, 1);
  expect(run).toMatchObject({
    status: "completed",
    trigger: {
      id: "change",
      kind: "record-event",
      object: "opportunity",
      event: "updated",
      record: { id: made["id"], name: "Roof and walls", stage: "CLOSED_WON" },
      before: { stage: "PROPOSAL" },
      changedFields: ["stage"],
      eventId: expect.any(Number),
    },
    output: { record: "CLOSED_WON", before: "PROPOSAL", changed: ["stage"], actor: "API", company: "Acme" },
  });
});

test("Temporal finds a run by its record", async () => {
  const id = await watch("found-by-record", { objects: ["note"], events: ["created"] });
  const made = await write("POST", "/rest/notes", { title: "Sought" });
  const [run] = await untilRuns(id, 1);
  const { typedSearchAttributes } = await engine.link.client.workflow.getHandle(run!.id).describe();
  expect(typedSearchAttributes.getAll().map(({ key, value }) => [key.name, value])).toContainEqual([
    "TandemRecord",
    made["id"],
  ]);
});

test("a record's events and its runs are listed, of the own workspace only", async () => {
  const id = await watch("listed-runs", { objects: ["note"], events: ["created"] });
  const made = await write("POST", "/rest/notes", { title: "One" });
  await write("PATCH", `/rest/notes/${String(made["id"])}`, { title: "Two" });
  await write("POST", "/rest/notes", { title: "Other" });
  await untilRuns(id, 2);
  const runs = await gateway.call("GET", `/api/runs?record=${String(made["id"])}`);
  expect(runs.body["data"]).toMatchObject([
    { workflowId: id, triggerKind: "record-event", object: "note", recordId: made["id"] },
  ]);
  const [run] = runs.body["data"] as [{ id: string }];
  const page = await gateway.call("GET", `/api/record-events?record=${String(made["id"])}&limit=1`);
  expect(page.body["data"]).toMatchObject([{ kind: "updated", changedFields: ["title"], runIds: [] }]);
  const next = await gateway.call(
    "GET",
    `/api/record-events?record=${String(made["id"])}&cursor=${String(page.body["nextCursor"])}`,
  );
  expect(next.body).toMatchObject({ data: [{ kind: "created", runIds: [run.id] }], nextCursor: null });
  const key = await gateway.strangerKey();
  for (const path of ["/api/runs", "/api/record-events"])
    expect((await gateway.call("GET", `${path}?record=${String(made["id"])}`, { key })).body["data"]).toEqual([]);
});

test("a deal that is created as won counts, and one that is brought back does not", async () => {
  const id = await watch("won-at-once", { ...won, events: ["upserted", "restored", "deleted"] });
  const made = await deal({ name: "Gift", stage: "CLOSED_WON" });
  await write("DELETE", `/rest/opportunities/${String(made["id"])}?soft_delete=true`);
  await write("PATCH", `/rest/opportunities/${String(made["id"])}/restore`);
  const [run] = await untilRuns(id, 1);
  expect(run).toMatchObject({ trigger: { event: "created", before: null }, status: "completed" });
});

test("only a change of a watched field counts, and a creation whatever it sets", async () => {
  const id = await watch("watched", { objects: ["person"], events: ["upserted"], fields: ["jobTitle", "city"] });
  const made = await write("POST", "/rest/people", { name: { firstName: "Ada" } });
  await write("PATCH", `/rest/people/${String(made["id"])}`, { name: { firstName: "Eda" } });
  await write("PATCH", `/rest/people/${String(made["id"])}`, { city: "Oslo", name: { firstName: "Ida" } });
  await write("PATCH", `/rest/people/${String(made["id"])}`, { city: "Oslo" });
  const runs = await untilRuns(id, 2);
  expect(runs.map(({ trigger }) => [trigger["event"], (trigger["changedFields"] as string[]).toSorted()])).toEqual([
    ["created", ["name"]],
    ["updated", ["city", "name"]],
  ]);
});

test("deleted, restored and destroyed records start runs, and one that was marked before is not deleted again", async () => {
  const id = await watch("gone", { objects: ["note"], events: ["deleted", "restored"] });
  const made = await write("POST", "/rest/notes", { title: "Kept" });
  const path = `/rest/notes/${String(made["id"])}`;
  await write("DELETE", `${path}?soft_delete=true`);
  await write("PATCH", `${path}/restore`);
  await write("DELETE", `${path}?soft_delete=true`);
  await write("DELETE", path);
  const other = await write("POST", "/rest/notes", { title: "Lost" });
  await write("DELETE", `/rest/notes/${String(other["id"])}`);
  const runs = await untilRuns(id, 4);
  expect(runs.map(({ trigger }) => [trigger["event"], (trigger["record"] as JsonObject)["title"]])).toEqual([
    ["deleted", "Kept"],
    ["restored", "Kept"],
    ["deleted", "Kept"],
    ["deleted", "Lost"],
  ]);
});

test("one trigger watches several objects, and says which one it was", async () => {
  const id = await watch("several", { objects: ["company", "task"], events: ["created"] });
  await write("POST", "/rest/companies", { name: "Several" });
  await write("POST", "/rest/tasks", { title: "Several" });
  await write("POST", "/rest/notes", { title: "Several" });
  const runs = await untilRuns(id, 2);
  expect(runs.map(({ trigger }) => trigger["object"]).toSorted()).toEqual(["company", "task"]);
});

test("an event that two triggers of a workflow match starts one run, by the first of them", async () => {
  const id = await watch(
    "twice",
    {},
    {
      triggers: [
        {
          id: "second",
          kind: "record-event",
          objects: ["company"],
          events: ["created"],
          condition: { field: "name", operator: "startsWith", value: "Twice" },
        },
        {
          id: "another",
          kind: "record-event",
          objects: ["company"],
          events: ["created"],
          condition: { field: "name", operator: "contains", value: "ice" },
        },
        {
          id: "another2",
          kind: "record-event",
          objects: ["company"],
          events: ["created"],
          condition: { field: "name", operator: "endsWith", value: "no" },
        },
      ],
    },
  );
  await write("POST", "/rest/companies", { name: "Twice" });
  await write("POST", "/rest/companies", { name: "Nice" });
  const runs = await untilRuns(id, 2);
  expect(runs.map(({ trigger }) => trigger["id"])).toEqual(["second", "another"]);
});

test("a workflow that is not active starts nothing", async () => {
  const id = await watch("idle", { objects: ["company"], events: ["created"] });
  await gateway.call("POST", `/api/workflows/${id}/deactivate`);
  await write("POST", "/rest/companies", { name: "Unheard" });
  expect(await untilRuns(id, 0)).toEqual([]);
});

test("what a workflow itself and those it ignores write starts nothing, and what others write does", async () => {
  const rename = (value: string): Json => [
    {
      id: "rename",
      kind: "update-record",
      input: { object: "company", id: "{{ trigger.record.id }}", values: { name: value } },
    },
  ];
  const onName = (value: string): JsonObject => ({
    objects: ["company"],
    events: ["updated"],
    fields: ["name"],
    condition: { field: "name", operator: "equals", value },
  });
  const first = await watch("renamer", onName("One"), { steps: rename("Two") });
  const second = await watch("follower", { ...onName("Two") }, { steps: rename("Three") });
  const third = await watch("deaf", {
    objects: ["company"],
    events: ["updated"],
    fields: ["name"],
    ignoreWritesBy: ["renamer"],
  });
  const own = await watch(
    "own",
    { objects: ["company"], events: ["updated"], fields: ["employees"] },
    {
      steps: [
        {
          id: "count",
          kind: "update-record",
          input: {
            object: "company",
            id: "{{ trigger.record.id }}",
            values: { employees: "{{ trigger.record.employees | plus: 1 }}" },
          },
        },
      ],
    },
  );
  const made = await write("POST", "/rest/companies", { name: "Zero" });
  await write("PATCH", `/rest/companies/${String(made["id"])}`, { name: "One" });
  expect(await untilRuns(first, 1)).toMatchObject([{ depth: 0 }]);
  expect(await untilRuns(second, 1)).toMatchObject([{ depth: 1 }]);
  const heard = await untilRuns(third, 2);
  expect(heard.map(({ trigger }) => (trigger["record"] as JsonObject)["name"])).toEqual(["One", "Three"]);
  await write("PATCH", `/rest/companies/${String(made["id"])}`, { employees: 5 });
  await untilRuns(own, 1);
  const answer = await gateway.call("GET", `/rest/companies/${String(made["id"])}`);
  expect((answer.body["data"] as JsonObject)["company"]).toMatchObject({ name: "Three", employees: 6 });
});

test("a record that is filled in field by field starts one run when it has settled, with all of the change", async () => {
  const id = await watch("settled", {
    objects: ["opportunity"],
    events: ["upserted"],
    debounce: "300ms",
    condition: { field: "stage", operator: "became", value: "MEETING" },
  });
  const made = await deal({ name: "Draft" });
  const path = `/rest/opportunities/${String(made["id"])}`;
  await write("PATCH", path, { stage: "SCREENING" });
  await write("PATCH", path, { stage: "MEETING" });
  await write("PATCH", path, { name: "Final" });
  const [run] = await untilRuns(id, 1);
  expect(run).toMatchObject({
    trigger: { event: "created", before: null, record: { name: "Final", stage: "MEETING" } },
  });
  expect((run!.trigger["changedFields"] as string[]).toSorted()).toEqual(["name", "stage"]);
  // Changed and changed back, gone before it settled, and changed without becoming so: no run.
  await write("PATCH", path, { stage: "PROPOSAL" });
  await write("PATCH", path, { stage: "MEETING" });
  const brief = await deal({ name: "Brief", stage: "MEETING" });
  await write("DELETE", `/rest/opportunities/${String(brief["id"])}`);
  await write("PATCH", path, { name: "Final!" });
  await untilRuns(id, 1);
});

test("a record that never rests has its run after ten times the debounce", async () => {
  const id = await watch("restless", { objects: ["company"], events: ["updated"], fields: ["name"], debounce: "24h" });
  const made = await write("POST", "/rest/companies", { name: "Busy" });
  const path = `/rest/companies/${String(made["id"])}`;
  const waits = async (): Promise<JsonObject[]> => {
    const { rows } = await pool.query<JsonObject>(
      `select after ->> 'name' as name, extract(epoch from latest_due_at - clock_timestamp()) / 3600 > 239 as long from tandem.debounces`,
    );
    return rows;
  };
  await write("PATCH", path, { name: "Busy 1" });
  await until("it waits", async () => (await waits()).length === 1);
  expect(await waits()).toEqual([{ name: "Busy 1", long: true }]);
  await pool.query("update tandem.debounces set latest_due_at = clock_timestamp()");
  await write("PATCH", path, { name: "Busy 2" });
  const [run] = await untilRuns(id, 1);
  expect(run?.trigger).toMatchObject({ before: { name: "Busy" }, record: { name: "Busy 2" } });
});

test("a batch of thousands is one run with all of them, in order, where the trigger wants a list", async () => {
  const id = await watch(
    "listed",
    {
      objects: ["company"],
      events: ["upserted"],
      deliver: "list",
      condition: { field: "name", operator: "startsWith", value: "Bulk" },
    },
    {
      steps: [
        {
          id: "seen",
          kind: "set",
          input: {
            count: "{{ trigger.events | size }}",
            first: "{{ trigger.events[0].record.name }}",
            event: "{{ trigger.events[2999].event }}",
          },
        },
      ],
      output: { count: "{{ seen.count }}", first: "{{ seen.first }}", event: "{{ seen.event }}" },
    },
  );
  const rows = Array.from({ length: 3_000 }, (_, n) => ({ name: `Bulk ${n}` }));
  for (let from = 0; from < rows.length; from += 1_000)
    await write("POST", "/rest/batch/companies", rows.slice(from, from + 1_000) as Json);
  const [run] = await untilRuns(id, 1, 60_000);
  expect(run).toMatchObject({ status: "completed", output: { count: 3_000, event: "created" } });
  const { rows: ids } = await pool.query<{ id: number }>(
    "select (i ->> 'eventId')::bigint as id from tandem.run_lists l cross join jsonb_array_elements(l.items) with ordinality e(i, n) where l.run_id = $1 order by l.page, n",
    [run!.id],
  );
  expect(ids).toHaveLength(3_000);
  expect(ids.map((row) => row.id)).toEqual(ids.map((row) => row.id).toSorted((a, b) => a - b));
  const { rows: left } = await pool.query("select count(*) as items from tandem.event_list_items");
  expect(left).toEqual([{ items: 0 }]);
});
