import { afterAll, expect, test } from "vitest";
import { createLog } from "../../../src/log.ts";
import { channels, listen } from "../../../src/runs/doorbell.ts";
import { createRelay } from "../../../src/runs/relay.ts";
import { startGateway } from "../../api/gateway.ts";
import { createTestDatabase } from "../../support/database.ts";
import { definitionOf, recordKinds as kinds, startTestEngine } from "../../support/engine.ts";
import { until } from "../../support/until.ts";

const { pool, url } = await createTestDatabase();
const log = createLog("test", "fatal");
// Its next look by itself would be in an hour: what is relayed before has woken it.
const relay = createRelay({ pool, log, kinds, pollMs: 3_600_000 });
const engine = await startTestEngine(pool, { recordsChanged: () => relay.ring() });
const gateway = await startGateway(pool, { workspaceId: engine.workspace.id });
relay.start();
const bells = listen(url, { [channels.relay]: () => relay.ring() }, log);
afterAll(async () => {
  await bells.stop();
  await relay.stop();
});

async function relayed(title: string): Promise<void> {
  await until(`"${title}" is relayed`, async () => {
    const { rows } = await pool.query("select 1 from tandem.record_events where after ->> 'title' = $1", [title]);
    return rows.length > 0;
  });
}

test("a record that is written by the API wakes the relay", async () => {
  await gateway.call("POST", "/rest/notes", { body: { title: "One" } });
  await relayed("One");
  await gateway.call("POST", "/rest/batch/notes", { body: [{ title: "Two" }, { title: "Three" }] });
  await relayed("Three");
  expect((await gateway.call("GET", "/rest/notes")).body["totalCount"]).toBe(3);
});

test("an imported file wakes it", async () => {
  const made = await gateway.call("POST", "/api/imports", { body: { object: "note", match: [] } });
  const path = `/api/imports/${String(made.body["id"])}/data`;
  const sent = await gateway.call("PUT", path, { raw: "Title\nImported\n", headers: { "content-type": "text/csv" } });
  expect(sent.body).toMatchObject({ status: "completed", created: 1 });
  await relayed("Imported");
});

test.each([true, false])("a step that writes wakes it (in the quick lane: %s)", async (quickLane) => {
  const title = quickLane ? "Quick" : "Ordinary";
  const steps = [{ id: "made", kind: "create-record", input: { object: "note", values: { title } } }];
  const workflow = await engine.activate(definitionOf(`writes-${title.toLowerCase()}`, steps), { quickLane });
  expect(await engine.finished(await engine.enqueue(workflow, {}))).toMatchObject({ status: "completed" });
  await relayed(title);
});
