import { afterEach, expect, test } from "vitest";
import { activateWorkflow } from "../../../src/catalog/activation.ts";
import { createWorkflow, saveDraft } from "../../../src/catalog/drafts.ts";
import { changeField } from "../../../src/crm/metadata/change-field.ts";
import { createRecords } from "../../../src/crm/batch.ts";
import { createRecord, updateRecord } from "../../../src/crm/operations.ts";
import { createId } from "../../../src/ids.ts";
import type { JsonObject } from "../../../src/json.ts";
import { relayAll, relayShard } from "../../../src/runs/relay.ts";
import { settleAll } from "../../../src/runs/settler.ts";
import { triggerKinds } from "../../../src/triggers/registry.ts";
import { createTestDatabase } from "../../support/database.ts";
import { createTestWorkspace, recordKinds as kinds, type TestWorkspace } from "../../support/engine.ts";

const { pool } = await createTestDatabase();
const first = await createTestWorkspace(pool);
const second = await createTestWorkspace(pool);
const parts = { pool, kinds };

afterEach(async () => {
  await pool.query(
    "truncate tandem.outbox, tandem.record_events, tandem.debounces, tandem.event_lists, tandem.event_list_items",
  );
  await pool.query("delete from tandem.runs");
  await pool.query("update tandem.workflows set status = 'inactive'");
});

let count = 0;

async function listen(
  { workspace, objects }: TestWorkspace,
  trigger: JsonObject,
  rest: JsonObject = {},
): Promise<string> {
  const key = `listener-${(count += 1)}`;
  const catalog = { workspaceId: workspace.id, kinds, triggerKinds, objects, quickLane: true };
  const { id } = await createWorkflow(pool, catalog, {
    formatVersion: 1,
    key,
    name: key,
    triggers: [{ id: "change", kind: "record-event", ...trigger }],
    steps: [],
    ...rest,
  });
  await activateWorkflow(pool, catalog, id);
  return id;
}

const make = ({ writer, objects }: TestWorkspace, object: string, values: JsonObject): Promise<{ id: string }> =>
  createRecord(writer, { object: objects.find(object)!, values });

async function runsOf(
  workflowId: string,
): Promise<Array<{ status: string; error: JsonObject | null; trigger: JsonObject }>> {
  const { rows } = await pool.query<{ status: string; error: JsonObject | null; trigger: JsonObject }>(
    "select status, error, trigger from tandem.runs where workflow_id = $1 order by id",
    [workflowId],
  );
  return rows;
}

async function relayUntilEmpty(): Promise<void> {
  while ((await relayAll(parts)).events > 0);
}

test("many changes of one object keep no change of another object, nor of another workspace", async () => {
  await pool.query(
    `insert into tandem.outbox (shard, workspace_id, object, record_id, kind, after, actor)
     select 3, $1, 'company', gen_random_uuid(), 'created', '{}', '{}' from generate_series(1, 5000)`,
    [first.workspace.id],
  );
  const late = [
    {
      workspaceId: first.workspace.id,
      object: "note",
      id: await listen(first, { objects: ["note"], events: ["created"] }),
    },
    {
      workspaceId: second.workspace.id,
      object: "company",
      id: await listen(second, { objects: ["company"], events: ["created"] }),
    },
  ];
  for (const { workspaceId, object } of late)
    await pool.query(
      `insert into tandem.outbox (shard, workspace_id, object, record_id, kind, after, actor) values (3, $1, $2, $3, 'created', '{}', '{}')`,
      [workspaceId, object, createId()],
    );
  expect(await relayShard(parts, 3)).toBeLessThan(500);
  for (const { id } of late) expect(await runsOf(id)).toHaveLength(1);
});

test("of heavy records few are held in memory at a time, and all are moved", async () => {
  await pool.query(
    `insert into tandem.outbox (shard, workspace_id, object, record_id, kind, after, actor)
     select 3, $1, 'company', gen_random_uuid(), 'created', jsonb_build_object('name', repeat('long ', 800000)), '{}' from generate_series(1, 12)`,
    [first.workspace.id],
  );
  const rounds: number[] = [];
  for (let moved = await relayShard(parts, 3); moved > 0; moved = await relayShard(parts, 3)) rounds.push(moved);
  expect(rounds).toEqual([5, 5, 2]);
});

test("a trigger whose option is gone says so in failed runs, and keeps nobody else", async () => {
  const broken = await listen(first, {
    objects: ["opportunity"],
    events: ["upserted"],
    condition: { field: "stage", operator: "became", value: "SCREENING" },
  });
  const other = await listen(first, { objects: ["opportunity"], events: ["created"] });
  const stage = first.objects.find("opportunity")!.field("stage")!;
  await changeField(
    { pool, workspace: first.workspace },
    { objectName: "opportunity", fieldName: "stage" },
    { options: stage.reading.options.filter(({ value }) => value !== "SCREENING") },
  );
  await make(first, "opportunity", { name: "Deal" });
  await relayUntilEmpty();
  expect(await runsOf(broken)).toMatchObject([
    {
      status: "failed",
      error: {
        code: "trigger",
        message: expect.stringMatching(/^Trigger "change": condition: "stage" has no option "SCREENING"/),
      },
      trigger: { record: { name: "Deal" } },
    },
  ]);
  expect(await runsOf(other)).toMatchObject([{ status: "queued" }]);
});

test("a workflow whose version cannot be read has failed runs, and keeps nobody else", async () => {
  const broken = await listen(first, { objects: ["task"], events: ["created"] });
  const other = await listen(first, { objects: ["task"], events: ["created"] });
  await pool.query("update tandem.workflow_versions set plan = null where workflow_id = $1", [broken]);
  await make(first, "task", { title: "Call" });
  await relayUntilEmpty();
  expect(await runsOf(broken)).toMatchObject([{ status: "failed", error: { code: "trigger" } }]);
  expect(await runsOf(other)).toMatchObject([{ status: "queued" }]);
});

test("an event that cannot be written down starts failed runs without it, and the others go on", async () => {
  const id = await listen(first, { objects: ["note"], events: ["created"] });
  for (const title of ["One", "Two", "Poison", "Three"]) await make(first, "note", { title });
  // Stands for whatever Postgres may refuse of a run: it refuses this one.
  await pool.query(
    `alter table tandem.runs add constraint no_poison check (trigger #>> '{record,title}' is distinct from 'Poison')`,
  );
  try {
    await relayUntilEmpty();
  } finally {
    await pool.query("alter table tandem.runs drop constraint no_poison");
  }
  const runs = await runsOf(id);
  const titles = runs.map(({ status, trigger }) => [status, (trigger["record"] as JsonObject)["title"]]);
  expect(titles.toSorted()).toEqual([
    ["failed", undefined],
    ["queued", "One"],
    ["queued", "Three"],
    ["queued", "Two"],
  ]);
  expect(runs.find(({ status }) => status === "failed")?.error).toEqual({
    code: "trigger",
    message: 'Trigger "change": what happened could not be written down.',
  });
  const { rows } = await pool.query("select 1 from tandem.record_events where cardinality(run_ids) = 1");
  expect(rows).toHaveLength(4);
});

test("thousands of events are matched with tens of triggers in moments", async () => {
  const ids: string[] = [];
  for (let n = 0; n < 20; n++)
    ids.push(
      await listen(first, {
        objects: ["company"],
        events: ["upserted"],
        condition: {
          all: [
            { field: "name", operator: "endsWith", value: ` ${n}` },
            { field: "employees", operator: "isEmpty" },
          ],
        },
      }),
    );
  const rows = Array.from({ length: 2_000 }, (_, n) => ({ name: `Company ${n % 40}` }));
  await createRecords(first.writer, { object: first.objects.find("company")!, rows, records: false });
  const begun = performance.now();
  await relayUntilEmpty();
  const seconds = (performance.now() - begun) / 1_000;
  for (const id of ids) expect(await runsOf(id)).toHaveLength(50);
  expect(seconds).toBeLessThan(20);
});

test("a record that settles while its workflow is switched off starts nothing, and its wait is over", async () => {
  const id = await listen(first, { objects: ["company"], events: ["created"], debounce: "1h" });
  const list = await listen(first, { objects: ["company"], events: ["created"], deliver: "list" });
  await make(first, "company", { name: "Waiting" });
  await relayUntilEmpty();
  await pool.query("update tandem.debounces set due_at = now()");
  await pool.query("update tandem.event_lists set due_at = now()");
  await pool.query("update tandem.workflows set status = 'inactive'");
  expect(await settleAll(parts)).toBe(true);
  expect([await runsOf(id), await runsOf(list)]).toEqual([[], []]);
  const { rows } = await pool.query(
    "select (select count(*) from tandem.debounces) + (select count(*) from tandem.event_lists) + (select count(*) from tandem.event_list_items) as left",
  );
  expect(rows).toEqual([{ left: 0 }]);
});

test("a change that waits when its workflow is activated without a debounce has its run all the same", async () => {
  const trigger = { objects: ["company"], events: ["created"] };
  const id = await listen(first, { ...trigger, debounce: "1h" });
  await make(first, "company", { name: "Waiting" });
  await relayUntilEmpty();
  const catalog = { workspaceId: first.workspace.id, kinds, triggerKinds, objects: first.objects, quickLane: true };
  const { rows } = await pool.query<{ definition: JsonObject }>(
    "select definition from tandem.workflow_versions where workflow_id = $1",
    [id],
  );
  const document = { ...rows[0]!.definition, triggers: [{ id: "change", kind: "record-event", ...trigger }] };
  await saveDraft(pool, catalog, { workflowId: id, document });
  await activateWorkflow(pool, catalog, id);
  await pool.query("update tandem.debounces set due_at = now()");
  await settleAll(parts);
  expect(await runsOf(id)).toMatchObject([{ trigger: { event: "created", record: { name: "Waiting" } } }]);
});

test("several settlers make one run of a list and one of a record, with what came until then", async () => {
  const settling = await listen(first, { objects: ["company"], events: ["upserted"], debounce: "1h" });
  const listing = await listen(first, { objects: ["company"], events: ["upserted"], deliver: "list" });
  const { id } = await make(first, "company", { name: "First" });
  const company = first.objects.find("company")!;
  for (const name of ["Second", "Third"]) await updateRecord(first.writer, { object: company, id, values: { name } });
  await relayUntilEmpty();
  await pool.query("update tandem.debounces set due_at = now()");
  await pool.query("update tandem.event_lists set due_at = now()");
  await Promise.all(Array.from({ length: 4 }, () => settleAll(parts)));
  await settleAll(parts);
  expect(await runsOf(settling)).toMatchObject([{ trigger: { event: "created", record: { name: "Third" } } }]);
  expect(await runsOf(listing)).toMatchObject([
    { trigger: { id: "change", kind: "record-event", events: { count: 3 } } },
  ]);
  const { rows } = await pool.query<{ name: string; event: string }>(
    `select i #>> '{record,name}' as name, i ->> 'event' as event from tandem.run_lists l
     cross join jsonb_array_elements(l.items) with ordinality e(i, n) order by l.page, n`,
  );
  expect(rows.map(({ name, event }) => `${name} ${event}`)).toEqual([
    "First created",
    "Second updated",
    "Third updated",
  ]);
});

test("a list whose run cannot be made as it is becomes a failed run, and the next one is made", async () => {
  const id = await listen(first, { objects: ["note"], events: ["created"], deliver: "list" });
  const begin = async (title: string): Promise<void> => {
    await make(first, "note", { title });
    await relayUntilEmpty();
    await pool.query("update tandem.event_lists set due_at = now()");
  };
  await begin("Poison");
  await pool.query(`alter table tandem.run_lists add constraint no_poison check (items::text not like '%Poison%')`);
  try {
    await settleAll(parts);
    await begin("Sound");
    await settleAll(parts);
  } finally {
    await pool.query("alter table tandem.run_lists drop constraint no_poison");
  }
  expect(await runsOf(id)).toMatchObject([
    { status: "failed", error: { code: "trigger" }, trigger: { events: { count: 0 } } },
    { status: "queued", trigger: { events: { count: 1 } } },
  ]);
});
