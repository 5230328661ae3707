import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Place } from "../../../src/definition/expressions.ts";
import type { Json } from "../../../src/json.ts";
import { evaluate, failureOf, issuesOf } from "./support.ts";

const render = (source: string, x: Json, place: Place): Json | undefined => evaluate(source, { data: { x }, place });

describe("a place for HTML", () => {
  test.each([
    ["<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"],
    [`"><img src=x onerror='a'>`, "&quot;&gt;&lt;img src=x onerror=&#39;a&#39;&gt;"],
    ["a & b &amp; c", "a &amp; b &amp;amp; c"],
    [5, "5"],
  ])("escapes %j", (x, expected) => {
    expect(render("<p>{{ x }}</p>", x, "html")).toBe(`<p>${expected}</p>`);
  });

  test("escapes a value that is exactly one expression, and what json writes", () => {
    expect(render("{{ x }}", "<b>", "html")).toBe("&lt;b&gt;");
    expect(render("{{ x | json }}", { a: "<b>" }, "html")).toBe("{&quot;a&quot;:&quot;&lt;b&gt;&quot;}");
  });

  test("escapes inside tags, also what literals and defaults give", () => {
    expect(render("{% for i in x %}{{ i }}{% endfor %}{{ '<' }}{{ y | default: '>' }}", ["<"], "html")).toBe(
      "&lt;&lt;&gt;",
    );
  });

  test("does not escape what raw opts out, wherever raw stands", () => {
    expect(render("{{ x | raw }}{{ x | raw | upcase }}{{ x }}", "<b>", "html")).toBe("<b><B>&lt;b&gt;");
  });

  test("lets nothing of a value open a tag or an attribute", () => {
    fc.assert(
      fc.property(fc.string(), (x) => {
        expect(render("{{ x }}", x, "html")).not.toMatch(/[<>"']|&(?!(amp|lt|gt|quot|#39);)/);
      }),
    );
  });
});

describe("a place for a whole URL", () => {
  test.each([
    ["{{ x }}", "https://api.example/v1?a=b", "https://api.example/v1?a=b"],
    ["{{ x }}/people/{{ y }}?q={{ y }}", "https://api.example", "https://api.example/people/a%2Fb?q=a%2Fb"],
    ["https://api.example/{{ x }}", "a/../b?c", "https://api.example/a%2F..%2Fb%3Fc"],
    ["https://{{ x }}.example/", "evil.com/", "https://evil.com%2F.example/"],
  ])("takes an expression at the beginning of %j as a URL, and encodes the others", (source, x, expected) => {
    expect(evaluate(source, { data: { x, y: "a/b" }, place: "address" })).toBe(expected);
  });

  test("refuses parts of a path that lead upwards behind it, and raw", () => {
    expect(failureOf("{{ x }}/{{ y }}", { data: { x: "https://a.example", y: ".." }, place: "address" })).toMatch(
      /a part of a path cannot be/,
    );
    expect(issuesOf("https://a.example/{{ x | raw }}", { place: "address" })).toHaveLength(1);
  });
});

describe("a place for URLs", () => {
  test.each([
    ["a/b", "a%2Fb"],
    ["../../admin", "..%2F..%2Fadmin"],
    ["a b?c=d&e#f", "a%20b%3Fc%3Dd%26e%23f"],
    ["100%", "100%25"],
    ["it's (a) *test*!", "it%27s%20%28a%29%20%2Atest%2A%21"],
    ["a\r\nb", "a%0D%0Ab"],
    ["ä€🙂", "%C3%A4%E2%82%AC%F0%9F%99%82"],
    ["\ud800", "%EF%BF%BD"],
    ["http://evil.example/", "http%3A%2F%2Fevil.example%2F"],
  ])("percent-encodes %j", (x, expected) => {
    expect(render("/people/{{ x }}?q={{ x }}", x, "url")).toBe(`/people/${expected}?q=${expected}`);
  });

  test.each([".", ".."])("refuses %j as a part of the path, which encoding does not disarm", (x) => {
    expect(failureOf("/people/{{ x }}/notes", { data: { x }, place: "url" })).toMatch(
      /^at: a part of a path cannot be/,
    );
    expect(failureOf("https://api.example/{{ x }}", { data: { x }, place: "url" })).toMatch(/a part of a path/);
    expect(render("/people?name={{ x }}", x, "url")).toBe(`/people?name=${x}`);
  });

  test("refuses parts that expressions make up together", () => {
    expect(failureOf("/a/{{ x }}{{ x }}/b", { data: { x: "." }, place: "url" })).toMatch(/a part of a path/);
    expect(failureOf("/a/%2e{{ x }}/b", { data: { x: "." }, place: "url" })).toMatch(/a part of a path/);
  });

  test("refuses raw", () => {
    expect(issuesOf("/{{ x | raw }}", { place: "url" })).toEqual(['at: "| raw" is refused in URLs']);
  });

  test("keeps the path of a URL what was written, whatever the value", () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1 }).filter((x) => x !== "." && x !== ".."),
        (x) => {
          const url = new URL(String(render("https://api.example/a/{{ x }}/b?q={{ x }}#f", x, "url")));
          expect(url.host).toBe("api.example");
          expect(url.hash).toBe("#f");
          const [, a, value, b, ...rest] = url.pathname.split("/");
          expect([a, decodeURIComponent(value ?? ""), b, rest]).toEqual(["a", x.toWellFormed(), "b", []]);
        },
      ),
    );
  });
});

describe("a place for headers", () => {
  test.each(["a\r\nBcc: v@y.example", "a\nb", "a\rb", "a\u0000b"])("refuses %j", (x) => {
    expect(failureOf("Value {{ x }}", { data: { x }, place: "header" })).toBe("at: a header cannot hold line breaks.");
    expect(failureOf("{{ x | raw }}", { data: { x }, place: "header" })).toMatch(/cannot hold line breaks/);
  });

  test("takes other text as it is", () => {
    expect(render("Bearer {{ x }}", `a"<>é`, "header")).toBe(`Bearer a"<>é`);
  });
});

describe("places for text and data", () => {
  test("escape nothing", () => {
    expect(render("{{ x }} & more", `<a> "b" /`, "text")).toBe(`<a> "b" / & more`);
    expect(render("{{ x }} & more", `<a> "b" /`, "data")).toBe(`<a> "b" / & more`);
  });

  test("are told apart by top-level key", () => {
    const source = { html: "{{ x }}!", text: "{{ x }}!", list: ["{{ x }}!"], deep: { html: "{{ x }}!" } };
    expect(evaluate(source, { data: { x: "<" }, places: { html: "html" } })).toEqual({
      html: "&lt;!",
      text: "<!",
      list: ["<!"],
      deep: { html: "<!" },
    });
  });

  test("of a key are the place of all that lies in it", () => {
    expect(evaluate({ headers: { "x-a": "{{ x }}" } }, { data: { x: 1 }, places: { headers: "header" } })).toEqual({
      headers: { "x-a": "1" },
    });
    expect(
      failureOf({ headers: { "x-a": "{{ x }}" } }, { data: { x: "a\nb" }, places: { headers: "header" } }),
    ).toMatch(/^at\.headers\.x-a: a header cannot/);
  });
});

describe("a value is resolved once", () => {
  test.each(["{{ secrets.KEY }}", "{% if true %}x{% endif %}", "{{ x }}", "}}{{ x"])("%j stays text", (x) => {
    const data = { x, secrets: { KEY: "leaked" } };
    for (const place of ["data", "text"] as const) {
      expect(evaluate("{{ x }}", { data, place })).toBe(x);
      expect(evaluate("a {{ x }} b", { data, place })).toBe(`a ${x} b`);
    }
    expect(evaluate("{{ nothing | default: x }}{{ list | join }}", { data: { x, list: [x] } })).toBe(x + x);
  });

  test("whatever it holds", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom("{{", "}}", "{%", "%}", " x ", "|", "'")).map((parts) => parts.join("")),
        (x) => {
          expect(evaluate("[{{ x }}]", { data: { x } })).toBe(`[${x}]`);
        },
      ),
    );
  });
});
