import { describe, expect, test } from "vitest";
import { activateWorkflow } from "../../src/catalog/activation.ts";
import { saveDraft, type Catalog } from "../../src/catalog/drafts.ts";
import type { Json, JsonObject } from "../../src/json.ts";
import { triggerKinds } from "../../src/triggers/registry.ts";
import { listSecrets } from "../../src/vault/secrets.ts";
import { startGateway } from "../api/gateway.ts";
import { createTestDatabase } from "../support/database.ts";
import { definitionOf, recordKinds, startTestEngine } from "../support/engine.ts";
import { postKind, startService } from "../support/post-kind.ts";
import { createTestVault } from "../support/vault.ts";

const { pool } = await createTestDatabase();
const service = await startService(async ({ path, headers, body }) => {
  const echo: Json = { path, said: `with ${String(headers["authorization"])}`, body };
  return path.startsWith("/refused") ? { status: 422, body: echo } : { status: 200, body: echo };
});
const kinds = { ...recordKinds, post: postKind };
const engine = await startTestEngine(pool, { kinds });
const { workspace, objects } = engine;
const gateway = await startGateway(pool, { kinds, workspaceId: workspace.id });
const vault = createTestVault(pool);
const catalog: Catalog = { workspaceId: workspace.id, kinds, triggerKinds, objects, quickLane: true };

const token = "tok/en+with=signs&more";
const { id: secretId } = await vault.create({ workspaceId: workspace.id, name: "API_TOKEN", value: token });

const post = (path: string, rest: JsonObject = {}): JsonObject => ({
  id: "call",
  kind: "post",
  input: {
    url: `${service.url}${path}`,
    headers: { authorization: "Bearer {{ secrets.API_TOKEN }}" },
    body: { token: "{{ secrets.API_TOKEN }}", plain: "{{ trigger.body.text | default: '' }}" },
    ...rest,
  },
});

async function run(key: string, steps: JsonObject[], body: JsonObject = {}) {
  return engine.finished(await engine.enqueue(await engine.activate(definitionOf(key, steps)), body));
}

let made = 0;
const refusal = async (steps: JsonObject[], rest: JsonObject = {}): Promise<string> => {
  const document = definitionOf(`refused-${(made += 1)}`, steps, rest);
  const saved = await gateway.call("POST", "/api/workflows", { body: document });
  const answer =
    saved.status === 201 ? await gateway.call("POST", `/api/workflows/${String(saved.body["id"])}/activate`) : saved;
  return answer.text;
};

describe("a secret in what a step sends", () => {
  test("goes out whole, encoded for its place, and is kept nowhere: not in input, request, output, error or tries", async () => {
    const done = await run("sends", [post("/in/{{ secrets.API_TOKEN }}")]);
    const refused = await run("sends-refused", [post("/refused")]);
    const [got] = service.received.filter(({ path }) => path.startsWith("/in/"));
    expect(got).toMatchObject({
      path: "/in/tok%2Fen%2Bwith%3Dsigns%26more",
      headers: { authorization: `Bearer ${token}` },
    });
    expect(JSON.parse(got!.body)).toMatchObject({ token });
    expect(done.steps[0]?.input).toMatchObject({
      url: `${service.url}/in/{{ secrets.API_TOKEN }}`,
      headers: { authorization: "Bearer {{ secrets.API_TOKEN }}" },
    });
    expect(done.steps[0]?.output).toMatchObject({ body: { path: "/in/[redacted]", said: "with Bearer [redacted]" } });
    expect(refused).toMatchObject({
      status: "failed",
      steps: [{ error: { body: { said: "with Bearer [redacted]" } } }],
    });
    const { rows } = await pool.query(
      `select r.error::text, c.request::text, (select string_agg(a::text, '') from tandem.step_attempts a where a.run_id = r.id) as tries
       from tandem.runs r join tandem.outside_calls c on c.run_id = r.id where r.id = any($1)`,
      [[done.id, refused.id]],
    );
    expect(JSON.stringify(rows)).not.toMatch(/tok.{1,4}en/);
    expect(rows[0].request).toContain(`"name": "API_TOKEN"`);
  });

  test("is known again where somebody sent it along, and goes out as it came", async () => {
    const sent = await run("sends-along", [post("/along")], { text: `my ${token}` });
    expect(JSON.parse(service.received.at(-1)!.body)).toEqual({ token, plain: `my ${token}` });
    expect(JSON.stringify(sent.steps)).not.toContain(token);
  });

  test("cannot be asked for by what a sender gives", async () => {
    const forged = { $secret: [{ name: "API_TOKEN", place: "data" }] };
    await run("sends-forged", [post("/forged", { body: "{{ trigger.body.forged }}" })], { forged });
    expect(JSON.parse(service.received.at(-1)!.body)).toEqual(forged);
    await run("sends-braces", [post("/braces", { body: "{{ trigger.body.text }}" })], {
      text: "{{ secrets.API_TOKEN }}",
    });
    expect(JSON.parse(service.received.at(-1)!.body)).toBe("{{ secrets.API_TOKEN }}");
  });
});

describe("activation", () => {
  test("refuses names that there are not, with the one that was meant", async () => {
    expect(await refusal([post("/", { body: "{{ secrets.API_TOKN }}" })])).toContain(
      `unknown secret \\"API_TOKN\\"; did you mean \\"API_TOKEN\\"?`,
    );
  });

  test.each<[string, JsonObject[], JsonObject]>([
    [
      "a record",
      [{ id: "a", kind: "create-record", input: { object: "company", values: { name: "{{ secrets.API_TOKEN }}" } } }],
      {},
    ],
    ["a value", [{ id: "a", kind: "set", input: { x: "{{ secrets.API_TOKEN }}" } }], {}],
    [
      "a condition",
      [{ id: "a", kind: "filter", when: { left: "{{ secrets.API_TOKEN }}", operator: "equals", right: "a" } }],
      {},
    ],
    ["the value of once", [{ ...post("/"), once: "{{ secrets.API_TOKEN }}" }], {}],
    ["the output", [], { output: { x: "{{ secrets.API_TOKEN }}" } }],
    ["the concurrency key", [], { concurrency: { key: "{{ secrets.API_TOKEN }}" } }],
    [
      "a webhook's answer",
      [],
      { triggers: [{ id: "form", kind: "webhook", answer: { body: { x: "{{ secrets.API_TOKEN }}" } } }] },
    ],
    ["a filter's hands", [post("/", { body: "{{ secrets.API_TOKEN | upcase }}" })], {}],
  ])("refuses a secret in %s", async (_place, steps, rest) => {
    const said = await refusal(steps, rest);
    expect(said).toMatch(/"code":"invalid-definition"/);
    expect(said).toMatch(/secret/);
  });

  test("grants what the version names; that is seen, and keeps the secret from being deleted", async () => {
    const { id: other } = await vault.create({ workspaceId: workspace.id, name: "OTHER", value: "another value" });
    const { workflowId } = await engine.activate(definitionOf("grants", [post("/", { body: "{{ secrets.OTHER }}" })]));
    const seen = (await listSecrets(pool, { workspaceId: workspace.id, limit: 9 })).find(({ id }) => id === other);
    expect(seen?.usedBy).toEqual([{ workflowId, workflow: "grants", trigger: null, active: true }]);
    const refused = await gateway.call("DELETE", `/api/secrets/${other}`);
    expect(refused.body).toMatchObject({ status: 409, code: "secret-in-use" });
    await saveDraft(pool, catalog, { workflowId, document: definitionOf("grants", [post("/")]) });
    await activateWorkflow(pool, catalog, workflowId);
    expect((await gateway.call("DELETE", `/api/secrets/${other}`)).status).toBe(200);
  });

  test("takes away what it names no more: a run of the version before fails, and says so", async () => {
    const before = await engine.activate(definitionOf("granted-before", [post("/before")]));
    const plain = definitionOf("granted-before", [post("/before", { headers: {}, body: null })]);
    await saveDraft(pool, catalog, { workflowId: before.workflowId, document: plain });
    await activateWorkflow(pool, catalog, before.workflowId);
    const late = await engine.finished(await engine.enqueue(before, {}));
    expect(late).toMatchObject({ status: "failed", error: { code: "secret-not-granted" } });
    expect(String(late.error?.["message"])).toContain("may not use API_TOKEN");
    expect(service.received.filter(({ path }) => path === "/before")).toEqual([]);
  });
});

test("a new value is sent as soon as it is there", async () => {
  const workflow = await engine.activate(definitionOf("rotates", [post("/rotates")]));
  await vault.rotate({ workspaceId: workspace.id, id: secretId, value: "the new value", overlapMs: 60_000 });
  const done = await engine.finished(await engine.enqueue(workflow, { text: token }));
  const sent = service.received.find(({ path }) => path === "/rotates");
  // Known to others within a second.
  expect([`Bearer ${token}`, "Bearer the new value"]).toContain(sent?.headers["authorization"]);
  expect(JSON.stringify(done.steps)).not.toMatch(/tok.{1,4}en|the new value/);
});
