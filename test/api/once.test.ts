import { expect, test } from "vitest";
import { createTestDatabase } from "../support/database.ts";
import { definitionOf, recordKinds, startTestEngine } from "../support/engine.ts";
import { postKind, startService } from "../support/post-kind.ts";
import { request, startGateway } from "./gateway.ts";

const { pool } = await createTestDatabase();
const service = await startService(async ({ path }) =>
  path === "/broken" ? undefined : { status: 200, body: { fine: true } },
);
const engine = await startTestEngine(pool, { kinds: { post: postKind } });
const gateway = await startGateway(pool, {
  kinds: { ...recordKinds, post: postKind },
  workspaceId: engine.workspace.id,
});
const { call } = gateway;

async function run(key: string, path: string) {
  const input = { url: `${service.url}${path}`, body: "{{ trigger.body.n }}" };
  const step = { id: "charge", kind: "post", input, once: "invoice:{{ trigger.body.n }}" };
  const workflow = await engine.activate(definitionOf(key, [step]));
  return { workflow, finished: await engine.finished(await engine.enqueue(workflow, { n: 1 })) };
}

test("values are listed, narrowed, shown and cleared", async () => {
  const { workflow, finished } = await run("listed", "/fine");
  const list = await call("GET", `/api/once?workflowId=${workflow.workflowId}&step=charge&state=done&value=invoice:1`);
  expect(list.body).toMatchObject({
    data: [
      { workflowKey: "listed", step: "charge", value: "invoice:1", state: "done", runId: finished.id, path: "charge" },
    ],
    nextCursor: null,
  });
  const [{ id }] = list.body["data"] as [{ id: string }];
  expect((await call("GET", `/api/once/${id}`)).body).toMatchObject({ id, output: { body: { fine: true } } });
  expect((await call("GET", "/api/once?state=unsure")).body).toMatchObject({ data: [] });
  expect((await call("GET", "/api/once?state=lost")).status).toBe(400);
  expect((await call("DELETE", `/api/once/${id}`)).status).toBe(200);
  expect((await call("GET", `/api/once/${id}`)).body).toMatchObject({ status: 404, code: "once-not-found" });
});

test("what nobody knows is listed with what was sent, and settled by word of mouth, with its value", async () => {
  const { workflow, finished } = await run("unknown", "/broken");
  const { body } = await call("GET", `/api/outcomes-unknown?workflowId=${workflow.workflowId}`);
  expect(body).toMatchObject({
    data: [
      {
        runId: finished.id,
        path: "charge",
        kind: "post",
        request: { url: `${service.url}/broken` },
        error: { code: "outcome-unknown" },
        once: { value: "invoice:1" },
      },
    ],
  });
  const [{ id, once }] = body["data"] as [{ id: string; once: { id: string } }];
  const wrong = await call("PUT", `/api/outcomes-unknown/${id}`, { body: { as: "perhaps" } });
  expect(wrong.body).toMatchObject({ status: 422, issues: [{ path: "as" }] });
  const settled = await call("PUT", `/api/outcomes-unknown/${id}`, { body: { as: "done", output: { id: "inv" } } });
  expect(settled.status).toBe(200);
  expect((await call("GET", `/api/once/${once.id}`)).body).toMatchObject({ state: "done", output: { id: "inv" } });
  const again = await call("PUT", `/api/outcomes-unknown/${id}`, { body: { as: "done" } });
  expect(again.body).toMatchObject({ status: 404, code: "outcome-not-found" });
  const { rows } = await pool.query(
    "select settled_as, settled_by->>'name' as by from tandem.outside_calls where id = $1",
    [id],
  );
  expect(rows).toEqual([{ settled_as: "done", by: "Tester" }]);
});

test("a value that is settled settles the call of unknown outcome, too", async () => {
  const { workflow } = await run("unknown-value", "/broken");
  const { body } = await call("GET", `/api/once?workflowId=${workflow.workflowId}`);
  const [{ id, state }] = body["data"] as [{ id: string; state: string }];
  expect(state).toBe("unsure");
  expect((await call("PUT", `/api/once/${id}`, { body: { as: "free", note: "Not there." } })).status).toBe(200);
  expect((await call("GET", `/api/outcomes-unknown?workflowId=${workflow.workflowId}`)).body).toMatchObject({
    data: [],
  });
});

test("a stranger sees and changes nothing of it", async () => {
  const { workflow } = await run("not-theirs", "/fine");
  const { body } = await call("GET", `/api/once?workflowId=${workflow.workflowId}`);
  const [{ id }] = body["data"] as [{ id: string }];
  const key = await gateway.strangerKey();
  expect((await request(gateway.url, "GET", "/api/once", { key })).body).toMatchObject({ data: [] });
  for (const [method, sent] of [
    ["GET", {}],
    ["DELETE", {}],
    ["PUT", { body: { as: "free" } }],
  ] as const)
    expect((await request(gateway.url, method, `/api/once/${id}`, { key, ...sent })).status).toBe(404);
});
