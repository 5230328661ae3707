import { describe, expect, test } from "vitest";
import { branch, faultsOf, step } from "./documents.ts";

const { find, set, write } = step;

describe("inputs", () => {
  test.each([
    ["an unknown key", [find("a", { limt: 1 })], ['steps[0].input.limt: unknown key "limt"; did you mean "limit"?']],
    [
      "an unknown key beside expressions",
      [find("a", { limit: "{{ trigger.body.n }}", limt: 1 })],
      ['steps[0].input.limt: unknown key "limt"; did you mean "limit"?'],
    ],
    [
      "an unknown key whose value is an expression",
      [find("a", { limt: "{{ trigger.body.n }}" })],
      ['steps[0].input.limt: unknown key "limt"; did you mean "limit"?'],
    ],
    [
      "an unknown key in a list beside an expression",
      [find("a", { sort: [{ field: "{{ trigger.body.by }}", direction: "asc", nulls: 1 }] })],
      ['steps[0].input.sort[0].nulls: unknown key "nulls"'],
    ],
    [
      "a value of the wrong type",
      [find("a", { limit: "many" })],
      ["steps[0].input.limit: Invalid input: expected number, received string"],
    ],
    [
      "a value past its bounds",
      [find("a", { limit: 201 })],
      ["steps[0].input.limit: Too big: expected number to be <=200"],
    ],
    [
      "a key that lacks",
      [{ id: "a", kind: "write", input: { object: "person" } }],
      ["steps[0].input.values: Invalid input: expected record, received undefined"],
    ],
    [
      "an expression for a key that is looked up",
      [{ id: "a", kind: "find", input: { object: "{{ trigger.body.object }}" } }],
      ['steps[0].input.object: "object" must be written out: it is looked up when the workflow is activated'],
    ],
    [
      "an unknown operator",
      [find("a", { filter: { field: "{{ trigger.body.f }}", operator: "is", value: 1 } })],
      [expect.stringMatching(/^steps\[0\]\.input\.filter\.operator: /)],
    ],
    [
      "a broken expression",
      [set("a", { x: "{{ trigger.body | upcse }}" })],
      ['steps[0].input.x: unknown filter "upcse"; did you mean "upcase"?'],
    ],
    [
      "optional in a filter",
      [find("a", { filter: { field: "city", operator: "equals", value: "{{ trigger.body.city | optional }}" } })],
      [expect.stringMatching(/^steps\[0\]\.input\.filter\.value: "\| optional" is refused here/)],
    ],
    [
      "what the kind itself refuses",
      [{ id: "a", kind: "find", input: { object: "persn" } }],
      ['steps[0].input.object: unknown object "persn"'],
    ],
    [
      "a wrong literal beside an expression in a list",
      [{ id: "a", kind: "mail", input: { to: ["{{ trigger.body.email }}", "nobody"], subject: "Hello" } }],
      ["steps[0].input.to[1]: Invalid email address"],
    ],
    [
      "a duration without a unit",
      [{ ...write("a"), timeout: "5" }],
      ["steps[0].timeout: a duration is a number and a unit: 500ms, 5s, 10m, 2h, 7d"],
    ],
    [
      "retries without end",
      [{ ...write("a"), retry: { maximumAttempts: 101 } }],
      ["steps[0].retry.maximumAttempts: Too big: expected number to be <=100"],
    ],
  ])("with %s are refused", (_, steps, faults) => {
    expect(faultsOf({ steps })).toEqual(faults);
  });

  test("are checked in every block", () => {
    const bad = (id: string) => find(id, { limit: 0 });
    const steps = [branch("b", { steps: [{ ...write("w"), onError: { steps: [bad("x")] } }] })];
    expect(faultsOf({ steps })).toEqual([
      "steps[0].branches[0].steps[0].onError.steps[0].input.limit: Too small: expected number to be >=1",
    ]);
  });
});
