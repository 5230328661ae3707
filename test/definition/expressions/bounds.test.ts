import { describe, expect, test } from "vitest";
import type { Json } from "../../../src/json.ts";
import { compile, evaluate, evaluationOf, failureOf, issuesOf } from "./support.ts";

const mebibyte = 1_048_576;
const tooLong = /the text is longer than 1 MiB\. Pass large values by reference/;

describe("text is at most 1 MiB", () => {
  test("which is taken, and one byte more is not", () => {
    const data = { half: "x".repeat(mebibyte / 2) };
    expect(evaluate("{{ half }}{{ half }}", { data })).toHaveLength(mebibyte);
    expect(failureOf("{{ half }}{{ half }}.", { data })).toMatch(tooLong);
  });

  test("counted in bytes of UTF-8", () => {
    expect(evaluate("{{ x }} ", { data: { x: "ä".repeat(mebibyte / 2 - 1) } })).toHaveLength(mebibyte / 2);
    expect(failureOf("{{ x }} ", { data: { x: "ä".repeat(mebibyte / 2) } })).toMatch(tooLong);
  });

  test("also of one expression with filters, while one path alone may be longer", () => {
    const data = { x: "x".repeat(mebibyte + 1) };
    expect(failureOf("{{ x | upcase }}", { data })).toMatch(tooLong);
    expect(evaluate("{{ x }}", { data })).toBe(data.x);
    expect(failureOf("{{ x }}", { data, place: "text" })).toMatch(tooLong);
  });

  test.each(["{{ x | append: x }}", "{{ x | replace: 'x', x }}", "{{ list | join: x }}", "{{ list | json }}"])(
    "also before it is made: %s",
    (source) => {
      const x = "x".repeat(700_000);
      expect(failureOf(source, { data: { x, list: [x, x] } })).toMatch(tooLong);
    },
  );

  test("also escaped", () => {
    expect(failureOf("{{ x }}", { data: { x: "<".repeat(300_000) }, place: "html" })).toMatch(tooLong);
  });
});

describe("no template goes on for ever", () => {
  const list: Json = Array.from({ length: 2_000 }, (_, i) => ({ i, n: -i }));
  const text = "x".repeat(500_000);

  test.each([
    ["loops in loops", "{% for a in list %}{% for b in list %}{% for c in list %}{% endfor %}{% endfor %}{% endfor %}"],
    ["work in loops", "{% for a in list %}{% if list | sort: 'i' | uniq: 'n' | size %}{% endif %}{% endfor %}"],
    ["large JSON in loops", "{% for a in list %}{% if list | json | size %}{% endif %}{% endfor %}"],
    [
      "long text in loops",
      "{% for a in list %}{% for b in list %}{% if text | upcase | downcase | strip %}{% endif %}{% endfor %}{% endfor %}",
    ],
    [
      "comparing objects in loops",
      "{% for a in list %}{% for b in list %}{% if list | where: 'i', list %}{% endif %}{% endfor %}{% endfor %}",
    ],
  ])("%s end with an error", (_, source) => {
    expect(failureOf(source, { data: { list, text }, place: "text" })).toBe(
      "at: this takes too much work to evaluate: fewer items or fewer filters are needed.",
    );
  });

  test("work is counted over the whole value, not for each text in it", () => {
    const heavy = `{{ list | sort: 'i' | sort: 'n' | size }}`;
    const source = Array.from({ length: 200 }, () => heavy);
    expect(failureOf(source, { data: { list } })).toMatch(/^at\[\d+\]: this takes too much work/);
  });

  test("what is large and right is done", () => {
    const rows: Json = Array.from({ length: 5_000 }, (_, i) => ({ name: `n${i}`, amount: i / 100, city: `c${i % 7}` }));
    const source = "{% for r in rows %}{{ r.name }}: {{ r.amount | round: 1 }} {{ r.city | upcase }}\n{% endfor %}";
    expect(evaluate(source, { data: { rows }, place: "html" })).toContain("n4999: 50 C1");
    expect(evaluate("{{ rows | map: 'city' | uniq | sort | join: ',' }}", { data: { rows } })).toBe(
      "c0,c1,c2,c3,c4,c5,c6",
    );
    expect(evaluate("{{ rows | sum: 'amount' }}", { data: { rows } })).toBe(124_975);
  });

  test("a hundred thousand items are no trouble to a single filter", () => {
    const items: Json = Array.from({ length: 100_000 }, (_, i) => i % 50_000);
    expect(evaluate("{{ items | uniq | size }}", { data: { items } })).toBe(50_000);
    expect(evaluate("{{ items | sort | last }}", { data: { items } })).toBe(49_999);
  });
});

describe("reading a template is bounded", () => {
  const nested = (depth: number): string => "{% if a %}".repeat(depth) + "x" + "{% endif %}".repeat(depth);

  test("tags lie 16 deep in one another", () => {
    expect(evaluate(nested(16), { data: { a: true }, place: "text" })).toBe("x");
    expect(issuesOf(nested(17), { place: "text" })).toEqual(["at: tags lie more than 16 deep in one another"]);
    expect(issuesOf(nested(50_000), { place: "text" })).toHaveLength(1);
  });

  test("a path has 32 parts", () => {
    const path = (parts: number): string => `{{ ${Array.from({ length: parts }, () => "a").join(".")} }}`;
    expect(issuesOf(path(32))).toEqual([]);
    expect(issuesOf(path(33))).toEqual(["at: a path has more than 32 parts"]);
    expect(issuesOf(path(1_000))).toHaveLength(1);
    expect(issuesOf(`{{ a${"[a".repeat(4_000)}${"]".repeat(4_000)} }}`)).toHaveLength(1);
    expect(issuesOf(`{{ ${"(".repeat(9_000)} }}`)).toHaveLength(1);
  });

  test("an expression has 32 filters and 10,000 characters", () => {
    expect(issuesOf(`{{ a ${"| upcase ".repeat(32)}}}`)).toEqual([]);
    expect(issuesOf(`{{ a ${"| upcase ".repeat(33)}}}`)).toEqual(["at: an expression has more than 32 filters"]);
    expect(issuesOf(`{{ a | append: '${"x".repeat(10_000)}' }}`)).toEqual([
      "at: an expression is longer than 10000 characters",
    ]);
    expect(issuesOf(`{% if a ${"and a ".repeat(33)}%}x{% endif %}`, { place: "text" })).toEqual([
      "at: an expression has too many operators",
    ]);
  });

  test("a definition's worth of expressions is read and evaluated", () => {
    const { compiled, issues } = compile("{{ a }}".repeat(100_000));
    expect(issues).toEqual([]);
    expect(compiled.evaluate(evaluationOf({ data: { a: 1 } }))).toHaveLength(100_000);
  });

  test.each([
    "{{".repeat(400_000),
    "{%".repeat(400_000),
    "{{ '".repeat(200_000),
    "{% if a ".repeat(100_000),
    `{{ a${" ".repeat(500_000)}`,
  ])("what is never closed is refused at once", (source) => {
    expect(issuesOf(source, { place: "text" })).toHaveLength(1);
  });
});
