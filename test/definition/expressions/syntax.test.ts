import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { reservedWords } from "../../../src/definition/expressions.ts";
import { evaluate, failureOf, issuesOf, patternOf } from "./support.ts";

describe("an expression that cannot be read", () => {
  test.each([
    ["{{ a | upcse }}", 'unknown filter "upcse"; did you mean "upcase"?'],
    ["{{ a | nonsense_filter }}", 'unknown filter "nonsense_filter"'],
    ["{{ a | constructor }}", 'unknown filter "constructor"'],
    ["{{ a | append }}", "the filter append takes 1 argument, but has 0"],
    ["{{ a | slice: 1, 2, 3 }}", "the filter slice takes 1 to 2 arguments, but has 3"],
    ["{{ a | upcase: 1 }}", "the filter upcase takes 0 arguments, but has 1"],
    ["{{ a | append: x: 1 }}", "the filter append takes no named arguments"],
    ["{{ a == b }}", /^operators are not available inside \{\{ \}\}: \{\{ a == b \}\}/],
    ["{{ a and b }}", /^operators are not available/],
    ["{{ not a }}", /^operators are not available/],
    ["{{ a contains b }}", /^operators are not available/],
    ["{{ a + b }}", /^a \+ b cannot be read/],
    ["{{ a - 1 }}", /^a - 1 cannot be read: several values stand side by side/],
    ["{{ a * 2 }}", /cannot be read/],
    ["{{ a || b }}", /cannot be read/],
    ["{{ a ? b : c }}", /cannot be read/],
    ["{{ a b }}", /several values stand side by side/],
    ["{{ a, b }}", /^a, b cannot be read: a part of it means nothing/],
    ["{{ a | append: 'x', }}", /a part of it means nothing/],
    ["{{ a | default: b == c }}", /cannot be read/],
    ["{{ a | default: (b | upcase) }}", /cannot be read/],
    ["{{ }}", "an expression is empty; {{ path | filter: argument }} is expected"],
    ["{{ a.b. }}", 'the path a.b. has a stray "."'],
    ["{{ .a }}", 'the path .a has a stray "."'],
    ["{{ a..b }}", /cannot be read/],
    ["{{ a[ }}", /cannot be read/],
    ["{{ a() }}", /cannot be read/],
    ['{{ "x".y }}', /^a path starts with a name/],
    ["{{ ['x'] }}", /^a path starts with a name/],
    ["{{ a[true] }}", /^a path is made of names and positions/],
    ["{{ empty }}", /^"empty" is not available/],
    ["{{ (1..3) }}", /^ranges such as \(1\.\.3\) are not available/],
    ["{{ a | plus: 9007199254740993 }}", /cannot be kept exactly; write it in quotes/],
    ["{{ a.b }", /^output "\{\{ a\.b \}" not closed \(at character 1\)/],
    ["x\n\n  {{ a.b", /\(in line 3, at character 3\)/],
    ["{{ {{ a }} }}", /cannot be read/],
    ['{{ constructor.constructor("return process")() }}', /cannot be read/],
    ["{{ a | map: 'x' => y }}", /cannot be read/],
    ["{{ `a` }}", /cannot be read/],
  ])("%s says why", (source, expected) => {
    const place = "at.key: ";
    const [issue = "", ...others] = issuesOf({ key: source });
    expect(others).toEqual([]);
    expect(issue.startsWith(place)).toBe(true);
    expect(issue.slice(place.length)).toMatch(patternOf(expected));
  });

  test("does not hide what is wrong elsewhere", () => {
    expect(issuesOf({ a: "{{ x | nope }}", b: ["{{", "{{ y z }}"] }).map((issue) => issue.split(":")[0])).toEqual([
      "at.a",
      "at.b[0]",
      "at.b[1]",
    ]);
  });

  test("nor can a key be __proto__", () => {
    expect(issuesOf(JSON.parse('{"__proto__": {"x": "y"}}'))).toEqual(['at.__proto__: a key cannot be "__proto__"']);
  });
});

describe("an expression", () => {
  test.each([
    ["{{a}}", 1],
    ["{{- a -}}", 1],
    ["{{ a\n  | plus:\n 1 }}", 2],
    ["{{ a | plus: 1 | times: 3 }}", 6],
    ["{{ a|plus:1|times:3 }}", 6],
    ['{{ a | append: "it\'s" }}', "1it's"],
    ["{{ '{{' }} x }}", "{{ x }}"],
    ['{{ "}}" }}', "}}"],
    ["{{ 'a | b: c, d' }}", "a | b: c, d"],
    ["{{ 'two  spaces' }}", "two  spaces"],
    ["{{ -1.5 }}", -1.5],
  ])("%s", (source, expected) => {
    expect(evaluate(source, { data: { a: 1 } })).toBe(expected);
  });

  test("keeps the text around it as it is", () => {
    expect(evaluate("  { a }  {{ a }}\n} } %} ", { data: { a: 1 } })).toBe("  { a }  1\n} } %} ");
  });

  test("of any text is read, or refused with an issue, and never thrown at", () => {
    const piece = fc.constantFrom(
      "{{",
      "}}",
      "{%",
      "%}",
      "if",
      "for",
      "endif",
      "endfor",
      "case",
      "when",
      "in",
      "a",
      ".b",
      "[0]",
      "['k']",
      "[",
      "]",
      "|",
      ":",
      ",",
      "upcase",
      "default",
      "optional",
      "raw",
      "1",
      "-2.5",
      "'",
      '"',
      "==",
      "and",
      "not",
      "(",
      ")",
      "..",
      " ",
      "\n",
      "{",
      "}",
      "-",
      "é",
      "__proto__",
    );
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 14 }).map((pieces) => pieces.join("")),
        (source) => {
          for (const place of ["data", "html", "url"] as const) {
            const data = { a: [{ b: "x", k: 1 }] };
            const [issue] = issuesOf(source, { place });
            expect(issue ?? failureOf(source, { place, data })).toMatch(/^(at: |nothing failed)/);
          }
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

test("what a step's id may not be holds the roots and the words of the language", () => {
  for (const word of [
    "settings",
    "trigger",
    "run",
    "workspace",
    "now",
    "error",
    "secrets",
    "true",
    "nil",
    "and",
    "contains",
    "for",
    "forloop",
  ])
    expect(reservedWords).toContain(word);
  expect(reservedWords.has("person")).toBe(false);
});
