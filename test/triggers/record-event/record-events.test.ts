import { expect, test } from "vitest";
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

test("a deal that is created as won counts, and one that is brought back does not", async () => {
  const id = await watch("won-at-once", { ...won, events: ["upserted", "restored", "deleted"] });
  const made = await deal({ name: "Gift", stage: "CLOSED_WON" });
  await write("DELETE", `/rest/opportunities/${String(made["id"])}?soft_delete=true`);
  await write("PATCH", `/rest/restore/opportunities/${String(made["id"])}`).catch(() =>
    write("PATCH", `/rest/opportunities/${String(made["id"])}/restore`),
  );
  const [run] = await untilRuns(id, 1);
  expect(run).toMatchObject({ trigger: { event: "created", before: null }, status: "completed" });
});
