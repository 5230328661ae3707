import { describe, expect, test } from "vitest";
import { branch, context, definitionWith, faultsOf, step, whenEver } from "./documents.ts";
import { validateDefinition } from "../../src/definition/validate.ts";

const { find, set, write } = step;

describe("a definition that is right", () => {
  test("has no faults and comes back whole", () => {
    const { definition, issues } = validateDefinition(definitionWith({ steps: [find("person")] }), context);
    expect(issues).toEqual([]);
    expect(definition?.steps.map(({ id }) => id)).toEqual(["person"]);
  });

  test.each([
    ["an expression for a number", [find("a", { limit: "{{ trigger.body.limit }}" })]],
    [
      "an expression for an address in a list",
      [{ id: "a", kind: "mail", input: { to: ["{{ trigger.body.email }}"], subject: "Hello" } }],
    ],
    [
      "an expression for a whole list",
      [{ id: "a", kind: "mail", input: { to: "{{ trigger.body.all }}", subject: "Hello" } }],
    ],
    [
      "an expression for a whole object",
      [{ id: "a", kind: "write", input: { object: "person", values: "{{ trigger.body }}" } }],
    ],
    [
      "an expression for an option",
      [{ id: "a", kind: "write", input: { object: "person", values: {}, mode: "{{ trigger.body.mode }}" } }],
    ],
    [
      "an expression deep in a filter",
      [find("a", { filter: { any: [{ field: "city", operator: "in", value: ["{{ trigger.body.city }}"] }] } })],
    ],
    [
      "what a step of the same block gave",
      [branch("b", { steps: [set("a", { x: 1 }), set("c", { y: "{{ a.x }}" })] })],
    ],
    [
      "what a block hands out",
      [
        branch("b", { steps: [], output: { x: 1 } }),
        set("c", { y: "{{ b.output.x }}", z: "{{ b.branch | default: 0 }}" }),
      ],
    ],
    [
      "the error inside onError steps",
      [{ ...write("a"), onError: { steps: [set("c", { why: "{{ error.code }}" })] } }],
    ],
    [
      "whether a step went well",
      [{ ...write("a"), onError: "continue" }, set("c", { ok: "{{ a.ok }}", id: "{{ a.id | default: null }}" })],
    ],
  ])("may have %s", (_, steps) => {
    expect(faultsOf({ steps })).toEqual([]);
  });
});

describe("structure", () => {
  const nested = (depth: number): object =>
    depth === 1 ? set("deep", {}) : branch(`b${depth}`, { steps: [nested(depth - 1)] });
  const many = (count: number) => Array.from({ length: count }, (_, i) => set(`s${i}`));

  test.each([
    ["unknown keys at the top", { extra: 1 }, ['extra: unknown key "extra"']],
    ["unknown keys of a step", { steps: [{ ...set("a"), once: "x" }] }, ['steps[0].once: unknown key "once"']],
    [
      "unknown keys of a trigger",
      { triggers: [{ id: "form", kind: "webhook", methd: "POST" }] },
      ['triggers[0].methd: unknown key "methd"; did you mean "method"?'],
    ],
    [
      "unknown trigger kinds",
      { triggers: [{ id: "form", kind: "webhok" }] },
      ['triggers[0].kind: unknown trigger kind "webhok"; did you mean "webhook"?'],
    ],
    [
      "unknown step kinds",
      { steps: [{ id: "a", kind: "serch", input: {} }] },
      ['steps[0].kind: unknown step kind "serch"'],
    ],
    [
      "misspelt step kinds",
      { steps: [{ id: "a", kind: "fnd", input: {} }] },
      ['steps[0].kind: unknown step kind "fnd"; did you mean "find"?'],
    ],
    [
      "kinds named like what every object has",
      { steps: [{ id: "a", kind: "constructor", input: {} }] },
      ['steps[0].kind: unknown step kind "constructor"'],
    ],
    [
      "an id used twice",
      { steps: [set("a"), branch("b", { steps: [set("a")] })] },
      ['steps[1].branches[0].steps[0].id: the id "a" is taken by steps[0]; ids are unique in the whole definition'],
    ],
    [
      "ids that are roots",
      { steps: [set("settings")] },
      ['steps[0].id: "settings" is a word of expressions; choose another id'],
    ],
    [
      "ids that are Liquid's words",
      { steps: [set("endif")] },
      ['steps[0].id: "endif" is a word of expressions; choose another id'],
    ],
    [
      "ids that are none",
      { steps: [set("Not-One")] },
      ["steps[0].id: an id is a lower-case letter, then letters and digits"],
    ],
    [
      "trigger ids used twice",
      {
        triggers: [
          { id: "a", kind: "webhook" },
          { id: "a", kind: "webhook" },
        ],
      },
      ['triggers[1].id: the id "a" is taken'],
    ],
    [
      "an else that is not last",
      { steps: [branch("b", { steps: [] }, { when: whenEver, steps: [] })] },
      ['steps[0].branches[0]: only the last branch may have no "when": it is the else'],
    ],
    [
      "branches that give different keys",
      { steps: [branch("b", { when: whenEver, steps: [], output: { id: 1 } }, { steps: [], output: { ids: 1 } })] },
      ["steps[0].branches[1].output: every branch must give the same keys: the first gives id, this one ids"],
    ],
    [
      "a branch that gives nothing beside one that gives something",
      { steps: [branch("b", { when: whenEver, steps: [], output: { id: 1 } }, { steps: [] })] },
      ["steps[0].branches[1].output: every branch must give the same keys: the first gives id, this one none"],
    ],
    [
      "nine levels of nesting",
      { steps: [nested(9)] },
      [`steps[0]${".branches[0].steps[0]".repeat(8)}: blocks nest 9 deep; 8 are allowed`],
    ],
    ["201 steps", { steps: many(201) }, ["steps: 201 steps; 200 are allowed"]],
  ])("refuses %s", (_, changes, faults) => {
    expect(faultsOf(changes)).toEqual(faults);
  });

  test("takes eight levels of nesting and 200 steps", () => {
    expect(faultsOf({ steps: [nested(8)] })).toEqual([]);
    expect(faultsOf({ steps: many(200) })).toEqual([]);
  });

  test("counts the steps of all blocks together", () => {
    const steps = [...many(150), branch("b", { steps: Array.from({ length: 50 }, (_, i) => set(`t${i}`)) })];
    expect(faultsOf({ steps })).toEqual(["steps: 201 steps; 200 are allowed"]);
  });

  test("takes one to five triggers", () => {
    const triggers = (count: number) => Array.from({ length: count }, (_, i) => ({ id: `t${i}`, kind: "webhook" }));
    expect(faultsOf({ triggers: triggers(5) })).toEqual([]);
    expect(faultsOf({ triggers: triggers(6) })).toHaveLength(1);
    expect(faultsOf({ triggers: [] })).toHaveLength(1);
  });

  test("refuses a definition of more than 1 MiB and takes one of exactly that", () => {
    const size = (text: string) => Buffer.byteLength(JSON.stringify(definitionWith({ steps: [set("a", { text })] })));
    const room = 1_048_576 - size("");
    expect(faultsOf({ steps: [set("a", { text: "x".repeat(room) })] })).toEqual([]);
    expect(faultsOf({ steps: [set("a", { text: "x".repeat(room + 1) })] })).toEqual([
      ": the definition has 1048577 bytes; 1048576 are allowed",
    ]);
  });

  test("refuses a plan of more than 128 KiB", () => {
    const steps = Array.from({ length: 200 }, (_, i) => ({
      ...write(`${"x".repeat(50)}${i}`),
      name: "n".repeat(100),
      onError: { codes: Array.from({ length: 20 }, (_, code) => `${"c".repeat(90)}${code}`) },
    }));
    expect(faultsOf({ steps })).toEqual([
      expect.stringMatching(
        /^steps: the compiled plan has \d+ bytes; 131072 are allowed\. Use fewer steps, or shorter names$/,
      ),
    ]);
  });

  test("says what is wrong with something that is no definition at all", () => {
    for (const document of [null, [], "text", 7])
      expect(validateDefinition(document, context).issues.length).toBeGreaterThan(0);
  });
});

describe("settings", () => {
  const settings = { inbox: { type: "email" }, days: { type: "number", default: 3 } };

  test("without a value are refused at activation, and only then", () => {
    expect(faultsOf({ settings })).toEqual([]);
    expect(faultsOf({ settings }, {})).toEqual([
      "settings.inbox: this setting has no value: set it, or give it a default",
    ]);
    expect(faultsOf({ settings }, { inbox: "sales@example.com" })).toEqual([]);
  });

  test("with a value that does not fit any more are refused at activation", () => {
    expect(faultsOf({ settings }, { inbox: 7 })).toEqual([expect.stringMatching(/^settings\.inbox: /)]);
  });

  test.each([
    [
      "a default of another type",
      { inbox: { type: "email", default: "nobody" } },
      ["settings.inbox.default: Invalid email address"],
    ],
    [
      "options of another type than select",
      { inbox: { type: "email", options: ["a"] } },
      ['settings.inbox: "options" belong to a setting of type select, and only to it'],
    ],
    [
      "a record without its object",
      { owner: { type: "record" } },
      ['settings.owner: "object" belongs to a setting of type record, and only to it'],
    ],
    [
      "a record of an object that is not there",
      { owner: { type: "record", object: "persn", default: "ada" } },
      ['settings.owner.object: unknown object "persn"', "settings.owner.default: the id of a record"],
    ],
    [
      "a select without options",
      { size: { type: "select" } },
      ['settings.size: "options" belong to a setting of type select, and only to it'],
    ],
    [
      "a default that is no option",
      { size: { type: "select", options: ["small", "large"], default: "smal" } },
      ['settings.size.default: "smal" is not an option; did you mean "small"?'],
    ],
    [
      "an unknown time zone",
      { zone: { type: "timeZone", default: "Mars/Olympus" } },
      ['settings.zone.default: there is no time zone "Mars/Olympus"; give an IANA name, such as Europe/Berlin'],
    ],
  ])("with %s are refused", (_, declared, faults) => {
    expect(faultsOf({ settings: declared })).toEqual(faults);
  });
});
