import { describe, expect, test } from "vitest";
import { parseJson } from "../../../src/api/body/parse-json.ts";

const status400 = expect.objectContaining({ status: 400, code: "malformed-request" });

describe("JSON from outside", () => {
  test("is read as it was sent", () => {
    expect(parseJson(' {"a": [1, -2.5, true, null, "ü\\n\\u00e9"], "b": {}} ')).toEqual({
      a: [1, -2.5, true, null, "ü\né"],
      b: {},
    });
  });

  test("keeps integers past 2^53 exactly, as text", () => {
    expect(parseJson("[9007199254740991, 9007199254740992, -12345678901234567890, 1e3]")).toEqual([
      9007199254740991,
      "9007199254740992",
      "-12345678901234567890",
      1000,
    ]);
  });

  test.each([
    ["a number past a double", '{"a": 1e400}'],
    ["an integer past a double", `{"a": ${"9".repeat(400)}}`],
    ["a NUL escape", '{"a": "x\\u0000y"}'],
    ["a NUL escape in a key", '{"x\\u0000y": 1}'],
    ["a raw control character", '{"a": "x\u0001y"}'],
    ["half a surrogate pair", '{"a": "\\ud800"}'],
    ["a reversed surrogate pair", '{"a": "\\udc00\\ud800"}'],
    ["__proto__", '{"__proto__": {"x": 1}}'],
    ["__proto__ in escapes, deep inside", '[{"a": {"\\u005f_proto__": 1}}]'],
    ["constructor.prototype", '{"constructor": {"prototype": {"x": 1}}}'],
    ["a key given twice", '{"a": 1, "a": 2}'],
    ["65 levels", `${"[".repeat(65)}${"]".repeat(65)}`],
    ["50,000 levels", `${"[".repeat(50_000)}${"]".repeat(50_000)}`],
    ["50,000 levels that never end", '{"a":'.repeat(50_000)],
    ["more than 100,000 values", `[${"0,".repeat(100_000)}0]`],
    ["nothing", ""],
    ["two documents", "{} {}"],
    ["NaN", "[NaN]"],
    ["a trailing comma", "[1,]"],
    ["single quotes", "{'a': 1}"],
    ["half a document", '{"email":'],
  ])("refuses %s", (_what, text) => {
    expect(() => parseJson(text)).toThrow(status400);
  });

  test("takes 64 levels, a word `constructor`, and escaped backslashes before u0000", () => {
    expect(parseJson(`${"[".repeat(64)}${"]".repeat(64)}`)).toBeInstanceOf(Array);
    expect(parseJson('{"constructor": "Acme Building", "path": "C:\\\\u0000"}')).toEqual({
      constructor: "Acme Building",
      path: "C:\\u0000",
    });
  });

  test("names the place of what it refuses", () => {
    expect(() => parseJson('{"people": [{"name": "a\\u0000"}]}')).toThrow("people[0].name contains a NUL character");
  });
});
