import { describe, expect, test } from "vitest";
import type { Json } from "../../../src/json.ts";
import { evaluate, failureOf, issuesOf } from "./support.ts";

const data: { [root: string]: Json } = {
  found: {
    records: [
      { name: "Ada", age: 36 },
      { name: "Bo", age: null },
    ],
    none: [],
  },
  trigger: { body: { kind: "b", n: 5, no: false, empty: "", nothing: null, text: "1" } },
};
const render = (source: string): Json | undefined => evaluate(source, { data, place: "text" });

describe("if", () => {
  test.each([
    ["{% if trigger.body.n == 5 %}yes{% else %}no{% endif %}", "yes"],
    ["{% if trigger.body.n != 5 %}yes{% endif %}", ""],
    ["{% if trigger.body.n > 4 and trigger.body.n <= 5 %}yes{% endif %}", "yes"],
    ["{% if trigger.body.n > 9 or trigger.body.n < 9 %}yes{% endif %}", "yes"],
    ["{% if not trigger.body.n >= 9 %}yes{% endif %}", "yes"],
    ["{% if trigger.body.kind == 'a' %}A{% elsif trigger.body.kind == 'b' %}B{% else %}C{% endif %}", "B"],
    ["{% if trigger.body.text == 1 %}a number beside its text{% endif %}", "a number beside its text"],
    ["{% if 'abc' contains 'b' %}yes{% endif %}", "yes"],
    ["{% if found.none contains 'b' %}yes{% else %}no{% endif %}", "no"],
    ["{% if trigger.body.no %}yes{% else %}no{% endif %}", "no"],
    ["{% if trigger.body.nothing %}yes{% else %}no{% endif %}", "no"],
    ["{% if trigger.body.empty %}yes{% else %}no{% endif %}", "yes"],
    ["{% if trigger.body.gone | default: false %}yes{% else %}no{% endif %}", "no"],
    ["{% if found.records | size %}yes{% endif %}", "yes"],
    ["{% if trigger.body.nothing == null %}yes{% endif %}", "yes"],
    ["{% if trigger.body.nothing > 1 %}yes{% else %}null orders with nothing{% endif %}", "null orders with nothing"],
    ["{% if trigger.body.no and gone %}a{% else %}what follows is not read{% endif %}", "what follows is not read"],
    ["{% if true %}{% if false %}a{% else %}b{% endif %}{% endif %}", "b"],
    ["a {%- if true -%} b {%- endif -%} c", "abc"],
  ])("%s", (source, expected) => {
    expect(render(source)).toBe(expected);
  });

  test("of a missing value is an error, as everywhere", () => {
    expect(failureOf("{% if trigger.body.gone %}x{% endif %}", { data, place: "text" })).toMatch(
      /trigger\.body\.gone is missing/,
    );
    expect(failureOf("{% if trigger.body.gone == 1 %}x{% endif %}", { data, place: "text" })).toMatch(/is missing/);
  });

  test("compares as conditions do: what has no order is an error", () => {
    expect(failureOf("{% if trigger.body.kind > 1 %}x{% endif %}", { data, place: "text" })).toMatch(/have no order/);
  });
});

describe("for", () => {
  test.each([
    ["{% for p in found.records %}{{ forloop.index }}.{{ p.name }} {% endfor %}", "1.Ada 2.Bo "],
    ["{% for p in found.none %}x{% else %}none{% endfor %}", "none"],
    ["{% for p in found.records limit: 1 %}{{ p.name }}{% endfor %}", "Ada"],
    ["{% for p in found.records offset:1 %}{{ p.name }}{% endfor %}", "Bo"],
    ["{% for p in found.records reversed %}{{ p.name }}{% endfor %}", "BoAda"],
    ["{% for p in found.records | where: 'age' %}{{ p.name }}{% endfor %}", "Ada"],
    ["{% for p in found.records %}{{ p.age | default: '?' }}{% endfor %}", "36?"],
    ["{% for p in found.records %}{% if forloop.last %}last {{ p.name }}{% endif %}{% endfor %}", "last Bo"],
    [
      "{% for a in found.records %}{% for b in found.records %}{{ a.name }}{{ b.name }} {% endfor %}{% endfor %}",
      "AdaAda AdaBo BoAda BoBo ",
    ],
    ["{% for found in found.records %}{{ found.name }}{% endfor %}{{ found.none | size }}", "AdaBo0"],
  ])("%s", (source, expected) => {
    expect(render(source)).toBe(expected);
  });

  test("names what an item lacks", () => {
    expect(failureOf("{% for p in found.records %}{{ p.city }}{% endfor %}", { data, place: "text" })).toMatch(
      /p\.city is missing/,
    );
  });

  test("takes lists only", () => {
    expect(failureOf("{% for p in trigger.body %}x{% endfor %}", { data, place: "text" })).toMatch(
      /for takes a list, but got an object/,
    );
    expect(failureOf("{% for p in trigger.body.nothing %}x{% endfor %}", { data, place: "text" })).toMatch(
      /for takes a list, but got null/,
    );
  });

  test("never reads what an item inherits", () => {
    expect(failureOf("{% for p in found.records %}{{ p.constructor }}{% endfor %}", { data, place: "text" })).toMatch(
      /is missing/,
    );
  });
});

describe("case", () => {
  test.each([
    ["{% case trigger.body.kind %}{% when 'a' %}A{% when 'b', 'c' %}BC{% endcase %}", "BC"],
    ["{% case trigger.body.kind %} {% when 'x' or 'b' %}B{% else %}else{% endcase %}", "B"],
    ["{% case trigger.body.n %}{% when 1 %}1{% else %}else{% endcase %}", "else"],
    ["{% case trigger.body.gone | default: '' %}{% when '' %}none{% endcase %}", "none"],
    ["{% case trigger.body.kind %}{% when 'a' %}A{% endcase %}", ""],
    ["{% case trigger.body.kind %}{% when 'b' %}first{% when 'b' %}second{% endcase %}", "first"],
  ])("%s", (source, expected) => {
    expect(render(source)).toBe(expected);
  });
});

describe("tags", () => {
  test.each(["data", "url", "header"] as const)("are refused in a place for %s", (place) => {
    expect(issuesOf({ x: "{% if true %}x{% endif %}" }, { place })).toEqual([
      "at.x: tags ({% … %}) work in subject, text, html and markdown only",
    ]);
  });

  test.each([
    "assign x = 1",
    "capture x",
    "unless a",
    "raw",
    "comment",
    "include 'x'",
    "render 'x'",
    "layout 'x'",
    "block x",
    "echo a",
    "liquid echo a",
    "# a comment",
    "increment a",
    "decrement a",
    "cycle 'a', 'b'",
    "tablerow a in b",
    "break",
    "continue",
    "nosuch",
  ])("other than for, if and case are refused: %s", (tag) => {
    const name = tag.split(" ")[0] ?? "";
    const source = name === "raw" || name === "comment" ? `{% ${tag} %}x{% end${name} %}` : `{% ${tag} %}`;
    expect(issuesOf(source, { place: "html" })).toEqual([
      expect.stringContaining(`the tag "${name}" is not available`),
    ]);
  });

  test.each([
    ["{% if a %}x", /\{% if %\} is not closed: the text ends where \{% endif %\} is expected/],
    ["{% if a %}x{% endfor %}", /\{% if %\} is not closed: \{% endfor %\} comes/],
    ["x{% endif %}", /\{% endif %\} stands where nothing is open/],
    ["{% if a %}x{% else %}y{% else %}z{% endif %}", /\{% else %\} comes where \{% endif %\} is expected/],
    ["{% if a %}x{% else %}y{% elsif b %}z{% endif %}", /\{% elsif %\} comes/],
    ["{% if a %}x{% else b %}y{% endif %}", /\{% else %\} takes nothing/],
    ["{% if %}x{% endif %}", /an expression is empty/],
    ["{% if a b %}x{% endif %}", /several values stand side by side/],
    ["{% if a = b %}x{% endif %}", /a = b cannot be read/],
    ["{% if a, b %}x{% endif %}", /a, b cannot be read/],
    ["{% if a == %}x{% endif %}", /"==" lacks a value/],
    ["{% if a == b == c %}x{% endif %}", /"==" compares two values/],
    ["{% if a == b | upcase %}x{% endif %}", /filters and operators cannot stand together/],
    ["{% if a == empty %}x{% endif %}", /"empty" is not available/],
    ["{% for a of b %}x{% endfor %}", /\{% for %\} is written/],
    ["{% for a in b garbage %}x{% endfor %}", /knows limit, offset and reversed, not "garbage"/],
    ["{% for a in b limit: %}x{% endfor %}", /knows limit, offset and reversed/],
    ["{% for a in (1..3) %}x{% endfor %}", /ranges such as \(1\.\.3\) are not available/],
    ["{% case a %}x{% when 1 %}y{% endcase %}", /between \{% case %\} and the first \{% when %\} stands nothing/],
    ["{% case a %}{% when %}y{% endcase %}", /an expression is empty/],
    ["{% case a %}{% when 1 2 %}y{% endcase %}", /several values stand side by side/],
    ["{% if a %}{{ b | upcse }}{% endif %}", /unknown filter "upcse"; did you mean "upcase"\?/],
  ])("say what is wrong: %s", (source, expected) => {
    expect(issuesOf(source, { place: "text" })).toEqual([expect.stringMatching(expected)]);
  });
});
