import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  compareValues,
  compileCondition,
  conditionSchema,
  matches,
  operators,
  recordConditionSchema,
  type Condition,
  type Operator,
} from "../../src/definition/conditions.ts";
import type { Json } from "../../src/json.ts";
import { evaluationOf, patternOf } from "./expressions/support.ts";

const comparing = { timeZone: "Europe/Berlin", now: new Date("2026-11-24T12:00:00Z") };

type Row = readonly [left: Json, operator: Operator, right: Json, holds: boolean];

const rows: readonly Row[] = [
  ["a", "equals", "a", true],
  ["a", "equals", "A", false],
  ["a", "equals", "b", false],
  [1, "equals", 1, true],
  [1, "equals", "1", true],
  ["1.50", "equals", 1.5, true],
  ["1", "equals", "1.0", false],
  ["01", "equals", "1", false],
  [1, "equals", "one", false],
  [1, "equals", "", false],
  [0, "equals", false, false],
  ["true", "equals", true, false],
  [null, "equals", null, true],
  [null, "equals", "", false],
  [null, "equals", 0, false],
  ["9007199254740993", "equals", "9007199254740992", false],
  [{ a: 1, b: [2] }, "equals", { b: [2], a: 1 }, true],
  [{ a: 1 }, "equals", { a: 1, b: null }, false],
  [[1, 2], "equals", [2, 1], false],
  ["2026-11-24T12:00:00Z", "equals", "2026-11-24T13:00:00.000+01:00", true],
  ["2026-11-24", "equals", "2026-11-24", true],
  ["2026-11-24", "equals", "not a date", false],
  ["a", "notEquals", "b", true],
  ["a", "notEquals", "a", false],
  [null, "notEquals", "a", true],
  [null, "notEquals", null, false],
  [2, "greaterThan", 1, true],
  [1, "greaterThan", 1, false],
  [1, "greaterThanOrEqual", 1, true],
  [1, "greaterThanOrEqual", "1.01", false],
  [1, "lessThan", 2, true],
  [2, "lessThanOrEqual", 1, false],
  ["10", "greaterThan", 9, true],
  [9, "lessThan", "10.5", true],
  ["10", "lessThan", "9", true],
  ["9007199254740993", "greaterThan", "9007199254740992", true],
  ["9007199254740993", "greaterThan", 10, true],
  ["10000000000000000000", "lessThan", "9999999999999999999", false],
  ["b", "greaterThan", "a", true],
  [null, "greaterThan", 1, false],
  [null, "lessThanOrEqual", null, false],
  [1, "lessThan", null, false],
  ["2026-11-24T12:00:00Z", "lessThan", "2026-11-24T12:00:00+00:30", false],
  ["2026-11-24T12:00:00.001Z", "greaterThan", "2026-11-24T12:00:00Z", true],
  ["2026-11-24T12:30:00", "lessThan", "2026-11-24T12:00:00Z", true],
  ["2026-11-24", "lessThan", "2026-11-25", true],
  ["2026-10-25T02:30:00+02:00", "lessThan", "2026-10-25T02:30:00+01:00", true],
  ["abc", "contains", "b", true],
  ["abc", "contains", "", true],
  ["abc", "contains", "B", false],
  ["a1", "contains", 1, true],
  [["a", 1], "contains", 1, true],
  [["a", 1], "contains", "1", true],
  [["ab"], "contains", "a", false],
  [[null], "contains", null, true],
  [[], "contains", "a", false],
  [null, "contains", "a", false],
  ["a", "contains", null, false],
  ["abc", "notContains", "b", false],
  [null, "notContains", "a", true],
  [["a"], "notContains", "b", true],
  ["abc", "startsWith", "ab", true],
  ["abc", "startsWith", "bc", false],
  [null, "startsWith", "a", false],
  ["abc", "endsWith", "bc", true],
  ["abc", "endsWith", null, false],
  ["a", "in", ["a", "b"], true],
  ["c", "in", ["a", "b"], false],
  [1, "in", ["1"], true],
  ["a", "in", [], false],
  [null, "in", [], false],
  [null, "in", [null], true],
  ["a", "notIn", [], true],
  ["a", "notIn", ["a"], false],
  [null, "notIn", ["a"], true],
  [null, "isEmpty", null, true],
  ["", "isEmpty", null, true],
  [[], "isEmpty", null, true],
  [{}, "isEmpty", null, true],
  [{ primaryEmail: "", additionalEmails: [] }, "isEmpty", null, true],
  [{ firstName: null, lastName: "x" }, "isEmpty", null, false],
  [" ", "isEmpty", null, false],
  [0, "isEmpty", null, false],
  [false, "isEmpty", null, false],
  [[null], "isEmpty", null, false],
  ["x", "isNotEmpty", null, true],
  ["", "isNotEmpty", null, false],
  ["2026-11-24T11:59:00Z", "inLast", { minutes: 1 }, true],
  ["2026-11-24T11:58:59.999Z", "inLast", { minutes: 1 }, false],
  ["2026-11-24T12:00:00.001Z", "inLast", { hours: 1 }, false],
  ["2026-11-17T12:00:00Z", "inLast", { days: 7 }, true],
  ["2026-11-17T11:59:59Z", "inLast", { weeks: 1 }, false],
  ["2026-10-24T11:00:00Z", "inLast", { months: 1 }, true],
  ["2026-10-24T10:59:59Z", "inLast", { months: 1 }, false],
  ["2026-11-24", "inLast", { days: 7 }, true],
  ["2026-11-17", "inLast", { days: 7 }, true],
  ["2026-11-16", "inLast", { days: 7 }, false],
  ["2026-11-25", "inLast", { days: 7 }, false],
  ["2026-11-24", "inNext", { hours: 1 }, true],
  ["2026-12-01", "inNext", { days: 7 }, true],
  ["2026-12-02", "inNext", { days: 7 }, false],
  ["2026-12-01T12:00:00Z", "inNext", { days: 7 }, true],
  ["2026-12-01T12:00:01Z", "inNext", { days: 7 }, false],
  [null, "inNext", { days: 7 }, false],
];

const refused: ReadonlyArray<readonly [left: Json, operator: Operator, right: Json, says: RegExp]> = [
  [1, "greaterThan", "one", /a number and the text "one" have no order/],
  ["", "lessThan", 1, /the text "" and a number have no order/],
  [true, "lessThan", false, /true or false and true or false have no order/],
  [[1], "greaterThan", 1, /a list and a number have no order/],
  [{}, "lessThanOrEqual", {}, /an object and an object have no order/],
  [
    "2026-11-24",
    "lessThan",
    "2026-11-24T12:00:00Z",
    /the date 2026-11-24 and the moment 2026-11-24T12:00:00Z cannot be compared/,
  ],
  ["2026-11-24T12:00:00Z", "equals", "2026-11-24", /the date 2026-11-24 and the moment/],
  [5, "contains", "5", /contains looks for text in text, or for an item in a list, but got a number and text/],
  ["a", "contains", ["a"], /but got text and a list/],
  [["a"], "startsWith", "a", /startsWith looks for text in text, but got a list and text/],
  ["a", "in", "abc", /in takes a list, but got text/],
  ["a", "notIn", null, /notIn takes a list, but got null/],
  ["soon", "inLast", { days: 7 }, /inLast looks at a date, but got text/],
  ["2026-11-24", "inLast", { days: 7, hours: 1 }, /inLast takes a span/],
  ["2026-11-24", "inNext", { days: 0 }, /inNext takes a span/],
  ["2026-11-24", "inNext", { years: 1 }, /inNext takes a span/],
  ["2026-11-24", "inNext", 7, /inNext takes a span/],
];

describe("an operator", () => {
  test.each(rows)("%j %s %j: %j", (left, operator, right, holds) => {
    expect(matches(left, operator, right, comparing)).toBe(holds);
  });

  test.each(refused)("%j %s %j is an error", (left, operator, right, says) => {
    expect(() => matches(left, operator, right, comparing)).toThrow(says);
  });

  test.each(operators)("%s is tried in these tables", (operator) => {
    expect(rows.filter((row) => row[1] === operator).length).toBeGreaterThan(1);
  });

  test.each([
    ["A@B.example", "equals", "a@b.EXAMPLE"],
    ["Example.COM", "endsWith", ".com"],
    ["Example.COM", "startsWith", "eX"],
    ["Example.COM", "contains", "PLE"],
    ["Example.COM", "in", ["example.com"]],
    [["A@b.example"], "contains", "a@B.example"],
  ] as const)("%j %s %j holds where case is ignored", (left, operator, right) => {
    const sides: [Json, Json] = JSON.parse(JSON.stringify([left, right]));
    expect(matches(sides[0], operator, sides[1], { ...comparing, ignoreCase: true })).toBe(true);
    expect(matches(sides[0], operator, sides[1], comparing)).toBe(false);
  });

  test("orders numbers as one order, whether they are written as text or not", () => {
    const number = fc.oneof(fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e9, max: 1e9 }));
    fc.assert(
      fc.property(number, number, (a, b) => {
        const order = compareValues(a, b, comparing);
        expect(Math.sign(order ?? Number.NaN)).toBe(a < b ? -1 : a > b ? 1 : 0);
        expect(compareValues(b, a, comparing)).toBe(order === 0 ? 0 : -(order ?? Number.NaN));
      }),
    );
  });

  test("and its negation never both hold", () => {
    const pairs = [
      ["equals", "notEquals"],
      ["contains", "notContains"],
      ["in", "notIn"],
      ["isEmpty", "isNotEmpty"],
    ] as const;
    const value = fc.oneof(fc.string(), fc.constant(null), fc.array(fc.integer(), { maxLength: 3 }));
    fc.assert(
      fc.property(value, fc.integer(), (left, right) => {
        for (const [operator, negation] of pairs) {
          const other = operator === "in" ? [right] : right;
          expect(matches(left, negation, other, comparing)).toBe(!matches(left, operator, other, comparing));
        }
      }),
    );
  });
});

describe("a condition on values", () => {
  const data = { found: { total: 2, first: null }, trigger: { body: { role: "CTO" } }, settings: { days: 7 } };
  const holds = (source: Condition): boolean => {
    const { compiled, issues } = compileCondition(source, { at: "when" });
    expect(issues).toEqual([]);
    return compiled.evaluate(evaluationOf({ data }));
  };
  const yes: Condition = { left: 1, operator: "equals", right: 1 };
  const no: Condition = { left: 1, operator: "equals", right: 2 };
  const broken: Condition = { left: "{{ found.first.id }}", operator: "isEmpty" };

  test.each<[Condition, boolean]>([
    [{ left: "{{ found.total }}", operator: "greaterThan", right: 0 }, true],
    [{ left: "{{ trigger.body.company | default: '' }}", operator: "isNotEmpty" }, false],
    [{ left: "{{ trigger.body.role }}", operator: "in", right: ["CEO", "{{ trigger.body.role }}"] }, true],
    [{ left: "{{ now }}", operator: "inLast", right: { days: "{{ settings.days }}" } }, true],
    [{ left: "{{ found.first }}", operator: "equals", right: null }, true],
    [{ all: [yes, yes] }, true],
    [{ all: [yes, no] }, false],
    [{ all: [] }, true],
    [{ any: [no, yes] }, true],
    [{ any: [no] }, false],
    [{ any: [] }, false],
    [{ not: no }, true],
    [{ not: { any: [{ all: [yes, no] }, { not: yes }] } }, true],
    [{ all: [no, broken] }, false],
    [{ any: [yes, broken] }, true],
  ])("%j: %j", (source, expected) => {
    expect(holds(source)).toBe(expected);
  });

  test("a missing value is an error with its place, which does not offer optional", () => {
    const { compiled } = compileCondition({ all: [yes, { not: broken }] }, { at: "steps[1].branches[0].when" });
    expect(() => compiled.evaluate(evaluationOf({ data }))).toThrow(
      `steps[1].branches[0].when.all[1].not.left: found.first.id is missing. Add "| default: …" to say what stands in.`,
    );
  });

  test("what cannot be compared is an error with the place of the leaf", () => {
    const { compiled } = compileCondition(
      { any: [{ left: "{{ trigger.body.role }}", operator: "lessThan", right: 3 }] },
      { at: "steps[0].when" },
    );
    expect(() => compiled.evaluate(evaluationOf({ data }))).toThrow(
      'steps[0].when.any[0]: the text "CTO" and a number have no order.',
    );
  });

  test("says what is wrong in it, with the place", () => {
    const { issues } = compileCondition(
      {
        any: [
          { left: "{{ a | optional }}", operator: "isEmpty" },
          { left: 1, operator: "in", right: ["{{ b | nope }}"] },
        ],
      },
      { at: "when" },
    );
    expect(issues.map(({ path }) => path)).toEqual(["when.any[0].left", "when.any[1].right[0]"]);
    expect(issues[0]?.message).toMatch(/"\| optional" is refused here/);
  });

  test("names what it reads", () => {
    const { compiled } = compileCondition(
      { all: [{ left: "{{ a.b }}", operator: "equals", right: "{{ c | default: d }}" }] },
      { at: "when" },
    );
    expect(compiled.references).toEqual([
      { path: ["a", "b"], tolerant: false, at: "when.all[0].left" },
      { path: ["c"], tolerant: true, at: "when.all[0].right" },
      { path: ["d"], tolerant: true, at: "when.all[0].right" },
    ]);
  });
});

describe("a condition as written", () => {
  const faultsOf = (
    source: unknown,
    schema = conditionSchema as typeof conditionSchema | typeof recordConditionSchema,
  ) => (schema.safeParse(source).error?.issues ?? []).map(({ path, message }) => `${path.join(".")}: ${message}`);

  test("is taken as it is", () => {
    const source = {
      all: [{ not: { left: 1, operator: "equals", right: null } }, { any: [{ left: "", operator: "isEmpty" }] }],
    };
    expect(conditionSchema.parse(source)).toEqual(source);
    const record = { any: [{ field: "company.name", operator: "in", value: ["a"] }] };
    expect(recordConditionSchema.parse(record)).toEqual(record);
  });

  test.each([
    [{ left: 1, operator: "eqals", right: 1 }, 'operator: unknown operator "eqals"; did you mean "equals"?'],
    [{ left: 1, operator: "is", right: 1 }, /^operator: unknown operator "is"/],
    [{ left: 1, right: 1 }, "operator: an operator is needed, such as equals"],
    [
      { left: 1, operator: "became", right: 1 },
      'operator: the operator "became" is for conditions of record triggers only',
    ],
    [{ left: 1, operator: "changed" }, 'operator: the operator "changed" is for conditions of record triggers only'],
    [{ left: 1, operator: "equals" }, ': "equals" needs something to compare with: "right"'],
    [{ left: 1, operator: "isEmpty", right: 1 }, 'right: "isEmpty" compares with nothing'],
    [{ left: 1, operator: "in", right: "a" }, 'right: "in" takes a list'],
    [{ left: 1, operator: "inLast", right: 7 }, /^right: "inLast" takes a span such as \{ days: 7 \}/],
    [{ left: 1, operator: "inLast", right: { day: 7 } }, /^right: "inLast" takes a span/],
    [{ left: 1, operator: "inLast", right: { days: 0 } }, /^right: "inLast" takes a span/],
    [{ left: 1, operator: "inLast", right: { days: 1, hours: 1 } }, /^right: "inLast" takes a span/],
    [{ left: 1, operator: "inLast", right: {} }, /^right: "inLast" takes a span/],
    [{ lef: 1, operator: "isEmpty" }, /lef: unknown key "lef"; did you mean "left"\?/],
    [{ all: [{ any: [{ left: 1, operator: "x" }] }] }, /^all\.0\.any\.0\.operator: unknown operator "x"/],
    [{ all: [], any: [] }, /unknown key "any"/],
    [{ all: {} }, /^all: /],
    [{ all: Array.from({ length: 101 }, () => ({ left: 1, operator: "isEmpty" })) }, /^all: /],
    ["{{ a }}", /^: /],
    [null, /^: /],
  ])("%j is refused with its place", (source, expected) => {
    expect(faultsOf(source)).toContainEqual(expect.stringMatching(patternOf(expected)));
  });

  test.each([
    [{ left: 1, operator: "in", right: "{{ list }}" }],
    [{ left: 1, operator: "in", right: ["{{ a }}"] }],
    [{ left: 1, operator: "inLast", right: "{{ span }}" }],
    [{ left: 1, operator: "inLast", right: { days: "{{ settings.days }}" } }],
  ])("%j is left to its expression", (source) => {
    expect(faultsOf(source)).toEqual([]);
  });

  test("on records names fields", () => {
    expect(faultsOf({ field: "", operator: "isEmpty" }, recordConditionSchema)).toHaveLength(1);
    expect(faultsOf({ left: 1, operator: "isEmpty" }, recordConditionSchema).length).toBeGreaterThan(0);
    expect(faultsOf({ field: "name", operator: "equals" }, recordConditionSchema)).toEqual([
      ': "equals" needs something to compare with: "value"',
    ]);
  });
});
