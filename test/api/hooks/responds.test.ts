import { describe, expect, test } from "vitest";
import type { Json, JsonObject } from "../../../src/json.ts";
import { originHeader, originHeaderName } from "../../../src/runs/origin.ts";
import { createTestDatabase } from "../../support/database.ts";
import { recordKinds, startTestEngine } from "../../support/engine.ts";
import { controlKinds, createLooks } from "../../worker/waits/support.ts";
import { hookDefinition, request, startGateway } from "../gateway.ts";

const { pool } = await createTestDatabase();
await pool.query("insert into tandem.installation (id) values ('responds') on conflict do nothing");
const engine = await startTestEngine(pool, { kinds: controlKinds });
const kinds = { ...recordKinds, ...controlKinds };
const { call, install, url, workspaceId } = await startGateway(pool, { kinds, workspaceId: engine.workspace.id });
const { pass, waiting } = createLooks(pool, engine);

let count = 0;
/** A webhook whose sender is answered when the run has said what, or is over. */
async function hookOf(steps: Json[], trigger: JsonObject = { answer: { when: "finished" } }): Promise<string> {
  count += 1;
  const { hook } = await install(hookDefinition(`responds-${count}`, trigger, { steps }));
  return hook;
}
const send = async (hook: string, body: Json = {}, headers: Record<string, string> = {}) => {
  const answered = request(url, "POST", hook, { body, headers });
  engine.ring();
  return answered;
};
const lastRun = async (): Promise<string> => {
  const { rows } = await pool.query<{ id: string }>(
    "select id from tandem.runs where workspace_id = $1 order by id desc limit 1",
    [workspaceId],
  );
  return rows[0]!.id;
};
const respond = (input: JsonObject, id = "answer"): Json => ({ id, kind: "respond", input });
const long: Json = { id: "pause", kind: "wait", input: { for: "1h" } };

describe("a step that responds", () => {
  test("answers the sender who waits, with status, headers and body, and the run goes on", async () => {
    const input = {
      status: 201,
      headers: { "X-Order": "{{ trigger.body.order }}", location: "/orders/{{ trigger.body.order }}" },
      body: { order: "{{ trigger.body.order }}", lines: [1, 2] },
    };
    const hook = await hookOf([respond(input), long]);
    const answer = await send(hook, { order: 17 });
    expect([answer.status, answer.body]).toEqual([201, { order: 17, lines: [1, 2] }]);
    expect(answer.headers.get("x-order")).toBe("17");
    expect(answer.headers.get("content-type")).toBe("application/json; charset=utf-8");
    const runId = await lastRun();
    await waiting(runId);
    await pass(runId);
    const run = await engine.finished(runId);
    expect(run.steps[0]).toMatchObject({ outcome: "201", output: { status: 201, answered: true } });
  });

  test("may refuse, as a run knows best", async () => {
    const answer = await send(await hookOf([respond({ status: 422, body: { missing: ["email"] } })]));
    expect([answer.status, answer.body]).toEqual([422, { missing: ["email"] }]);
  });

  test("shows a document, in which what was sent is escaped", async () => {
    const hook = await hookOf([respond({ html: "<p>Thanks, {{ trigger.body.name }}!</p>" })]);
    const answer = await send(hook, { name: "<script>alert(1)</script>" });
    expect(answer.text).toBe("<p>Thanks, &lt;script&gt;alert(1)&lt;/script&gt;!</p>");
    expect(answer.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(answer.headers.get("content-security-policy")).toMatch(/^sandbox/);
  });

  test("counts once: the first answer is the answer", async () => {
    const hook = await hookOf([respond({ body: "first" }), respond({ body: "second" }, "again")]);
    expect((await send(hook)).text).toBe("first");
    const run = await engine.finished(await lastRun());
    expect(run.steps[1]).toMatchObject({
      status: "skipped",
      outcome: "answered before",
      output: { answered: false },
    });
  });

  test("answers those who send the same delivery again, though nobody waited before", async () => {
    const hook = await hookOf([respond({ body: "{{ run.id }}" })], {
      answer: { when: "finished" },
      dedupe: { header: "x-id" },
    });
    const first = await send(hook, {}, { "x-id": "1" });
    expect((await send(hook, {}, { "x-id": "1" })).text).toBe(first.text);
  });

  test("is skipped in a run that no webhook started", async () => {
    const workflow = await call("POST", "/api/workflows", {
      body: {
        ...hookDefinition("responds-to-nobody", {}, { steps: [respond({ body: "hello" })] }),
        triggers: [{ id: "button", kind: "manual" }],
      },
    });
    await call("POST", `/api/workflows/${String(workflow.body["id"])}/activate`);
    const launched = await call("POST", `/api/workflows/${String(workflow.body["id"])}/launch`, { body: {} });
    engine.ring();
    const run = await engine.finished(String(launched.body["runId"]));
    expect(run).toMatchObject({ status: "completed", steps: [{ status: "skipped", outcome: "no webhook" }] });
  });

  test("fails where its header is none", async () => {
    const hook = await hookOf([respond({ headers: { "x-name": "{{ trigger.body.name }}" } })]);
    const answer = await send(hook, { name: "Ada\nSet-Cookie: x" });
    expect([answer.status, answer.body["runStatus"]]).toEqual([500, "failed"]);
  });

  test("leaves a sender who is not made to wait to what the trigger says", async () => {
    const hook = await hookOf([respond({ body: "late" })], { answer: { body: "at once" } });
    expect((await send(hook)).text).toBe("at once");
    expect((await engine.finished(await lastRun())).status).toBe("completed");
  });
});

test.each([
  [{ headers: { "set-cookie": "a=b" } }, "set by the gateway"],
  [{ status: 99 }, ">=200"],
  [{ body: 1, html: "x" }, "write one"],
  [{ headers: { "content-type": "text/html" }, body: "<p>{{ trigger.body.x }}</p>" }, 'write it as "html"'],
  [{ headers: { "Content-Type": "{{ trigger.body.x }}" } }, "must be written out"],
])("an answer that cannot be given is refused: %j", async (input, message) => {
  const refused = await call("POST", "/api/workflows", {
    body: hookDefinition("refused-answer", {}, { steps: [respond(input as JsonObject)] }),
  });
  expect([refused.status, refused.text]).toEqual([422, expect.stringContaining(JSON.stringify(message).slice(1, -1))]);
});

describe("a call of our own that comes back to a webhook", () => {
  const run = async (headers: Record<string, string>): Promise<JsonObject> => {
    const { hook } = await install(hookDefinition(`chain-${(count += 1)}`));
    const { body } = await request(url, "POST", hook, { body: {}, headers });
    return (await call("GET", `/api/runs/${String(body["runId"])}`)).body;
  };
  const caller = {
    id: "0192f0c4-7a10-7cc3-9e55-000000000001",
    workflowId: "0192f0c4-7a10-7cc3-9e55-000000000002",
    depth: 2,
  };

  test("counts as led to by its run, until the cap stops the chain visibly", async () => {
    const headers = { [originHeaderName]: await originHeader(pool, caller) };
    expect(await run(headers)).toMatchObject({
      depth: 3,
      origin: { runId: caller.id, workflowId: caller.workflowId, depth: 2 },
    });
    const deep = { [originHeaderName]: await originHeader(pool, { ...caller, depth: 5 }) };
    expect(await run(deep)).toMatchObject({ depth: 6, status: "stopped-as-loop", error: { code: "loop" } });
  });

  test("counts only under our own signature", async () => {
    const value = await originHeader(pool, { ...caller, depth: 5 });
    const forged = [value.replace(".5.", ".9."), value.slice(0, -2), `${value}x`, "nonsense", `${value}.x`, "..."];
    for (const header of forged)
      expect(await run({ [originHeaderName]: header })).toMatchObject({ depth: 0, origin: null });
  });
});
