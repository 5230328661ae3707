import { describe, expect, test } from "vitest";
import { compile, evaluate, evaluationOf, failureOf, issuesOf } from "./support.ts";

const data = {
  trigger: { body: { name: "Ada", none: null, empty: "", no: false, zero: 0, list: ["a", "b"], nested: { key: 1 } } },
  found: { first: null, records: [] },
};

describe("the type of a value", () => {
  test.each([
    ["text", "{{ trigger.body.name }}", "Ada"],
    ["null", "{{ trigger.body.none }}", null],
    ["false", "{{ trigger.body.no }}", false],
    ["a number", "{{ trigger.body.zero }}", 0],
    ["a list", "{{ trigger.body.list }}", ["a", "b"]],
    ["an object", "{{ trigger.body.nested }}", { key: 1 }],
    ["what a filter gives", "{{ trigger.body.list | size }}", 2],
    ["a literal", "{{ 12.5 }}", 12.5],
    ["a literal true", "{{ true }}", true],
    ["a literal null", "{{ null }}", null],
  ])("is kept by exactly one expression: %s", (_, source, expected) => {
    expect(evaluate(source, { data })).toEqual(expected);
  });

  test("becomes text as soon as anything stands beside the expression", () => {
    expect(evaluate("{{ trigger.body.zero }} ", { data })).toBe("0 ");
    expect(evaluate("{{ trigger.body.no }}{{ trigger.body.zero }}", { data })).toBe("false0");
  });

  test("is text in a place for text, also of exactly one expression", () => {
    expect(evaluate("{{ trigger.body.zero }}", { data, place: "text" })).toBe("0");
  });

  test("exactly one path passes the value by reference, at any size", () => {
    const large = { text: "x".repeat(5_000_000) };
    const { compiled } = compile({ copy: "{{ large }}", text: "{{ large.text }}" });
    const result = compiled.evaluate(evaluationOf({ data: { large } }));
    expect(result).toEqual({ copy: large, text: large.text });
    expect((result as { copy: unknown }).copy).toBe(large);
  });

  test("everything that is not text stays as it is written", () => {
    const source = { number: 1, none: null, deep: [{ flag: true, text: "{{ trigger.body.name }}" }] };
    expect(evaluate(source, { data })).toEqual({ number: 1, none: null, deep: [{ flag: true, text: "Ada" }] });
  });

  test.each([
    ["an object", "x {{ trigger.body.nested }}", /at: trigger\.body\.nested is an object.*"\| json"/],
    ["a list", "x {{ trigger.body.list }}", /at: trigger\.body\.list is a list.*"\| json"/],
    ["null", "x {{ trigger.body.none }}", /at: trigger\.body\.none is null.*"\| default/],
  ])("%s in text is an error that says what to do", (_, source, expected) => {
    expect(failureOf(source, { data })).toMatch(expected);
  });

  test("an object in text is written as JSON by json", () => {
    expect(evaluate("x {{ trigger.body.nested | json }}", { data })).toBe('x {"key":1}');
  });
});

describe("a missing value", () => {
  test("is an error that names the path and the place, and says what to do", () => {
    expect(failureOf({ values: { jobTitle: "{{ trigger.body.role }}" } }, { data, at: "steps[1].input" })).toBe(
      `steps[1].input.values.jobTitle: trigger.body.role is missing. Add "| optional" to leave the key out, or "| default: …" to say what stands in.`,
    );
  });

  test("is not offered optional where that is refused", () => {
    expect(failureOf("{{ trigger.body.role }}", { data, optional: "refused" })).toBe(
      `at: trigger.body.role is missing. Add "| default: …" to say what stands in.`,
    );
  });

  test.each([
    ["through null", "{{ found.first.id }}"],
    ["through text", "{{ trigger.body.name.length }}"],
    ["through a number", "{{ trigger.body.zero.x }}"],
    ["past the end of a list", "{{ trigger.body.list[2] }}"],
    ["before the beginning of a list", "{{ trigger.body.list[-1] }}"],
    ["the size of an object", "{{ trigger.body.nested.size }}"],
    ["the first of a list", "{{ trigger.body.list.first }}"],
    ["a key named by a missing path", "{{ trigger.body[trigger.body.nothing] }}"],
    ["a key named by an object", "{{ trigger.body[trigger.body.nested] }}"],
  ])("is what a path gives %s", (_, source) => {
    expect(failureOf(source, { data })).toMatch(/^at: .* is missing\./);
  });

  test("is named as it is written, with its brackets", () => {
    expect(failureOf('{{ trigger.headers["x y"][0][trigger.body.name] }}', { data })).toMatch(
      /^at: trigger\.headers\["x y"\]\[0\]\[trigger\.body\.name\] is missing/,
    );
  });

  test("in an argument of a filter is an error that names the argument", () => {
    expect(failureOf("{{ trigger.body.name | append: trigger.body.nothing }}", { data })).toMatch(
      /^at: trigger\.body\.nothing is missing/,
    );
  });

  test("before a filter is an error even where null would be too", () => {
    expect(failureOf("{{ trigger.body.nothing | upcase }}", { data })).toMatch(/trigger\.body\.nothing is missing/);
  });
});

describe("paths", () => {
  test.each([
    ["by position", "{{ trigger.body.list[1] }}", "b"],
    ["by a key in quotes", '{{ trigger.body["name"] }}', "Ada"],
    ["by another path", "{{ trigger.body[settings.key] }}", "Ada"],
    ["with a hyphen", "{{ trigger.headers.x-form-id }}", "f1"],
  ])("are read %s", (_, source, expected) => {
    const trigger = { ...data.trigger, headers: { "x-form-id": "f1" } };
    expect(evaluate(source, { data: { trigger, settings: { key: "name" } } })).toBe(expected);
  });

  test("know when it is", () => {
    expect(evaluate("{{ now }}", { now: "2026-03-29T00:59:59.999Z" })).toBe("2026-03-29T00:59:59.999Z");
  });

  test.each(["__proto__", "constructor", "prototype"])("never read %s, whether data has it or not", (name) => {
    const body: { [key: string]: string } = Object.fromEntries([[name, "own"]]);
    for (const source of [`{{ body.${name} }}`, `{{ body["${name}"] }}`, "{{ body[name] }}", `{{ ${name} }}`])
      expect(failureOf(source, { data: { body, name } })).toMatch(/is missing/);
    expect(evaluate("{{ list | map: name }}", { data: { list: [body], name } })).toEqual([null]);
  });

  test("never read what objects inherit", () => {
    for (const name of ["toString", "hasOwnProperty", "valueOf", "length", "at"])
      expect(failureOf(`{{ trigger.body.${name} }}`, { data })).toMatch(/is missing/);
  });
});

describe("optional", () => {
  test("drops the key that it stands in when the value is missing or null", () => {
    const source = {
      gone: "{{ trigger.body.role | optional }}",
      none: "{{ trigger.body.none | optional }}",
      kept: "x",
    };
    expect(evaluate(source, { data })).toEqual({ kept: "x" });
  });

  test("drops the item of a list", () => {
    expect(evaluate(["a", "{{ trigger.body.role | optional }}", "c"], { data })).toEqual(["a", "c"]);
  });

  test("keeps what is there, empty text and false too", () => {
    const source = { a: "{{ trigger.body.empty | optional }}", b: "{{ trigger.body.no | optional }}" };
    expect(evaluate(source, { data })).toEqual({ a: "", b: false });
  });

  test("drops a key in a place for text", () => {
    const source = { html: "{{ trigger.body.role | optional }}", text: "{{ trigger.body.name | optional }}" };
    expect(evaluate(source, { data, places: { html: "html", text: "text" } })).toEqual({ text: "Ada" });
  });

  test("reaches back over the filters before it", () => {
    expect(evaluate({ a: "{{ trigger.body.role | strip | upcase | optional }}" }, { data })).toEqual({});
    expect(evaluate({ a: "{{ trigger.body.name | upcase | optional }}" }, { data })).toEqual({ a: "ADA" });
    expect(evaluate({ a: "{{ found.records | first | optional }}" }, { data })).toEqual({});
  });

  test.each([
    ["not last", "{{ trigger.body.role | optional | upcase }}", /must be the last filter/],
    ["inside longer text", "Role: {{ trigger.body.role | optional }}", /stands only in a value that is one expression/],
  ])("is refused %s", (_, source, expected) => {
    expect(issuesOf({ key: source })).toEqual([expect.stringMatching(expected)]);
    expect(issuesOf({ key: source })[0]).toMatch(/^at\.key: /);
  });

  test("is refused where it would change what is asked", () => {
    expect(issuesOf("{{ a | optional }}", { optional: "refused" })).toEqual([
      expect.stringMatching(/^at: .*is refused here/),
    ]);
    const strict = { filter: { value: "{{ a | optional }}" }, values: { x: "{{ a | optional }}" } };
    expect(issuesOf(strict, { strict: ["filter"] })).toEqual([
      expect.stringMatching(/^at\.filter\.value: .*is refused here/),
    ]);
  });

  test("is refused inside tags", () => {
    expect(issuesOf("{% if a | optional %}x{% endif %}", { place: "text" })).toHaveLength(1);
    expect(issuesOf("{% for a in b %}{{ a | optional }}{% endfor %}", { place: "text" })).toHaveLength(1);
  });
});

describe("default", () => {
  test.each([
    ["a missing value", "{{ trigger.body.role | default: 'x' }}", "x"],
    ["null", "{{ trigger.body.none | default: 'x' }}", "x"],
    ["null, by null", "{{ trigger.body.none | default: null }}", null],
    ["a missing value, by null", "{{ trigger.body.role | default: null }}", null],
    ["a missing value, by another path", "{{ trigger.body.role | default: trigger.body.name }}", "Ada"],
    ["a missing value, keeping types", "{{ trigger.body.role | default: trigger.body.list }}", ["a", "b"]],
    ["a path through null", "{{ found.first.id | default: 'x' }}", "x"],
    ["null made by a filter", "{{ found.records | first | default: 'x' }}", "x"],
    ["a missing value, filters on the way left out", "{{ trigger.body.role | downcase | strip | default: 'X' }}", "X"],
    ["the first, then goes on", "{{ trigger.body.role | default: 'x' | upcase }}", "X"],
    ["its own argument that is missing", "{{ trigger.body.a | default: trigger.body.b | default: 'c' }}", "c"],
  ])("stands in for %s", (_, source, expected) => {
    expect(evaluate(source, { data })).toEqual(expected);
  });

  test.each([
    ["empty text", "{{ trigger.body.empty | default: 'x' }}", ""],
    ["false", "{{ trigger.body.no | default: 'x' }}", false],
    ["0", "{{ trigger.body.zero | default: 'x' }}", 0],
    ["an empty list", "{{ found.records | default: 'x' }}", []],
  ])("leaves %s alone", (_, source, expected) => {
    expect(evaluate(source, { data })).toEqual(expected);
  });

  test("whose argument is missing too names both", () => {
    expect(failureOf("{{ trigger.body.a | default: trigger.body.b }}", { data })).toMatch(
      /^at: trigger\.body\.a and trigger\.body\.b is missing/,
    );
  });

  test("whose argument is missing too may be optional", () => {
    expect(evaluate({ a: "{{ trigger.body.a | default: trigger.body.b | optional }}" }, { data })).toEqual({});
  });

  test("does not hide the wrong type", () => {
    expect(failureOf("{{ trigger.body.nested | upcase | default: 'x' }}", { data })).toMatch(/upcase takes text/);
  });
});

describe("references", () => {
  test.each([
    ["a path", "{{ trigger.body.name }}", [{ path: ["trigger", "body", "name"], tolerant: false }]],
    ["positions", "{{ a[0].b }}", [{ path: ["a", 0, "b"], tolerant: false }]],
    ["what optional tolerates", "{{ a.b | optional }}", [{ path: ["a", "b"], tolerant: true }]],
    [
      "a default's argument",
      "{{ a | default: b.c }}",
      [
        { path: ["a"], tolerant: true },
        { path: ["b", "c"], tolerant: true },
      ],
    ],
    [
      "a filter's argument",
      "{{ a | plus: b.c }}",
      [
        { path: ["a"], tolerant: false },
        { path: ["b", "c"], tolerant: false },
      ],
    ],
    [
      "the fixed beginning",
      "{{ a.b[c.d].e }}",
      [
        { path: ["c", "d"], tolerant: false },
        { path: ["a", "b"], tolerant: false },
      ],
    ],
    ["nothing of literals and now", "{{ now }}{{ 'x' }}", []],
  ])("are collected: %s", (_, source, expected) => {
    expect(compile(source).compiled.references).toEqual(expected.map((reference) => ({ ...reference, at: "at" })));
  });

  test("name the value that holds them", () => {
    const { references } = compile({ list: ["x", { key: "{{ a }}" }] }, { at: "steps[0].input" }).compiled;
    expect(references).toEqual([{ path: ["a"], tolerant: false, at: "steps[0].input.list[1].key" }]);
  });

  test("leave out the names that a for makes, inside it only", () => {
    const source =
      "{% for p in found.records %}{{ p.name }}{{ forloop.index }}{{ q }}{% else %}{{ p }}{% endfor %}{{ p.x }}";
    const { references } = compile(source, { place: "text" }).compiled;
    expect(references.map(({ path }) => path.join("."))).toEqual(["found.records", "q", "p", "p.x"]);
  });
});
