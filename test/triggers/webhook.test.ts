import { describe, expect, test } from "vitest";
import { issuesOf } from "../../src/definition/issues.ts";
import type { Json, JsonObject } from "../../src/json.ts";
import { compileWebhook, webhookSettings } from "../../src/triggers/webhook.ts";

function webhookWith(settings: JsonObject) {
  return compileWebhook(webhookSettings.parse(settings));
}

function check(schema: JsonObject, body: Json, fromText = false) {
  const { body: kept, issues } = webhookWith({ body: schema }).checkBody(body, { fromText });
  return { body: kept, faults: issues.map(({ path, message }) => `${path}: ${message}`) };
}

const objectOf = (properties: JsonObject, rest: JsonObject = {}): JsonObject => ({
  type: "object",
  properties,
  ...rest,
});

describe("settings", () => {
  test("default to POST without authentication", () => {
    expect(webhookSettings.parse({})).toEqual({
      method: "POST",
      authentication: { kind: "none" },
      maximumBytes: 1024 * 1024,
    });
  });

  test.each([
    ["an unknown format", { type: "string", format: "e-mail" }, /unknown format "e-mail"/],
    ["an unknown keyword", { type: "string", patern: "a" }, /unknown keyword: "patern"/],
    ["an unknown type", { type: "text" }, /type must be/],
    ["a pattern that cannot run in linear time", { type: "string", pattern: "(?=a)b" }, /./],
    ["a reference outward", { $ref: "https://example.com/schema.json" }, /can't resolve reference/],
    ["checks that answer later", { $async: true, type: "object" }, /"\$async" is not available/],
  ])("refuse a body structure with %s", (_, body, message) => {
    const parsed = webhookSettings.safeParse({ body });
    expect(parsed.error?.issues.map((issue) => issue.path)).toEqual([["body"]]);
    expect(parsed.error?.issues[0]?.message).toMatch(/^this JSON Schema cannot be used: /);
    expect(parsed.error?.issues[0]?.message).toMatch(message);
  });

  test.each([
    [{ method: "TRACE" }],
    [{ authentication: { kind: "magic" } }],
    [{ dedupe: { header: "two words" } }],
    [{ dedupe: { path: "a..b" } }],
    [{ answer: { status: 500 } }],
  ])("refuse %j", (settings) => expect(webhookSettings.safeParse(settings).success).toBe(false));

  test("refuse keys that are known, but not beside one another", () => {
    const { error } = webhookSettings.safeParse({ dedupe: { header: "x-id", path: "id" } });
    expect(error === undefined ? [] : issuesOf(error, webhookSettings)).toEqual([
      { path: "dedupe.path", message: '"path" does not go together with what stands beside it: leave one of them out' },
    ]);
  });
});

describe("a declared body structure", () => {
  const form = objectOf(
    {
      email: { type: "string", format: "email" },
      company: { type: "object", properties: { name: { type: "string" } } },
      tags: { type: "array", items: { type: "string" } },
    },
    { required: ["email"] },
  );

  test("lets what is not declared through", () => {
    expect(check(form, { email: "ada@example.com", utm: [1] })).toEqual({
      body: { email: "ada@example.com", utm: [1] },
      faults: [],
    });
  });

  test.each<[string, Json, string[]]>([
    ["what is required and lacks", {}, ["body.email: is required"]],
    ["what does not fit its format", { email: "nope" }, ['body.email: must match format "email"']],
    ["what is not of its type", { email: ["a"] }, ["body.email: must be string"]],
    [
      "every fault at once",
      { email: "nope", company: { name: {} }, tags: [true, "b", null] },
      [
        'body.email: must match format "email"',
        "body.company.name: must be string",
        "body.tags[0]: must be string",
        "body.tags[2]: must be string",
      ],
    ],
    ["a body that is no object", [], ["body: must be object"]],
    ["no body", null, ["body: must be object"]],
  ])("names %s", (_, body, faults) => expect(check(form, body).faults).toEqual(faults));

  test("names what is not declared where that is refused, and the values that are allowed", () => {
    const schema = objectOf({ size: { enum: ["S", "L"] } }, { additionalProperties: false });
    expect(check(schema, { size: "M", extra: 1 }).faults).toEqual([
      "body.extra: is not declared",
      'body.size: must be one of "S", "L"',
    ]);
  });

  test("is not fooled by what every object inherits", () => {
    expect(check(objectOf({}, { required: ["constructor", "toString"] }), {}).faults).toEqual([
      "body.constructor: is required",
      "body.toString: is required",
    ]);
  });

  test("reports a hundred faults at most", () => {
    const schema = objectOf({ all: { type: "array", items: { type: "string" } } });
    expect(check(schema, { all: Array.from({ length: 1_000 }, () => null) }).faults).toHaveLength(100);
  });
});

describe("numbers", () => {
  const id = "9007199254740993";

  test("a property declared text takes an integer and makes it text", () => {
    expect(check(objectOf({ id: { type: "string" } }), { id: 1234567890123 })).toEqual({
      body: { id: "1234567890123" },
      faults: [],
    });
    expect(check(objectOf({ id: { type: "string" } }), { id: 1.5 }).faults).toEqual(["body.id: must be string"]);
  });

  test("an integer past 2^53, which comes as text, stays exact text and is checked as the number that was sent", () => {
    for (const type of ["integer", "number"]) {
      expect(check(objectOf({ id: { type, minimum: 1 } }), { id })).toEqual({ body: { id }, faults: [] });
      expect(check(objectOf({ id: { type, maximum: 10 } }), { id }).faults).toEqual(["body.id: must be <= 10"]);
    }
    expect(check(objectOf({ id: { type: "string" } }), { id })).toEqual({ body: { id }, faults: [] });
  });

  test("text that is a small number is no number in JSON", () => {
    expect(check(objectOf({ n: { type: "integer" } }), { n: "7" }).faults).toEqual(["body.n: must be integer"]);
  });
});

describe("form text", () => {
  test.each<[JsonObject, Json, Json]>([
    [{ type: "integer" }, "7", 7],
    [{ type: "integer" }, "9007199254740993", "9007199254740993"],
    [{ type: "number" }, "-1.5e3", -1500],
    [{ type: "boolean" }, "on", true],
    [{ type: "boolean" }, "false", false],
    [{ type: "string" }, "7", "7"],
    [{ type: "string" }, "true", "true"],
    [{ type: ["string", "integer"] }, "7", "7"],
    [{ type: ["integer", "null"] }, "7", 7],
    [{ type: "array", items: { type: "integer" } }, "7", [7]],
    [{ type: "array", items: { type: "integer" } }, ["7", "8"], [7, 8]],
    [{ $ref: "#/definitions/count" }, "7", 7],
    [{ allOf: [{ type: "integer" }, { minimum: 1 }] }, "7", 7],
    [{ anyOf: [{ type: "integer" }, { type: "boolean" }] }, "yes", true],
    [{}, "7", "7"],
  ])("of a property declared %j: %j becomes %j", (property, sent, kept) => {
    const schema = objectOf({ value: property }, { definitions: { count: { type: "integer" } } });
    expect(check(schema, { value: sent }, true)).toEqual({ body: { value: kept }, faults: [] });
  });

  test("that is not of the declared type is named", () => {
    expect(check(objectOf({ n: { type: "integer" } }), { n: "seven" }, true).faults).toEqual([
      "body.n: must be integer",
    ]);
    expect(check(objectOf({ n: { type: "integer" } }), { n: "" }, true).faults).toEqual(["body.n: must be integer"]);
  });

  test("of a schema that refers to itself is fitted all the way down", () => {
    const schema = objectOf({ n: { type: "integer" }, next: { $ref: "#" } });
    expect(check(schema, { n: "1", next: { n: "2" } }, true).body).toEqual({ n: 1, next: { n: 2 } });
  });
});

describe("no body keeps the process busy", () => {
  test.each<[string, JsonObject, Json]>([
    ["by a pattern that backtracks", { type: "string", pattern: "^(a+)+$" }, `${"a".repeat(50_000)}!`],
    ["by an e-mail address without end", { type: "string", format: "email" }, `${"a.".repeat(100_000)}@`],
    [
      "by a list of which no two items may be the same",
      { type: "array", uniqueItems: true },
      Array.from({ length: 100_000 }, (_, i) => ({ i: i % 99_999 })),
    ],
  ])("%s", (_, schema, body) => {
    const startedAt = performance.now();
    expect(check(schema, body).faults).toHaveLength(1);
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });

  test("and the order of keys does not make two items different", () => {
    expect(
      check({ type: "array", uniqueItems: true }, [
        { a: 1, b: 2 },
        { b: 2, a: 1 },
      ]).faults,
    ).toEqual(["body: must not hold the same item twice"]);
  });
});

describe("the dedupe key", () => {
  const delivery = { headers: { "x-id": "7" }, body: { event: { id: 12, none: null, list: [{ id: "a" }] } } };

  test.each<[JsonObject | undefined, string | undefined]>([
    [undefined, undefined],
    [{ header: "X-Id" }, "7"],
    [{ header: "x-other" }, undefined],
    [{ path: "event.id" }, "12"],
    [{ path: "event.list.0.id" }, "a"],
    [{ path: "event.none" }, undefined],
    [{ path: "event" }, undefined],
    [{ path: "event.constructor.name" }, undefined],
    [{ path: "missing.at.all" }, undefined],
  ])("of %j is %j", (dedupe, key) => {
    expect(webhookWith(dedupe === undefined ? {} : { dedupe }).dedupeKey(delivery)).toBe(key);
  });
});
