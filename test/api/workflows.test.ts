import { stringify } from "yaml";
import { describe, expect, test } from "vitest";
import type { Json } from "../../src/json.ts";
import { createTestDatabase } from "../support/database.ts";
import { hookDefinition, startGateway, type Sent } from "./gateway.ts";

const { pool } = await createTestDatabase();
const { call, install } = await startGateway(pool);
const make = (sent: Sent) => call("POST", "/api/workflows", sent);
const yaml = { "content-type": "application/yaml" };

describe("a workflow", () => {
  test("is made as a draft", async () => {
    const { status, headers, body } = await make({ body: hookDefinition("made") });
    expect(status).toBe(201);
    expect(headers.get("etag")).toBe('"1"');
    expect(body).toMatchObject({
      id: expect.any(String),
      key: "made",
      name: "made",
      status: "draft",
      version: 1,
      triggers: [],
    });
    const read = await call("GET", `/api/workflows/${String(body["id"])}`);
    expect(read.body).toMatchObject({
      definition: hookDefinition("made"),
      draft: hookDefinition("made"),
      status: "draft",
      settings: {},
    });
  });

  test("may come as YAML", async () => {
    const { status, body } = await make({ raw: stringify(hookDefinition("from-yaml")), headers: yaml });
    expect([status, body["key"]]).toEqual([201, "from-yaml"]);
    expect(body["definition"]).toEqual(hookDefinition("from-yaml"));
  });

  test("is activated, with the address of its webhook", async () => {
    const { body: made } = await make({ body: hookDefinition("activated") });
    const { status, body } = await call("POST", `/api/workflows/${String(made["id"])}/activate`);
    expect([status, body["status"]]).toEqual([200, "active"]);
    expect(body["triggers"]).toEqual([
      {
        id: "form",
        kind: "webhook",
        method: "POST",
        url: expect.stringMatching(/^https:\/\/crm\.example\/hooks\/[\w-]{43}$/),
      },
    ]);
    expect(body).not.toHaveProperty("draft");
    const again = await call("POST", `/api/workflows/${String(made["id"])}/activate`);
    expect([again.status, again.body["triggers"]]).toEqual([200, body["triggers"]]);
  });

  test("is changed in a draft beside the active version, which runs until the draft is activated", async () => {
    const { id } = await install(hookDefinition("changed"));
    const next = { ...hookDefinition("changed"), name: "Changed" };
    const saved = await call("PUT", `/api/workflows/${id}/draft`, { body: next });
    expect(saved.body).toMatchObject({
      status: "active",
      version: 2,
      definition: hookDefinition("changed"),
      draft: next,
    });
    const active = await call("POST", `/api/workflows/${id}/activate`);
    expect(active.body).toMatchObject({ status: "active", version: 2, name: "Changed", definition: next });
    const { body } = await call("GET", `/api/workflows/${id}/versions`);
    expect(body).toMatchObject({
      data: [
        { number: 2, status: "active", definition: next, activatedAt: expect.any(String) },
        { number: 1, status: "archived" },
      ],
      nextCursor: null,
    });
  });

  test("is deactivated, and activated again", async () => {
    const { id } = await install(hookDefinition("off"));
    expect((await call("POST", `/api/workflows/${id}/deactivate`)).body["status"]).toBe("inactive");
    expect((await call("POST", `/api/workflows/${id}/activate`)).body["status"]).toBe("active");
  });

  test("is refused under a key that is taken", async () => {
    await make({ body: hookDefinition("twice") });
    expect((await make({ body: hookDefinition("twice") })).body).toMatchObject({ status: 409, code: "key-taken" });
  });

  test.each<[Json[], string, string]>([
    [[{ id: "a", kind: "crete-record", input: {} }], "steps[0].kind", 'did you mean "create-record"'],
    [[{ id: "a", kind: "set", input: {}, colour: "red" }], "steps[0].colour", "unknown key"],
    [[{ id: "a", kind: "set", input: { x: "{{ trigr.body.x }}" } }], "steps[0].input.x", 'unknown step "trigr"'],
  ])("of %j is refused with the place of the fault", async (steps, path, message) => {
    const { status, body } = await make({ body: hookDefinition("faulty", {}, { steps }) });
    expect([status, body["code"]]).toEqual([422, "invalid-definition"]);
    expect(body["issues"]).toEqual([{ path, message: expect.stringContaining(message) }]);
  });
});

describe("a draft", () => {
  test("is saved over what its author saw, and refused over what somebody else saved", async () => {
    const { body, headers } = await make({ body: hookDefinition("tagged") });
    const path = `/api/workflows/${String(body["id"])}/draft`;
    const save = (name: string, etag?: string) =>
      call("PUT", path, {
        body: { ...hookDefinition("tagged"), name },
        ...(etag === undefined ? {} : { headers: { "if-match": etag } }),
      });
    const etag = headers.get("etag") ?? "";
    const first = await save("First", etag);
    expect([first.status, first.headers.get("etag")]).toEqual([200, '"2"']);
    expect((await save("Second", etag)).body).toMatchObject({ status: 412, code: "draft-changed" });
    expect((await save("Second", "nonsense")).status).toBe(412);
    expect((await save("Second", first.headers.get("etag") ?? "")).status).toBe(200);
    expect((await save("Third")).status).toBe(200);
    expect((await save("Fourth", "*")).status).toBe(200);
  });

  test("of two that are saved at once over the same, one is refused", async () => {
    const { body } = await make({ body: hookDefinition("raced") });
    const path = `/api/workflows/${String(body["id"])}/draft`;
    const answers = await Promise.all(
      ["a", "b", "c"].map((name) =>
        call("PUT", path, { body: { ...hookDefinition("raced"), name }, headers: { "if-match": '"1"' } }),
      ),
    );
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 412, 412]);
  });

  test("keeps its workflow's key", async () => {
    const { body } = await make({ body: hookDefinition("for-life") });
    const { status, body: problem } = await call("PUT", `/api/workflows/${String(body["id"])}/draft`, {
      body: hookDefinition("other"),
    });
    expect([status, problem["issues"]]).toEqual([422, [{ path: "key", message: expect.stringContaining("for life") }]]);
  });
});

test("settings are set by name, checked, and taken back by null", async () => {
  const settings = { days: { type: "number", default: 3 }, inbox: { type: "email", default: "a@x.example" } };
  const { id } = await install(hookDefinition("set", {}, { settings }));
  const set = (body: Sent["body"]) => call("PUT", `/api/workflows/${id}/settings`, { body: body ?? null });
  expect((await set({ days: 5, inbox: "b@x.example" })).body["settings"]).toEqual({ days: 5, inbox: "b@x.example" });
  expect((await set({ inbox: null })).body["settings"]).toEqual({ days: 5 });
  const refused = await set({ days: "five", inbox: "nope", other: 1 });
  expect(refused.status).toBe(422);
  expect((refused.body["issues"] as { path: string }[]).map(({ path }) => path).toSorted()).toEqual([
    "days",
    "inbox",
    "other",
  ]);
  expect((await set([])).status).toBe(422);
});

describe("a body", () => {
  test.each<[string, Sent, number]>([
    ["that is not JSON", { raw: "{", headers: { "content-type": "application/json" } }, 400],
    ["with __proto__", { raw: '{"__proto__":{}}', headers: { "content-type": "application/json" } }, 400],
    ["that is nested too deeply", { raw: "[".repeat(100_000), headers: { "content-type": "application/json" } }, 400],
    ["that is not YAML", { raw: "a: [", headers: yaml }, 400],
    ["of two YAML documents", { raw: "a: 1\n---\nb: 2\n", headers: yaml }, 400],
    ["of YAML with a key twice", { raw: "a: 1\na: 2\n", headers: yaml }, 400],
    ["of YAML that grows without end", { raw: bomb(), headers: yaml }, 400],
    ["of YAML that holds itself", { raw: "&a [*a]\n", headers: yaml }, 400],
    ["of YAML that nests too deeply", { raw: "[".repeat(20_000), headers: yaml }, 400],
    ["of YAML with a number that is none", { raw: "a: .inf\n", headers: yaml }, 400],
    ["of another type", { raw: "<a/>", headers: { "content-type": "text/xml" } }, 415],
    [
      "past 1 MiB",
      { raw: JSON.stringify("x".repeat(1_100_000)), headers: { "content-type": "application/json" } },
      413,
    ],
    ["that is a list", { body: [] }, 422],
    ["that is text", { body: "x" }, 422],
    ["that is empty", { body: {} }, 422],
  ])("%s is refused", async (_what, sent, status) => {
    const answer = await make(sent);
    expect([answer.status, answer.headers.get("content-type")]).toEqual([
      status,
      "application/problem+json; charset=utf-8",
    ]);
  });

  test("of JSON is not taken for YAML where none is expected", async () => {
    const { id } = await install(hookDefinition("json-only"));
    expect((await call("PUT", `/api/workflows/${id}/settings`, { raw: "a: 1", headers: yaml })).status).toBe(415);
  });
});

test("lists go on where the page before ended", async () => {
  const seen: string[] = [];
  for (let cursor: unknown = ""; cursor !== null;) {
    const { status, body } = await call(
      "GET",
      `/api/workflows?limit=3${cursor === "" ? "" : `&cursor=${String(cursor)}`}`,
    );
    expect(status).toBe(200);
    const data = body["data"] as { id: string; version: number }[];
    expect(data.length).toBeLessThanOrEqual(3);
    seen.push(...data.map(({ id }) => id));
    cursor = body["nextCursor"] ?? null;
  }
  expect(seen.length).toBeGreaterThan(3);
  expect(new Set(seen).size).toBe(seen.length);
  const whole = await call("GET", "/api/workflows?limit=200");
  expect((whole.body["data"] as { id: string }[]).map(({ id }) => id)).toEqual(seen);
});

test.each([
  "limit=0",
  "limit=201",
  "limit=x",
  "limit=1&limit=2",
  "cursor=nope",
  "cursor=",
  "colour=red",
  "__proto__=1",
])("the list's query %s is refused", async (query) => {
  const answer = await call("GET", `/api/workflows?${query}`);
  expect([answer.status, answer.headers.get("content-type")]).toEqual([400, "application/problem+json; charset=utf-8"]);
});

describe("the workspace's settings", () => {
  test("are read and changed by name", async () => {
    const usual = {
      runLimit: 100,
      timeZone: "UTC",
      currency: "EUR",
      alertAddresses: [],
      alertDigestMinutes: 60,
    };
    expect((await call("GET", "/api/settings")).body).toEqual(usual);
    const change = {
      runLimit: 0,
      timeZone: "Europe/Berlin",
      alertAddresses: ["ops@example.com"],
      alertDigestMinutes: 5,
    };
    const { body } = await call("PUT", "/api/settings", { body: change });
    expect(body).toEqual({ ...usual, ...change });
    expect((await call("GET", "/api/settings")).body).toEqual(body);
  });

  test.each([
    { runLimit: -1 },
    { runLimit: 1.5 },
    { timeZone: "Mars" },
    { currency: "eur" },
    { alertAddresses: ["ops@example.com, b@x.com"] },
    { alertDigestMinutes: 4 },
    { other: 1 },
    { runLimit: null },
  ])("refuse %j", async (body) => expect((await call("PUT", "/api/settings", { body })).status).toBe(422));
});

test("what there is to build with is listed", async () => {
  const list = async (path: string) => (await call("GET", path)).body["data"] as { [key: string]: unknown }[];
  expect((await list("/api/step-kinds")).map(({ kind }) => kind)).toContain("search-records");
  expect((await list("/api/trigger-kinds")).map(({ kind }) => kind)).toEqual(
    expect.arrayContaining(["webhook", "manual", "schedule", "record-event"]),
  );
  expect((await list("/api/objects")).map(({ plural }) => plural)).toEqual(
    expect.arrayContaining(["people", "companies", "tasks"]),
  );
  expect((await list("/api/templates")).map(({ id }) => id)).toContain("web-form-leads");
  expect((await call("GET", "/api/definition-schema")).body).toMatchObject({
    $schema: "https://json-schema.org/draft/2020-12/schema",
  });
});

/** Ten lines that stand for ten thousand million values. */
function bomb(): string {
  const lines = Array.from(
    { length: 9 },
    (_, i) => `l${i + 1}: &l${i + 1} [${Array.from({ length: 10 }, () => `*l${i}`).join(", ")}]`,
  );
  return ["l0: &l0 [x, x]", ...lines].join("\n");
}
