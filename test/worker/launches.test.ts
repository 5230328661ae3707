import { afterAll, describe, expect, test } from "vitest";
import type { Json, JsonObject } from "../../src/json.ts";
import { createLog } from "../../src/log.ts";
import { createLaunchLoop } from "../../src/runs/launches/loop.ts";
import { startGateway } from "../api/gateway.ts";
import { createTestDatabase } from "../support/database.ts";
import { recordKinds, startTestEngine } from "../support/engine.ts";
import { until } from "../support/until.ts";

const { pool } = await createTestDatabase();
const engine = await startTestEngine(pool);
const { call } = await startGateway(pool, { workspaceId: engine.workspace.id });
const startLoop = () => {
  const loop = createLaunchLoop({ pool, kinds: recordKinds, log: createLog("test", "fatal") });
  loop.start();
  return loop;
};
const loop = startLoop();
afterAll(() => loop.stop());

async function install(key: string, trigger: JsonObject, steps: Json[]): Promise<string> {
  const triggers = [{ id: "button", kind: "manual", ...trigger }];
  return (await engine.activate({ formatVersion: 1, key, name: key, triggers, steps })).workflowId;
}

async function launch(workflow: string, body: Json): Promise<JsonObject> {
  const answer = await call("POST", `/api/workflows/${workflow}/launch`, { body });
  expect(answer.status).toBe(202);
  engine.ring();
  return answer.body;
}

async function makePeople(people: JsonObject[]): Promise<string[]> {
  const { body } = await call("POST", "/rest/batch/people", { body: people });
  return ((body["data"] as JsonObject)["createPeople"] as JsonObject[]).map(({ id }) => String(id));
}

/** The runs of a launch, when all of them are over. */
const finishedRuns = (id: Json | undefined): Promise<Array<{ id: string; status: string }>> =>
  until(`the runs of launch ${String(id)} to be over`, async () => {
    const { body } = await call("GET", `/api/launches/${String(id)}`);
    const { rows } = await pool.query<{ id: string; status: string }>(
      "select id, status from tandem.runs where launched_by ->> 'launch' = $1 and ended_at is not null order by id",
      [id],
    );
    return body["status"] === "started" && rows.length === body["started"] ? rows : undefined;
  });

describe("a step of a launched run", () => {
  test("reads the inputs and who launched it", async () => {
    const input = { campaign: "{{ trigger.inputs.campaign }}", by: "{{ run.launchedBy.name }}" };
    const workflow = await install("reads-inputs", { inputs: { campaign: { type: "text" } } }, [
      { id: "told", kind: "set", input },
    ]);
    const { runId } = await launch(workflow, { inputs: { campaign: "Spring" } });
    expect((await engine.finished(String(runId))).steps).toMatchObject([
      { output: { campaign: "Spring", by: "Tester" } },
    ]);
  });

  test("reads the selected record, and on from it by its relations", async () => {
    const { body } = await call("POST", "/rest/companies", { body: { name: "Analytical" } });
    const companyId = ((body["data"] as JsonObject)["createCompany"] as JsonObject)["id"]!;
    const ids = await makePeople(["Ada", "Bab"].map((firstName) => ({ name: { firstName }, companyId })));
    const workflow = await install("reads-record", { availability: "single", object: "person" }, [
      {
        id: "told",
        kind: "set",
        input: { who: "{{ trigger.record.name.firstName }} of {{ trigger.record.company.name }}" },
      },
    ]);
    const runs = await finishedRuns((await launch(workflow, { ids }))["id"]);
    const told = await Promise.all(runs.map(async ({ id }) => (await engine.finished(id)).steps[0]?.output));
    expect(told.map((output) => (output as JsonObject)["who"]).toSorted()).toEqual([
      "Ada of Analytical",
      "Bab of Analytical",
    ]);
  });

  test("reads the whole selection of a bulk launch", async () => {
    const ids = await makePeople(Array.from({ length: 130 }, (_, i) => ({ name: { firstName: `Bulk ${i}` } })));
    const workflow = await install("reads-all", { availability: "bulk", object: "person" }, [
      {
        id: "told",
        kind: "set",
        input: { count: "{{ trigger.count }}", ids: "{{ trigger.records | map: 'id' }}", of: "{{ trigger.object }}" },
      },
    ]);
    const { runId, id } = await launch(workflow, { ids });
    await finishedRuns(id);
    const { steps } = await engine.finished(String(runId));
    expect(steps).toMatchObject([{ output: { count: 130, ids: ids.toSorted(), of: "person" } }]);
  });
});

test("the audience of a launch without records is what a view holds then, the workflow untouched", async () => {
  await makePeople([
    { name: { firstName: "Ada" }, jobTitle: "Reader" },
    { name: { firstName: "Bab" }, jobTitle: "Reader" },
    { name: { firstName: "Cam" }, jobTitle: "Writer" },
  ]);
  const filter = { field: "jobTitle", operator: "equals", value: "Reader" };
  const { body: view } = await call("POST", "/api/views", { body: { object: "person", name: "subscribers", filter } });
  const workflow = await install("newsletter-subscribers", {}, [
    { id: "people", kind: "search-records", input: { object: "person", view: "subscribers" } },
  ]);
  const audience = async (): Promise<Json> => {
    const { runId } = await launch(workflow, {});
    const [step] = (await engine.finished(String(runId))).steps;
    return (step?.output as { total?: number } | undefined)?.total ?? null;
  };
  expect(await audience()).toBe(2);
  const both = { field: "jobTitle", operator: "in", value: ["Reader", "Writer"] };
  await call("PATCH", `/api/views/${String(view["id"])}`, { body: { filter: both } });
  expect(await audience()).toBe(3);
});

test("launches by the API are accepted while Temporal is away, and run later", async () => {
  const workflow = await install("temporal-away", { availability: "single", object: "person" }, [
    { id: "told", kind: "set", input: { x: 1 } },
  ]);
  const ids = await makePeople(Array.from({ length: 30 }, (_, i) => ({ name: { firstName: `Away ${i}` } })));
  await engine.halt();
  const { id } = await launch(workflow, { ids });
  const path = `/api/launches/${String(id)}`;
  const waiting = await until("its runs to be queued", async () => {
    const { body } = await call("GET", path);
    return body["status"] === "started" ? body : undefined;
  });
  expect(waiting["runs"]).toEqual({ queued: 30 });
  await engine.resume();
  engine.ring();
  const runs = await finishedRuns(id);
  expect(runs.map(({ status }) => status)).toEqual(Array.from({ length: 30 }, () => "completed"));
});

test("each selected record is launched once, whatever is killed while several processes take them", async () => {
  const workflow = await install("killed", { availability: "bulk", object: "company" }, [
    { id: "told", kind: "set", input: { x: 1 } },
  ]);
  const each = await install("killed-each", { availability: "single", object: "company" }, [
    { id: "told", kind: "set", input: { x: 1 } },
  ]);
  for (let batch = 0; batch < 4; batch++)
    await call("POST", "/rest/batch/companies", {
      body: Array.from({ length: 200 }, (_, i) => ({ name: `Killed ${batch * 200 + i}` })),
    });
  const others = [startLoop(), startLoop()];
  const filter = { field: "name", operator: "startsWith", value: "Killed" };
  const whole = await launch(workflow, { filter });
  const single = await launch(each, { filter });
  let kills = 0;
  await until(
    "both launches to be over",
    async () => {
      // Transactions in the middle of a page, first of all.
      const { rows } = await pool.query(
        `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
           and state = 'idle in transaction' and query not like '%tandem.workspaces%' limit 1`,
      );
      kills += rows.length;
      const states = await Promise.all([whole, single].map(({ id }) => call("GET", `/api/launches/${String(id)}`)));
      return states.every(({ body }) => body["status"] === "started");
    },
    60_000,
  );
  for (const other of others) await other.stop();
  const { rows: pages } = await pool.query<{ items: JsonObject[] }>(
    "select items from tandem.run_lists where run_id = $1 order by page",
    [whole["runId"]],
  );
  expect(new Set(pages.flatMap(({ items }) => items.map(({ id }) => id))).size).toBe(800);
  const { rows: runs } = await pool.query<{ record: string }>(
    "select trigger -> 'record' ->> 'id' as record from tandem.runs where launched_by ->> 'launch' = $1",
    [single["id"]],
  );
  expect([runs.length, new Set(runs.map(({ record }) => record)).size]).toEqual([800, 800]);
  expect(kills).toBeGreaterThan(0);
});
