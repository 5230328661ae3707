import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../../src/json.ts";
import { createTestDatabase } from "../../support/database.ts";
import { until } from "../../support/until.ts";
import { issuesOf, manualDefinition, startLaunching } from "./support.ts";

const { pool } = await createTestDatabase();
const { call, install, launch, makePeople, settled, runsOf } = await startLaunching(pool);

describe("a launch for each record", () => {
  test("makes a run for each id, names those that are not there, and passes deleted ones", async () => {
    const workflow = await install(manualDefinition("each-id", { availability: "single", object: "person" }));
    const people = await makePeople(Array.from({ length: 250 }, (_, i) => `Person ${i}`));
    await call("DELETE", `/rest/people/${people[7]!}?soft_delete=true`);
    const unknown = "00000000-0000-4000-8000-00000000000a";
    const ids = [...people, unknown, people[0]!.toUpperCase()];
    const { status, body } = await launch(workflow, { ids });
    expect([status, body["status"], body["runId"]]).toEqual([202, "starting", null]);
    const over = await settled(body["id"]);
    expect(over).toMatchObject({
      status: "started",
      object: "person",
      selection: { ids: true },
      selected: 251,
      selectedIsEstimate: false,
      taken: 249,
      started: 249,
      missing: { count: 2, ids: [unknown, people[7]!] },
      runs: { queued: 249 },
    });
    const runs = await runsOf(body["id"]);
    const launched = runs.map(({ trigger }) => String((trigger["record"] as JsonObject)["id"]));
    expect(launched).toEqual(people.filter((id) => id !== people[7]).toSorted());
    expect(runs[0]).toMatchObject({ priority: 1, trigger: { object: "person", record: { name: expect.anything() } } });
  });

  test("takes the records of a filter, and those of a view as it is then", async () => {
    const workflow = await install(manualDefinition("each-of", { availability: "single", object: "person" }));
    const engineers = await makePeople(["A", "B", "C"], { jobTitle: "Engineer of engines" });
    await makePeople(["Dorothea"], { jobTitle: "Painter" });
    const filter = { field: "jobTitle", operator: "equals", value: "Engineer of engines" };
    const byFilter = await settled((await launch(workflow, { filter })).body["id"]);
    expect(byFilter).toMatchObject({ started: 3, selected: 3, selectedIsEstimate: false, selection: { filter } });
    const { body: view } = await call("POST", "/api/views", { body: { object: "person", name: "engineers", filter } });
    const byView = (await launch(workflow, { view: "engineers" })).body["id"];
    expect(await settled(byView)).toMatchObject({ started: 3, selection: { view: "engineers" } });
    expect((await runsOf(byView)).map(({ trigger }) => (trigger["record"] as JsonObject)["id"])).toEqual(
      engineers.toSorted(),
    );
    await call("PATCH", `/api/views/${String(view["id"])}`, { body: { search: "dorothea", filter: null } });
    expect(await settled((await launch(workflow, { view: "engineers" })).body["id"])).toMatchObject({ started: 1 });
  });

  test("that selects nothing is over at once", async () => {
    const workflow = await install(manualDefinition("none", { availability: "single", object: "person" }));
    const filter = { field: "jobTitle", operator: "equals", value: "Nobody is" };
    expect(await settled((await launch(workflow, { filter })).body["id"])).toMatchObject({ started: 0, selected: 0 });
    expect(await settled((await launch(workflow, { ids: [] })).body["id"])).toMatchObject({ started: 0, selected: 0 });
  });

  test("says one way, and one only, by which its records are selected", async () => {
    const workflow = await install(manualDefinition("ways", { availability: "single", object: "person" }));
    expect(issuesOf(await launch(workflow, {}))).toEqual([
      ': say which records of person: by "ids", "view" or "filter"',
    ]);
    expect(issuesOf(await launch(workflow, { ids: [], view: "x" }))).toEqual([
      'view: is one way too many to select records: "ids" is there already',
    ]);
    expect(issuesOf(await launch(workflow, { ids: ["x"] }))).toEqual(["ids[0]: the id of a record"]);
    await call("POST", "/api/views", { body: { object: "person", name: "hot-leads" } });
    expect(issuesOf(await launch(workflow, { view: "hot-lead" }))).toEqual([
      'view: person has no view "hot-lead"; did you mean "hot-leads"?',
    ]);
    const filter = { all: [{ field: "jobTitel", operator: "equals", value: "x" }] };
    expect(issuesOf(await launch(workflow, { filter }))).toEqual([
      expect.stringMatching(/^filter\.all\[0\]: .*"jobTitel"; did you mean "jobTitle"\?$/),
    ]);
  });

  test("never has more than 500 runs queued, and takes each record once while others are made", async () => {
    const workflow = await install(manualDefinition("many", { availability: "single", object: "company" }));
    const names = Array.from({ length: 1_234 }, (_, i) => ({ name: `Crowd ${i}` }));
    for (let from = 0; from < names.length; from += 200)
      await call("POST", "/rest/batch/companies", { body: names.slice(from, from + 200) });
    const { body } = await launch(workflow, { filter: { field: "name", operator: "startsWith", value: "Crowd" } });
    await call("POST", "/rest/companies", { body: { name: "Crowd, but later" } });
    const path = `/api/launches/${String(body["id"])}`;
    await until("500 to be queued", async () => (await call("GET", path)).body["started"] === 500);
    let mostQueued = 0;
    const over = await until("the launch to be over", async () => {
      const { body: now } = await call("GET", path);
      const { queued = 0 } = now["runs"] as { queued?: number };
      mostQueued = Math.max(mostQueued, queued);
      // In a dispatcher's place.
      await pool.query(
        `update tandem.runs set status = 'completed', ended_at = now() where id in (
          select id from tandem.runs where launched_by ->> 'launch' = $1 and status = 'queued' order by id limit 300)`,
        [body["id"]],
      );
      return now["status"] === "started" ? now : undefined;
    });
    expect(over).toMatchObject({ started: 1_234, taken: 1_234, selected: 1_234 });
    expect(mostQueued).toBe(500);
    const runs = await runsOf(body["id"]);
    expect(new Set(runs.map(({ trigger }) => (trigger["record"] as JsonObject)["id"])).size).toBe(1_234);
  });

  test("can be cancelled, with its runs or without", async () => {
    const workflow = await install(manualDefinition("cancelled", { availability: "single", object: "company" }));
    const names = Array.from({ length: 200 }, (_, i) => ({ name: `Herd ${i}` }));
    for (let batch = 0; batch < 4; batch++) await call("POST", "/rest/batch/companies", { body: names });
    const { body } = await launch(workflow, { filter: { field: "name", operator: "startsWith", value: "Herd" } });
    const path = `/api/launches/${String(body["id"])}`;
    await until("500 to be queued", async () => (await call("GET", path)).body["started"] === 500);
    const stopped = await call("POST", `${path}/cancel`, { body: {} });
    expect([stopped.status, stopped.body]).toEqual([
      202,
      expect.objectContaining({ status: "cancelled", started: 500, runs: { queued: 500 } }),
    ]);
    const again = await call("POST", `${path}/cancel`, { body: {} });
    expect([again.status, again.body["code"]]).toEqual([409, "launch-over"]);
    const whole = await call("POST", `${path}/cancel`, { body: { runs: true } });
    expect(whole.body).toMatchObject({ status: "cancelled", started: 500, runs: { cancelled: 500 } });
  });

  test("fails, with the reason, where what it selects by is gone", async () => {
    const workflow = await install(manualDefinition("gone", { availability: "single", object: "person" }));
    await makePeople(Array.from({ length: 200 }, (_, i) => `Gone ${i}`));
    await makePeople(Array.from({ length: 200 }, (_, i) => `Gone too ${i}`));
    await makePeople(Array.from({ length: 200 }, (_, i) => `Gone as well ${i}`));
    const { body: view } = await call("POST", "/api/views", { body: { object: "person", name: "gone-soon" } });
    const { body } = await launch(workflow, { view: "gone-soon" });
    await until("500 to be queued", async () => {
      return (await call("GET", `/api/launches/${String(body["id"])}`)).body["started"] === 500;
    });
    await call("DELETE", `/api/views/${String(view["id"])}`);
    await pool.query("update tandem.runs set status = 'completed', ended_at = now() where workflow_id = $1", [
      workflow,
    ]);
    expect(await settled(body["id"])).toMatchObject({
      status: "failed",
      error: { code: "unknown-view", message: expect.stringContaining('no view "gone-soon" any more') },
    });
  });
});

describe("a bulk launch", () => {
  test("makes one run with the whole selection, kept in pages", async () => {
    const workflow = await install(manualDefinition("bulk", { availability: "bulk", object: "person" }));
    const people = await makePeople(
      Array.from({ length: 120 }, (_, i) => `Bulk ${i}`),
      { city: "Bulk" },
    );
    const { body } = await launch(workflow, { ids: people });
    expect(body["runId"]).toEqual(expect.any(String));
    expect(await settled(body["id"])).toMatchObject({ status: "started", taken: 120, started: 1, runs: { queued: 1 } });
    const [run] = await runsOf(body["id"]);
    expect(run).toMatchObject({
      id: body["runId"],
      trigger: { object: "person", count: 120, records: { count: 120 }, inputs: {} },
    });
    const { rows } = await pool.query<{ page: number; items: JsonObject[] }>(
      "select page, items from tandem.run_lists where run_id = $1 and name = 'records' order by page",
      [body["runId"]],
    );
    expect(rows.map(({ page, items }) => [page, items.length])).toEqual([
      [0, 100],
      [1, 20],
    ]);
    expect(rows.flatMap(({ items }) => items.map(({ id }) => id))).toEqual(people.toSorted());
  });

  test("of nothing makes a run with an empty list", async () => {
    const workflow = await install(manualDefinition("bulk-none", { availability: "bulk", object: "person" }));
    const { body } = await launch(workflow, { ids: [] });
    expect(await settled(body["id"])).toMatchObject({ status: "started", taken: 0, started: 1 });
    expect(await runsOf(body["id"])).toMatchObject([{ trigger: { count: 0, records: { count: 0 } } }]);
  });
});
