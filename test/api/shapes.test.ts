import { expect, test } from "vitest";
import { createEndpoints } from "../../src/api/endpoints.ts";
import { triggerKinds } from "../../src/triggers/registry.ts";
import { createTestDatabase } from "../support/database.ts";
import { recordKinds } from "../support/engine.ts";
import { hookDefinition, startGateway } from "./gateway.ts";

const { pool } = await createTestDatabase();
const { call, install } = await startGateway(pool);
const endpoints = createEndpoints({
  pool,
  publicUrl: "https://crm.example",
  kinds: recordKinds,
  triggerKinds,
  quickLane: true,
});
const reads = endpoints.filter(({ method, path }) => method === "get" && !path.startsWith("/api/mailbox/"));

const { id: workflowId, hook } = await install(
  hookDefinition("shaped", {}, { settings: { days: { type: "number", default: 1 } } }),
);
const { body: accepted } = await call("POST", hook, { key: null, body: {} });
await call("POST", hook, { key: null, raw: "{", headers: { "content-type": "application/json" } });
await call("PUT", `/api/workflows/${workflowId}/draft`, { body: hookDefinition("shaped") });

test.each(reads)("GET $path answers as it is documented", async ({ path, answers }) => {
  const id = path.startsWith("/api/runs") ? String(accepted["runId"]) : workflowId;
  const { status, body, text } = await call("GET", path.replace("{id}", id));
  expect(status).toBe(200);
  const parsed = answers[200]?.safeParse(body);
  expect(parsed?.error?.issues ?? []).toEqual([]);
  // What the document does not know would be dropped by its schema.
  expect(JSON.stringify(parsed?.data).length).toBe(text.length);
});
