import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { findLink } from "../../src/http/link.ts";
import { parseJson } from "../../src/http/parse-json.ts";
import { parseRetryAfter } from "../../src/http/retry-after.ts";
import { parseAllowed } from "../../src/vault/allowed-hosts.ts";
import { readBody } from "../../src/http/read-body.ts";
import { writeBody } from "../../src/http/write-body.ts";

describe("the pause that a target asks for", () => {
  const now = new Date("2026-03-01T12:00:00Z");
  test.each([
    ["0", 0],
    ["120", 120_000],
    ["120.1", 120_100],
    [" 5 ", 5_000],
    ["Sun, 01 Mar 2026 12:00:30 GMT", 30_000],
    ["Sunday, 01-Mar-26 12:00:30 GMT", 30_000],
    ["Sun, 01 Mar 2026 11:00:00 GMT", 0],
    ["99999999999", 86_400_000],
    ["soon", undefined],
    ["-5", undefined],
    ["2026-03-01", undefined],
    ["", undefined],
    [undefined, undefined],
  ])("is read from %j", (header, expected) => {
    expect(parseRetryAfter(header, now)).toBe(expected);
  });
});

describe("the next page of a link header", () => {
  test.each([
    [`<https://a.example/?p=2>; rel="next"`, "https://a.example/?p=2"],
    [`<https://a.example/?p=1>; rel=prev, </b,c>; rel=next`, "/b,c"],
    [`<x>; title="a; rel=next, <y>"; rel="last NEXT"`, "x"],
    [`<x>;rel=prev;rel=next`, undefined],
    [`<x>; rel="a \\"next\\" b"`, undefined],
    [`<x>`, undefined],
    [`rel=next; <x>`, undefined],
    [`<x; rel=next`, undefined],
    ["", undefined],
    [undefined, undefined],
  ])("is found in %j", (header, expected) => {
    expect(findLink(header, "next")).toBe(expected);
  });

  it("is looked for in one pass, whatever the header holds", () => {
    const begun = performance.now();
    for (const header of [
      "<a>;".repeat(4_000),
      `<a>; b="${"\\".repeat(16_000)}`,
      ",".repeat(16_000),
      " ".repeat(16_000),
    ])
      findLink(header, "next");
    expect(performance.now() - begun).toBeLessThan(1_000);
  });
});

describe("JSON of an answer", () => {
  it("is what JSON.parse gives, where a double holds its numbers", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6, noUnicodeString: false }), (value) => {
        const text = JSON.stringify(value);
        // What is no text for Postgres, or no key, is changed on purpose.
        fc.pre(!/\\u0000|\\ud[89a-f]|__proto__|\d{16}/i.test(text));
        expect(parseJson(text)).toEqual(JSON.parse(text));
      }),
      { seed: 7, numRuns: 500 },
    );
  });

  test.each([
    [
      "[9007199254740993, 9007199254740991, -12345678901234567890]",
      ["9007199254740993", 9_007_199_254_740_991, "-12345678901234567890"],
    ],
    [`{"a":12345678901234567890}`, { a: "12345678901234567890" }],
    ["12345678901234567890", "12345678901234567890"],
    ["1e400", "1e400"],
    ["[0.1234567890123456789]", [0.123_456_789_012_345_68]],
    [`{"a": 1, "a": 2}`, { a: 2 }],
    [`{"__proto__": {"x": 1}, "b": "\\u0000\\ud800"}`, { b: "\u{fffd}\u{fffd}" }],
    [`{"a\\u0000": 1}`, { "a\u{fffd}": 1 }],
  ])("%s is %j", (text, expected) => {
    expect(parseJson(text)).toEqual(expected);
  });

  it("is refused where it is none, or nested beyond reason", () => {
    for (const text of [
      "{",
      "",
      "undefined",
      "NaN",
      "{'a': 1}",
      "[1,]",
      "[".repeat(200) + "]".repeat(200),
      "[".repeat(100_000) + "]".repeat(100_000),
    ])
      expect(() => parseJson(text)).toThrow(expect.objectContaining({ code: "invalid-response" }));
    const deep = `${"[".repeat(50_000)}12345678901234567890${"]".repeat(50_000)}`;
    expect(() => parseJson(deep)).toThrow(expect.objectContaining({ code: "invalid-response" }));
  });

  it("is not shown where it is refused: a piece of a secret in it would not be known for one", () => {
    for (const text of ["Bearer sesame-opened", `{"a": sesame-opened}`, `[1, 2, 3, 4, 5, 6, sesame-opened, 7, 8]`])
      expect(() => parseJson(text)).toThrow(expect.objectContaining({ message: expect.not.stringMatching(/sesa/) }));
  });

  it("of fifty megabytes is read in a moment", () => {
    const text = JSON.stringify(Array.from({ length: 50_000 }, (_, n) => ({ n, text: "x".repeat(980) })));
    expect(text.length).toBeGreaterThan(49_000_000);
    const begun = performance.now();
    expect(parseJson(text)).toHaveLength(50_000);
    expect(performance.now() - begun).toBeLessThan(10_000);
  });
});

describe("a body", () => {
  it("is read by its content type alone", () => {
    const json = Buffer.from(`{"a":1}`);
    const readings: Array<[string | undefined, unknown]> = [
      ["application/json", { a: 1 }],
      ["APPLICATION/JSON;charset=utf-8", { a: 1 }],
      ["application/problem+json", { a: 1 }],
      ["text/json", { a: 1 }],
      ["application/jsonp", { base64: json.toString("base64"), bytes: 7 }],
      ["application/json-seq", { base64: json.toString("base64"), bytes: 7 }],
      ["text/plain", `{"a":1}`],
      ["application/xml", `{"a":1}`],
      ["image/svg+xml", `{"a":1}`],
      [undefined, `{"a":1}`],
    ];
    for (const [type, expected] of readings) expect([type, readBody(json, type)]).toEqual([type, expected]);
    expect(readBody(Buffer.from([0xff, 0xfe]), undefined)).toEqual({ base64: "//4=", bytes: 2 });
    expect(readBody(Buffer.alloc(0), "application/json")).toBeNull();
    expect(() => readBody(Buffer.alloc(7_000_000), "application/zip")).toThrow(
      expect.objectContaining({ code: "response-too-large" }),
    );
  });

  it("holds its parts apart, whatever stands in them", async () => {
    const parts = [
      { name: `a"\r\nx: y`, text: "--tandem-\r\n--" },
      {
        name: "b",
        base64: Buffer.from([0, 255, 13, 10]).toString("base64"),
        filename: `"; filename="c`,
        contentType: "image/png",
      },
    ];
    const { body, contentType } = writeBody({ kind: "multipart", parts });
    // Each attempt sends the same bytes; other parts have another boundary.
    expect(writeBody({ kind: "multipart", parts })).toEqual({ body, contentType });
    expect(writeBody({ kind: "multipart", parts: parts.slice(1) }).contentType).not.toBe(contentType);
    const data = await new Response(new Uint8Array(body), { headers: { "content-type": contentType } }).formData();
    expect([...data.keys()]).toEqual([`a"\r\nx: y`, "b"]);
    expect(data.get(`a"\r\nx: y`)).toBe("--tandem-\r\n--");
    const file = data.get("b") as File;
    expect([file.name, file.type, [...new Uint8Array(await file.arrayBuffer())]]).toEqual([
      `"; filename="c`,
      "image/png",
      [0, 255, 13, 10],
    ]);
    expect(() => writeBody({ kind: "multipart", parts: [{ name: "x", text: "", contentType: "a\r\nb: c" }] })).toThrow(
      /content type/,
    );
    expect(() => writeBody({ kind: "multipart", parts: [{ name: "x", base64: "a b" }] })).toThrow(/is not base64/);
  });
});

test("a host that a connection allows is a name or an address, with a port or without", () => {
  const readings: Array<[string, unknown]> = [
    ["billing.internal", { host: "billing.internal" }],
    ["Billing.Internal.:8080", { host: "billing.internal", port: 8_080 }],
    ["10.0.0.5", { host: "10.0.0.5" }],
    ["fd00::1", { host: "fd00::1" }],
    ["[fd00::1]:80", { host: "fd00::1", port: 80 }],
    ["http://x", undefined],
    ["a/b", undefined],
    ["a@b", undefined],
    ["a b", undefined],
    ["", undefined],
    ["x:99999", undefined],
  ];
  for (const [text, expected] of readings) expect([text, parseAllowed(text)]).toEqual([text, expected]);
});
