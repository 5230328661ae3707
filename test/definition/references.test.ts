import { describe, expect, test } from "vitest";
import { branch, faultsOf, step, whenEver } from "./documents.ts";

const { find, set, write } = step;

describe("references", () => {
  test.each([
    [
      "a misspelt step",
      [
        branch("person", { steps: [] }),
        branch("b", { when: { left: "{{ persn.branch }}", operator: "isEmpty" }, steps: [] }),
      ],
      ['steps[1].branches[0].when.left: unknown step "persn"; did you mean "person"?'],
    ],
    [
      "a later step",
      [set("a", { x: "{{ b.y }}" }), set("b", { y: 1 })],
      [
        'steps[0].input.x: "b" cannot be read here: steps[1] comes later, or lies in another block. A block hands values out by its "output"',
      ],
    ],
    [
      "the step itself",
      [set("a", { x: "{{ a.x }}" })],
      [
        'steps[0].input.x: "a" cannot be read here: steps[0] comes later, or lies in another block. A block hands values out by its "output"',
      ],
    ],
    [
      "a step inside another block",
      [branch("b", { steps: [set("inner", { x: 1 })] }), set("c", { y: "{{ inner.x }}" })],
      [
        'steps[1].input.y: "inner" cannot be read here: steps[0].branches[0].steps[0] comes later, or lies in another block. A block hands values out by its "output"',
      ],
    ],
    [
      "a step inside the neighbouring branch",
      [branch("b", { when: whenEver, steps: [set("one", { x: 1 })] }, { steps: [set("two", { y: "{{ one.x }}" })] })],
      [
        'steps[0].branches[1].steps[0].input.y: "one" cannot be read here: steps[0].branches[0].steps[0] comes later, or lies in another block. A block hands values out by its "output"',
      ],
    ],
    [
      "an unknown key of a step's output",
      [find("a"), set("b", { x: "{{ a.frist }}" })],
      ['steps[1].input.x: "a" gives no "frist"; did you mean "first"?'],
    ],
    [
      "an unknown key of a set",
      [set("a", { name: 1 }), set("b", { x: "{{ a.nmae }}" })],
      ['steps[1].input.x: "a" gives no "nmae"; did you mean "name"?'],
    ],
    [
      "an unknown key of what a block hands out",
      [branch("b", { steps: [], output: { total: 1 } }), set("c", { x: "{{ b.output.totl }}" })],
      ['steps[1].input.x: "b.output" gives no "totl"; did you mean "total"?'],
    ],
    [
      "an unknown setting",
      [set("a", { x: "{{ settings.salesInbx }}" })],
      ['steps[0].input.x: "settings" gives no "salesInbx"; did you mean "salesInbox"?'],
    ],
    [
      "an unknown setting with a default",
      [set("a", { x: "{{ settings.other | default: 1 }}" })],
      ['steps[0].input.x: "settings" gives no "other"'],
    ],
    [
      "what no trigger gives",
      [set("a", { x: "{{ trigger.bdy }}" })],
      ['steps[0].input.x: "trigger" gives no "bdy"; did you mean "body"?'],
    ],
    [
      "the error outside of onError",
      [set("a", { x: "{{ error.code }}" })],
      ['steps[0].input.x: "error" can be read inside onError steps only'],
    ],
    [
      "an output of a step that may have failed",
      [{ ...write("a"), onError: "continue" }, set("b", { x: "{{ a.id }}" })],
      ['steps[1].input.x: "a.id" may be missing here: "a" goes on when it fails. Add "| default: …" or "| optional"'],
    ],
  ])("to %s are refused", (_, steps, faults) => {
    expect(faultsOf({ settings: { salesInbox: { type: "text", default: "x" } }, steps })).toEqual(faults);
  });

  test.each([
    ["with a default", [{ ...write("a"), onError: "continue" }, set("b", { x: "{{ a.id | default: null }}" })]],
    ["whole", [{ ...write("a"), onError: "continue" }, set("b", { x: "{{ a }}" })]],
    [
      "where its onError gives the same key",
      [{ ...write("a"), onError: { output: { id: null } } }, set("b", { x: "{{ a.id }}" })],
    ],
    [
      "where only its onError gives the key, with a default",
      [{ ...write("a"), onError: { output: { why: 1 } } }, set("b", { x: "{{ a.why | optional }}" })],
    ],
  ])("to a step that goes on when it fails are taken %s", (_, steps) => {
    expect(faultsOf({ steps })).toEqual([]);
  });

  test("of a concurrency key go to the trigger, the settings and the workspace only", () => {
    const concurrency = { key: "{{ a.x }}" };
    expect(faultsOf({ steps: [set("a", { x: 1 })], concurrency })).toEqual([
      'concurrency.key: a concurrency key is evaluated before the run starts: it reads "trigger", "settings" and "workspace" only, not "a"',
    ]);
    expect(faultsOf({ concurrency: { key: "{{ run.id }}" } })).toEqual([
      'concurrency.key: a concurrency key is evaluated before the run starts: it reads "trigger", "settings" and "workspace" only, not "run"',
    ]);
    expect(faultsOf({ concurrency: { key: "{{ trigger.body.email | downcase }}" } })).toEqual([]);
  });
});
