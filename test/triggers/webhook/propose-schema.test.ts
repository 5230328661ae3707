import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Json } from "../../../src/json.ts";
import { compileBodySchema } from "../../../src/triggers/body-schema.ts";
import { proposeSchema } from "../../../src/triggers/webhook/propose-schema.ts";

/** Texts of the kinds that are told apart, and others that come near them. */
const text = fc.oneof(
  fc.string(),
  fc.uuid(),
  fc.emailAddress(),
  fc.webUrl(),
  fc
    .date({ noInvalidDate: true, min: new Date("1970-01-01"), max: new Date("2100-01-01") })
    .map((date) => date.toISOString()),
  fc.constantFrom("2026-11-24", "2026-02-30", "a:b", "mailto:a@x.example", "+49 30 1", "a@b", "12:00", ""),
);
const sample = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constant(null),
    fc.boolean(),
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    text,
    fc.array(tie("value"), { maxLength: 5 }),
    fc.dictionary(fc.constantFrom("a", "b", "constructor", "with space", "$ref"), tie("value")),
  ),
})).value;

test("every sample fits what is proposed from it and others", () => {
  fc.assert(
    fc.property(fc.array(sample, { minLength: 1, maxLength: 4 }), (samples) => {
      const schema = compileBodySchema(proposeSchema(samples));
      for (const each of samples) expect(schema.check(each, { fromText: false }).issues).toEqual([]);
    }),
    { seed: 20_261_124, numRuns: 150 },
  );
});

describe("a proposal", () => {
  test.each<[string, Json[], Json]>([
    ["requires what is in all samples", [{ a: 1, b: 2 }, { a: 3 }], ["a"]],
    ["requires nothing where they share nothing", [{ a: 1 }, { b: 1 }], undefined as never],
  ])("%s", (_what, samples, required) => {
    expect(proposeSchema(samples)["required"]).toEqual(required);
  });

  test.each<[string, Json[], Json]>([
    ["a number where some have decimals", [1, 1.5], { type: "number" }],
    ["either of two types", [1, "a"], { type: ["integer", "string"] }],
    ["null beside what it stands for", [null, "a"], { type: ["null", "string"] }],
    ["nothing of what was null throughout", [null, null], {}],
    ["no items of an empty list", [[]], { type: "array" }],
    [
      "items of all lists together",
      [[1], [{}]],
      { type: "array", items: { type: ["integer", "object"], properties: {} } },
    ],
    ["a format that all texts have", ["a@x.example", "b@x.example"], { type: "string", format: "email" }],
    ["none that only some have", ["a@x.example", "b"], { type: "string" }],
    ["a day", ["2026-11-24"], { type: "string", format: "date" }],
    ["a moment", ["2026-11-24T10:00:00+01:00"], { type: "string", format: "date-time" }],
    ["an address of the web", ["https://x.example/a"], { type: "string", format: "uri" }],
    ["no address where there is but a colon", ["note:done"], { type: "string" }],
    ["nothing of nothing", [], {}],
  ])("says %s", (_what, samples, schema) => {
    expect(proposeSchema(samples)).toEqual(schema);
  });

  test("names a thousand properties at most, and lets the others through", () => {
    const wide = Object.fromEntries(Array.from({ length: 3_000 }, (_, n) => [`k${n}`, n]));
    const schema = proposeSchema([wide]);
    expect(Object.keys(schema["properties"] as object)).toHaveLength(1_000);
    expect(compileBodySchema(schema).check(wide, { fromText: false }).issues).toEqual([]);
  });
});
