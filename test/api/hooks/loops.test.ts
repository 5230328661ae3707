import { expect, test } from "vitest";
import { createTestDatabase } from "../../support/database.ts";
import { recordKinds, startTestEngine } from "../../support/engine.ts";
import { connectTo, httpKind } from "../../support/http.ts";
import { until } from "../../support/until.ts";
import { callable, controlKinds } from "../../worker/waits/support.ts";
import { hookDefinition, request, startGateway } from "../gateway.ts";

const { pool } = await createTestDatabase();
await pool.query("insert into tandem.installation (id) values ('hookloop') on conflict do nothing");
const ours = { ...controlKinds, ...httpKind(pool) };
const engine = await startTestEngine(pool, { kinds: ours });
const workspaceId = engine.workspace.id;
const { url, call, install } = await startGateway(pool, { kinds: { ...recordKinds, ...ours }, workspaceId });

test("workflows that lead to one another by our own webhooks and by calls stop at the cap, visibly", async () => {
  await connectTo(pool, workspaceId, { key: "ourselves", baseUrl: url });
  const { id, hook } = await install(hookDefinition("received"));
  const post = {
    id: "post",
    kind: "http-request",
    input: { connection: "ourselves", method: "POST", path: hook, body: {} },
  };
  await engine.activate(callable("poster", [post]));
  const steps = [{ id: "on", kind: "run-workflow", input: { workflow: "poster", inputs: { name: "again" } } }];
  await call("PUT", `/api/workflows/${id}/draft`, { body: hookDefinition("received", {}, { steps }) });
  expect((await call("POST", `/api/workflows/${id}/activate`)).status).toBe(200);

  await request(url, "POST", hook, { body: {} });
  engine.ring();
  const runs = await until("the chain to stop", async () => {
    const { rows } = await pool.query<{ key: string; depth: number; status: string }>(
      "select f.key, r.depth, r.status from tandem.runs r join tandem.workflows f on f.id = r.workflow_id order by r.depth",
    );
    return rows.every(({ status }) => status === "completed" || status === "stopped-as-loop") && rows;
  });
  expect(runs).toEqual([
    ...[0, 1, 2, 3, 4, 5].map((depth) => ({
      key: depth % 2 === 0 ? "received" : "poster",
      depth,
      status: "completed",
    })),
    { key: "received", depth: 6, status: "stopped-as-loop" },
  ]);
});
