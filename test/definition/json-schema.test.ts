import { Ajv2020 } from "ajv/dist/2020.js";
import formatsPlugin from "ajv-formats";
import { expect, test } from "vitest";
import { createDefinitionJsonSchema } from "../../src/definition/json-schema.ts";
import { triggerKinds } from "../../src/triggers/registry.ts";
import { branch, definitionWith, kinds, step } from "./documents.ts";

const { find, set, write } = step;
const schema = createDefinitionJsonSchema({ kinds, triggerKinds });
const ajv = new Ajv2020({ strict: false, allErrors: true });
formatsPlugin.default(ajv);
const fits = ajv.compile(schema);

test.each<[string, { [key: string]: unknown }]>([
  ["no steps", {}],
  [
    "an effect with its input",
    { steps: [find("a", { limit: 1, filter: { all: [{ field: "city", operator: "isEmpty" }] } })] },
  ],
  [
    "expressions for values of any type",
    {
      steps: [
        find("a", { limit: "{{ trigger.body.n }}", filter: { field: "city", operator: "in", value: ["{{ now }}"] } }),
      ],
    },
  ],
  [
    "an expression for an item of a list",
    { steps: [{ id: "a", kind: "mail", input: { to: ["{{ trigger.body.email }}"], subject: "Hello" } }] },
  ],
  [
    "blocks in blocks",
    {
      steps: [
        branch("a", {
          when: { not: { left: 1, operator: "isEmpty" } },
          steps: [branch("b", { steps: [set("c", { x: [1, { y: null }] })] })],
        }),
      ],
    },
  ],
  [
    "onError of both kinds",
    {
      steps: [
        { ...write("a"), onError: "continue" },
        { ...write("b"), onError: { codes: ["x"], steps: [set("c")], output: { id: 1 } } },
      ],
    },
  ],
  [
    "a trigger with its settings",
    {
      triggers: [{ id: "form", kind: "webhook", method: "PUT", body: { type: "object" }, dedupe: { header: "x-id" } }],
    },
  ],
  [
    "a trigger whose settings read the workflow's settings",
    { triggers: [{ id: "form", kind: "webhook", dedupe: { header: "{{ settings.header }}" } }] },
  ],
])("takes a definition of %s", (_, changes) => {
  expect(fits(definitionWith(changes)) ? [] : fits.errors).toEqual([]);
});

test.each<[string, { [key: string]: unknown }]>([
  ["unknown keys", { extra: 1 }],
  ["an unknown step kind", { steps: [{ id: "a", kind: "serch", input: {} }] }],
  ["an unknown key of an input", { steps: [find("a", { limt: 1 })] }],
  ["a value of the wrong type", { steps: [find("a", { limit: "many" })] }],
  ["a key that is looked up of the wrong type", { steps: [find("a", { object: 7 })] }],
  ["an unknown operator", { steps: [branch("a", { when: { left: 1, operator: "is", right: 1 }, steps: [] })] }],
  ["a fault deep in blocks", { steps: [branch("a", { steps: [{ ...write("b"), onError: { steps: [set("C")] } }] })] }],
  ["an unknown trigger kind", { triggers: [{ id: "a", kind: "webhok" }] }],
  ["an unknown key of a trigger", { triggers: [{ id: "a", kind: "webhook", methd: "PUT" }] }],
  ["no triggers", { triggers: [] }],
])("refuses a definition with %s", (_, changes) => {
  expect(fits(definitionWith(changes))).toBe(false);
});

test("is JSON, and describes every step kind and trigger kind", () => {
  expect(JSON.parse(JSON.stringify(schema))).toEqual(schema);
  for (const { description } of [...Object.values(kinds), ...Object.values(triggerKinds)]) {
    expect(JSON.stringify(schema)).toContain(JSON.stringify(description));
  }
});
