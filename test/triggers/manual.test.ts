import { describe, expect, test } from "vitest";
import type { CrmObject, Objects } from "../../src/crm/objects.ts";
import { validateDefinition } from "../../src/definition/validate.ts";
import type { Json, JsonObject } from "../../src/json.ts";
import { readInputs, type Inputs } from "../../src/triggers/manual/inputs.ts";
import { manual } from "../../src/triggers/manual.ts";
import { context, definitionWith } from "../definition/documents.ts";

/** Objects of which nothing but the name is asked for. */
const named = (names: readonly string[]): Objects => {
  const all = names.map((name) => ({ name }) as CrmObject);
  return { ...context.objects, list: () => all, find: (name) => all.find((object) => object.name === name) };
};
const known = { ...context, objects: named(["person", "company"]) };

function faultsOf(trigger: JsonObject, steps: JsonObject[] = []): string[] {
  const document = definitionWith({ triggers: [{ id: "button", kind: "manual", ...trigger }], steps });
  return validateDefinition(document, known).issues.map(({ path, message }) => `${path}: ${message}`);
}

describe("a manual trigger is refused", () => {
  test.each<[string, JsonObject, string[]]>([
    ["with a misspelt availability", { availability: "singel" }, ["triggers[0].availability: "]],
    [
      "without an object, where records are selected",
      { availability: "single" },
      ["triggers[0].object: is required where availability is single"],
    ],
    ["with one, where none are", { object: "person" }, ["triggers[0].object: a global launch has no record"]],
    [
      "for an object that is not there",
      { availability: "bulk", object: "persn" },
      ['triggers[0].object: there is no object "persn"; did you mean "person"?'],
    ],
    ["with an input of no name", { inputs: { "A b": { type: "text" } } }, ["triggers[0].inputs.A b: "]],
    ["with an input of no type", { inputs: { a: { type: "txt" } } }, ["triggers[0].inputs.a.type: "]],
    [
      "with a misspelt key",
      { inputs: { a: { type: "text", requird: true } } },
      ['inputs.a.requird: unknown key "requird"'],
    ],
    ["with a select of nothing", { inputs: { a: { type: "select" } } }, ["inputs.a.options: belong to a select"]],
    [
      "with options of text",
      { inputs: { a: { type: "text", options: ["x"] } } },
      ["inputs.a.options: belong to a select"],
    ],
    ["with a record of nothing", { inputs: { a: { type: "record" } } }, ["inputs.a.object: belongs to a record"]],
    [
      "with a record of what is not there",
      { inputs: { a: { type: "record", object: "compny" } } },
      ['inputs.a.object: there is no object "compny"; did you mean "company"?'],
    ],
    [
      "with a default that does not fit",
      {
        inputs: {
          a: { type: "select", options: ["small", "large"], default: "big" },
          b: { type: "number", default: "1" },
        },
      },
      ["inputs.a.default: is none of small, large", 'inputs.b.default: takes a number, but got "1"'],
    ],
  ])("%s", (_, trigger, expected) => {
    const faults = faultsOf(trigger);
    expect(faults).toHaveLength(expected.length);
    expected.forEach((fault, position) => expect(faults[position]).toContain(fault));
  });
});

describe("what a manual trigger gives", () => {
  const set = (value: string): JsonObject => ({ id: "told", kind: "set", input: { value } });

  test("is known by its availability and inputs", () => {
    const inputs = { campaign: { type: "text" } };
    expect(faultsOf({ inputs }, [set("{{ trigger.inputs.campaign }}")])).toEqual([]);
    expect(faultsOf({ inputs }, [set("{{ trigger.inputs.campain }}")])).toEqual([
      'steps[0].input.value: "trigger.inputs" gives no "campain"; did you mean "campaign"?',
    ]);
    expect(faultsOf({}, [set("{{ trigger.record.id }}")])).toEqual([
      'steps[0].input.value: "trigger" gives no "record"',
    ]);
    expect(faultsOf({ availability: "single", object: "person" }, [set("{{ trigger.record.id }}")])).toEqual([]);
    expect(
      faultsOf({ availability: "bulk", object: "person" }, [set("{{ trigger.count }} {{ trigger.object }}")]),
    ).toEqual([]);
  });

  test("is what its example says", () => {
    const { settings, gives } = manual.sample;
    expect(manual.settings.safeParse(settings).success).toBe(true);
    expect(Object.keys(manual.gives(settings)).toSorted()).toEqual(Object.keys(gives).toSorted());
  });
});

describe("values of inputs", () => {
  const declared = (inputs: JsonObject): Inputs => {
    const { inputs: parsed } = manual.settings.parse({ inputs }) as { inputs: Inputs };
    return parsed;
  };

  test.each<[string, Json[], Json[]]>([
    ["text", ["", "Ada"], [1, ["x"]]],
    ["number", [0, -1.5], ["1", true]],
    ["boolean", [true, false], ["true", 0]],
    ["date", ["2026-02-28"], ["2026-02-29", "28.02.2026", "2026-02-28T00:00:00Z"]],
    ["dateTime", ["2026-02-28T10:00:00Z", "2026-02-28T10:00:00+02:00"], ["2026-02-28T10:00:00", "2026-02-28"]],
    ["email", ["ada@example.com"], ["ada", "ada@"]],
    ["emails", [[], ["ada@example.com"]], ["ada@example.com", ["x"]]],
    ["url", ["https://example.com/a"], ["example"]],
    ["member", ["ada@example.com"], ["Ada"]],
    ["timeZone", ["Europe/Berlin"], ["Europe/Berln"]],
  ])("of the type %s", (type, right, wrong) => {
    const inputs = declared({ value: { type } });
    for (const value of right) expect(readInputs(inputs, { value })).toEqual({ values: { value }, issues: [] });
    for (const value of wrong)
      expect(readInputs(inputs, { value }).issues).toEqual([
        { path: "inputs.value", message: expect.stringMatching(/^takes .*, but got /) },
      ]);
  });

  test("stand in for what was not given, and null where nothing does", () => {
    const inputs = declared({
      a: { type: "number", default: 3 },
      b: { type: "text" },
      c: { type: "text", required: true },
    });
    expect(readInputs(inputs, { c: "x" })).toEqual({ values: { a: 3, b: null, c: "x" }, issues: [] });
    expect(readInputs(inputs, { a: null, c: null }).issues).toEqual([{ path: "inputs.c", message: "is required" }]);
  });
});
