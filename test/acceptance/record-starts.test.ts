import { afterEach, expect, test } from "vitest";
import type { Json, JsonObject } from "../../src/json.ts";
import { startGateway } from "../api/gateway.ts";
import { createTestDatabase } from "../support/database.ts";
import { startTestEngine } from "../support/engine.ts";
import { startRelaying } from "../support/relaying.ts";
import { until } from "../support/until.ts";

const { pool } = await createTestDatabase();
const engine = await startTestEngine(pool);
const gateway = await startGateway(pool, { workspaceId: engine.workspace.id });
startRelaying(pool, () => engine.ring());

afterEach(async () => {
  await pool.query("update tandem.workflows set status = 'inactive'");
});

async function install(key: string, trigger: JsonObject, steps: Json[], output: JsonObject = {}): Promise<string> {
  const definition = { formatVersion: 1, key, name: key, triggers: [{ id: "start", ...trigger }], steps, output };
  const made = await gateway.call("POST", "/api/workflows", { body: definition });
  if (made.status !== 201) throw new Error(made.text);
  const id = String(made.body["id"]);
  expect((await gateway.call("POST", `/api/workflows/${id}/activate`)).status).toBe(200);
  return id;
}

async function write(method: string, path: string, body: JsonObject): Promise<JsonObject> {
  const answer = await gateway.call(method, path, { body });
  if (answer.status >= 300) throw new Error(answer.text);
  return Object.values(answer.body["data"] as JsonObject)[0] as JsonObject;
}

/** Outputs of the workflow's runs, in order, when all is quiet. */
async function outputsOf(workflowId: string): Promise<Json[]> {
  await until("all is quiet", async () => {
    const { rows } = await pool.query<{ open: number }>(
      "select (select count(*) from tandem.outbox) + (select count(*) from tandem.runs where ended_at is null) as open",
    );
    return rows[0]?.open === 0;
  });
  const { rows } = await pool.query<{ status: string; output: Json }>(
    "select status, output from tandem.runs where workflow_id = $1 order by id",
    [workflowId],
  );
  expect(rows.filter(({ status }) => status !== "completed")).toEqual([]);
  return rows.map(({ output }) => output);
}

test("a person's score is reckoned when a watched field changes, and writing it starts nothing", async () => {
  const field = { name: "score", label: "Score", type: "NUMBER" };
  expect((await gateway.call("POST", "/api/objects/person/fields", { body: field })).status).toBe(201);
  const scoring = await install(
    "lead-scoring-internal",
    { kind: "record-event", objects: ["person"], events: ["updated"], fields: ["jobTitle", "city"] },
    [
      { id: "size", kind: "set", input: { employees: "{{ trigger.record.company.employees }}" } },
      {
        id: "scored",
        kind: "update-record",
        input: {
          object: "person",
          id: "{{ trigger.record.id }}",
          values: { score: "{{ size.employees | plus: 10 }}" },
        },
      },
    ],
    { score: "{{ scored.record.score }}", rep: "{{ trigger.record.company.accountOwner.userEmail }}" },
  );
  const owner = await write("POST", "/rest/workspaceMembers", { userEmail: "rep@crm.example" });
  const company = await write("POST", "/rest/companies", { name: "Acme", employees: 40, accountOwnerId: owner["id"]! });
  const person = await write("POST", "/rest/people", { city: "Oslo", companyId: company["id"]! });
  await write("PATCH", `/rest/people/${String(person["id"])}`, { jobTitle: "CTO" });
  await write("PATCH", `/rest/people/${String(person["id"])}`, { name: { firstName: "Ada" } });
  expect(await outputsOf(scoring)).toEqual([{ score: 50, rep: "rep@crm.example" }]);
});

test("an invoice is begun when a deal becomes won: each time, at once if it is made so, and at no later edit", async () => {
  const invoicing = await install(
    "invoice-generation",
    {
      kind: "record-event",
      objects: ["opportunity"],
      events: ["upserted"],
      condition: { field: "stage", operator: "became", value: "CLOSED_WON" },
    },
    [
      {
        id: "company",
        kind: "search-records",
        input: {
          object: "company",
          filter: { field: "id", operator: "equals", value: "{{ trigger.record.companyId }}" },
          limit: 1,
        },
      },
    ],
    { deal: "{{ trigger.record.name }}", company: "{{ company.first.name }}", event: "{{ trigger.event }}" },
  );
  const { id: companyId = null } = await write("POST", "/rest/companies", { name: "Acme" });
  const deal = await write("POST", "/rest/opportunities", { name: "Roof", stage: "PROPOSAL", companyId });
  const path = `/rest/opportunities/${String(deal["id"])}`;
  for (const change of [
    { stage: "CLOSED_WON" },
    { name: "Roof, blue" },
    { stage: "CLOSED_WON", closeDate: "2026-11-24T09:00:00Z" },
    { stage: "CLOSED_LOST" },
    { stage: "CLOSED_WON" },
  ])
    await write("PATCH", path, change);
  await write("POST", "/rest/opportunities", { name: "Gift", stage: "CLOSED_WON", companyId });
  expect(await outputsOf(invoicing)).toEqual([
    { deal: "Roof", company: "Acme", event: "updated" },
    { deal: "Roof, blue", company: "Acme", event: "updated" },
    { deal: "Gift", company: "Acme", event: "created" },
  ]);
});

test("the outgoing half of a sync hears every change but those of the incoming half", async () => {
  const incoming = await gateway.install({
    formatVersion: 1,
    key: "sync-in",
    name: "Sync in",
    triggers: [{ id: "hook", kind: "webhook" }],
    steps: [
      {
        id: "changed",
        kind: "update-record",
        input: { object: "person", id: "{{ trigger.body.id }}", values: { jobTitle: "{{ trigger.body.role }}" } },
      },
    ],
  });
  const outgoing = await install(
    "sync-out",
    {
      kind: "record-event",
      objects: ["person", "company"],
      events: ["upserted"],
      ignoreWritesBy: ["sync-in"],
    },
    [{ id: "sent", kind: "set", input: { object: "{{ trigger.object }}", id: "{{ trigger.record.id }}" } }],
    { object: "{{ sent.object }}", id: "{{ sent.id }}", event: "{{ trigger.event }}" },
  );
  const company = await write("POST", "/rest/companies", { name: "Acme" });
  const person = await write("POST", "/rest/people", { city: "Oslo" });
  const sent = await gateway.call("POST", incoming.hook, { key: null, body: { id: person["id"]!, role: "CTO" } });
  expect(sent.status).toBe(202);
  engine.ring();
  await until("the incoming half has written", async () => {
    const { body } = await gateway.call("GET", `/rest/people/${String(person["id"])}`);
    return ((body["data"] as JsonObject)["person"] as JsonObject)["jobTitle"] === "CTO";
  });
  await write("PATCH", `/rest/people/${String(person["id"])}`, { city: "Rome" });
  expect(await outputsOf(outgoing)).toEqual([
    { object: "company", id: company["id"], event: "created" },
    { object: "person", id: person["id"], event: "created" },
    { object: "person", id: person["id"], event: "updated" },
  ]);
});
