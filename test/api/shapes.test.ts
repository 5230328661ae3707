import { expect, test } from "vitest";
import { createEndpoints } from "../../src/api/endpoints.ts";
import type { JsonObject } from "../../src/json.ts";
import { triggerKinds } from "../../src/triggers/registry.ts";
import { createTestDatabase } from "../support/database.ts";
import { recordKinds } from "../support/engine.ts";
import { createTestGate } from "../support/gate.ts";
import { httpParts } from "../support/http.ts";
import { createTestVault } from "../support/vault.ts";
import { hookDefinition, startGateway } from "./gateway.ts";

const { pool } = await createTestDatabase();
const { call, install } = await startGateway(pool);
const endpoints = createEndpoints({
  pool,
  publicUrl: "https://crm.example",
  kinds: recordKinds,
  triggerKinds,
  quickLane: true,
  vault: createTestVault(pool),
  audit: createTestGate(pool).audit,
  http: httpParts(pool),
});
const reads = endpoints.filter(
  ({ method, path, givesFile }) => method === "get" && givesFile === undefined && !path.startsWith("/api/mailbox/"),
);

const { id: workflowId, hook } = await install(
  hookDefinition(
    "shaped",
    {},
    {
      settings: { days: { type: "number", default: 1 } },
      triggers: [
        { id: "form", kind: "webhook" },
        { id: "button", kind: "manual", inputs: { note: { type: "text" } } },
        { id: "hours", kind: "schedule", every: "1h" },
      ],
      steps: [
        { id: "each", kind: "iterator", items: [1], steps: [{ id: "inner", kind: "set", input: { x: 1 } }] },
        { id: "found", kind: "search-records", input: { object: "person", all: true } },
      ],
    },
  ),
);
const { body: accepted } = await call("POST", hook, { key: null, body: {} });
await call("POST", hook, { key: null, raw: "{", headers: { "content-type": "application/json" } });
await call("PUT", `/api/workflows/${workflowId}/draft`, { body: hookDefinition("shaped") });
const make = async (path: string, body: JsonObject): Promise<string> =>
  String((await call("POST", path, { body })).body["id"]);
const launchId = await make(`/api/workflows/${workflowId}/launch`, { inputs: { note: "x" } });
// A moment of the year that is known.
const past = new Date(Date.now() - 86_400_000).toISOString();
const hours = `/api/workflows/${workflowId}/schedules/hours`;
await call("POST", `${hours}/run`);
const backfillId = await make(`${hours}/backfill`, { from: past, to: past });
const viewId = await make("/api/views", { object: "person", name: "shaped", label: "Shaped" });
const importId = await make("/api/imports", { object: "person" });
await call("PUT", `/api/imports/${importId}/data`, { raw: "name.firstName,position\nA,1\nB,x\n" });
const webhook = `/api/workflows/${workflowId}/webhooks/form`;
await call("POST", `${webhook}/capture`, { body: {} });
await call("POST", new URL(String((await call("POST", `${webhook}/rotate`, { body: {} })).body["url"])).pathname, {
  key: null,
  body: { a: 1 },
});
const deliveryId = String(accepted["deliveryId"]);
await call("POST", `/api/deliveries/${deliveryId}/replay`, { body: {} });
const replayId = await make("/api/deliveries/replay", { filter: { workflowId } });
const connections = await make("/api/connections", { key: "shaped", baseUrl: "https://shaped.example" });
const apiKeys = await make("/api/api-keys", { name: "Shaped" });
const secrets = await make("/api/secrets", { name: "SHAPED", value: "a value of a secret" });

const { rows: asked } = await pool.query<{ id: string }>(
  `with asking as (update tandem.runs set status = 'waiting', started_at = now() where id = $1 returning id, workspace_id)
   insert into tandem.questions (id, workspace_id, run_id, path, title, form)
   select gen_random_uuid(), workspace_id, id, path, 'Shaped?', '{"kind":"approval"}' from asking, unnest(array['open', 'done']) path
   returning id`,
  [accepted["runId"]],
);
const questions = asked[1]!.id;
await call("POST", `/api/questions/${questions}/answer`, { body: { answer: { approved: true } } });

await pool.query(
  `with done as (
     insert into tandem.step_results (run_id, path, kind, status, verdict, output, lists, item_of, item, lane, started_at)
     select $1, path, kind, 'done', verdict::jsonb, output::jsonb, lists::jsonb, item_of, item, 'quick', now() from (values
       ('each.open', 'open', '{"kind":"items","count":1}', '{"items":[1]}', null, null, null::integer),
       ('each[0].inner', 'set', '{"kind":"done"}', '{"x":1}', null, null, null),
       ('each[0]', 'item', '{"kind":"item","ended":"succeeded"}', null, null, 'each', 0),
       ('found', 'search-records', '{"kind":"done"}', '{"records":{"count":1}}', '{"records":1}', null, null)
     ) as row(path, kind, verdict, output, lists, item_of, item)
   ) insert into tandem.step_lists (run_id, path, name, page, first, items) values ($1, 'found', 'records', 0, 0, '[{"id":"x"}]')`,
  [accepted["runId"]],
);
const { rows: once } = await pool.query<{ id: string }>(
  `insert into tandem.once_values (id, workspace_id, workflow_id, step_id, value, seed, state, output)
   select gen_random_uuid(), workspace_id, id, 'found', 'shaped', 'shaped', 'done', '{"x":1}' from tandem.workflows where id = $1 returning id`,
  [workflowId],
);

/** What stands in a path, by the path's beginning. */
const ids = {
  secrets,
  connections,
  "api-keys": apiKeys,
  workflows: workflowId,
  runs: String(accepted["runId"]),
  questions,
  deliveries: deliveryId,
  launches: launchId,
  backfills: backfillId,
  views: viewId,
  imports: importId,
  once: once[0]!.id,
};
/** Of a list that has to be narrowed: by what. */
const queries: { readonly [path: string]: string } = {
  "/api/record-events": `?record=${viewId}`,
  "/api/runs/{id}/steps/{path}/list": "?name=records",
};
/** What else stands in a path of a run. */
const places: { readonly [path: string]: string } = {
  "/api/runs/{id}/steps/{path}/list": "found",
  "/api/runs/{id}/loops/{path}": "each",
  "/api/runs/{id}/items/{path}": encodeURIComponent("each[0]"),
};
const filled = (path: string): string =>
  `${path}${queries[path] ?? ""}`
    .replace("replays/{id}", `replays/${replayId}`)
    .replace("{path}", places[path] ?? "")
    .replace("{trigger}", "form")
    .replace("{id}", ids[path.split("/")[2] as keyof typeof ids])
    .replace("{object}", "person")
    .replace("{field}", "jobTitle");

test.each(reads)("GET $path answers as it is documented", async ({ path, answers }) => {
  const { status, body, text } = await call("GET", filled(path));
  expect(status).toBe(200);
  const parsed = answers[200]?.safeParse(body);
  expect(parsed?.error?.issues ?? []).toEqual([]);
  // What the document does not know would be dropped by its schema.
  expect(JSON.stringify(parsed?.data).length).toBe(text.length);
});
