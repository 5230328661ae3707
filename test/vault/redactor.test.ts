import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createRedactor } from "../../src/vault/redactor.ts";

const value = 'pa/ss+"wörd" 100%\n😀';
const { text, json } = createRedactor([value]);
const base64 = (given: string): string => Buffer.from(given).toString("base64");

describe("a value is taken out of texts", () => {
  test.each([
    ["as it is", value],
    ["within JSON", JSON.stringify(value).slice(1, -1)],
    ["within JSON of ASCII alone", 'pa/ss+\\"w\\u00f6rd\\" 100%\\n\\ud83d\\ude00'],
    ["within JSON that escapes slashes", 'pa\\/ss+\\"wörd\\" 100%\\n😀'],
    ["within a URL", encodeURIComponent(value)],
    [
      "within a URL, in lower case",
      encodeURIComponent(value).replaceAll(/%[0-9A-F]{2}/g, (part) => part.toLowerCase()),
    ],
    ["within a form", new URLSearchParams({ "": value }).toString().slice(1)],
    ["in hexadecimal", Buffer.from(value).toString("hex")],
    ["in hexadecimal, in upper case", Buffer.from(value).toString("hex").toUpperCase()],
    ["in base64", base64(value)],
    ["in base64 for URLs", Buffer.from(value).toString("base64url")],
  ])("%s", (_, form) => {
    expect(text(`Bearer ${form}, and more`)).toBe("Bearer [redacted], and more");
    expect(text(form)).toBe("[redacted]");
    expect(text(form + form)).toBe("[redacted]");
  });

  test("in base64, behind whatever is encoded with it", () => {
    // Characters that hold bits of what stands before or behind the value stay; they tell at most some bits.
    for (const before of ["", "u", "us", "crm:", "user:", "a longer user:"]) {
      for (const after of ["", "x", "xy", "xyz"]) {
        const shown = text(`Basic ${base64(before + value + after)}`);
        expect(shown).toContain("[redacted]");
        expect(shown.length).toBeLessThan(`Basic [redacted]`.length + (before + after).length * 1.4 + 6);
      }
    }
  });
});

test("in JSON, values are taken out of texts and keys, however deep", () => {
  expect(json({ a: [`x ${value}`, 1, null, true, { [value]: "b", c: base64(value) }], d: "e" })).toEqual({
    a: ["x [redacted]", 1, null, true, { "[redacted]": "b", c: expect.stringContaining("[redacted]") }],
    d: "e",
  });
  expect(JSON.stringify(json(JSON.parse(`{"__proto__":{"a":${JSON.stringify(value)}}}`)))).toBe(
    '{"__proto__":{"a":"[redacted]"}}',
  );
});

test("of values that overlap or hold each other, all that they cover goes", () => {
  const { text: overlapping } = createRedactor(["abcdef", "cdefgh", "cdef", "ghij"]);
  expect(overlapping("<abcdefgh>")).toBe("<[redacted]>");
  expect(overlapping("<abcdefghij>")).toBe("<[redacted]>");
  expect(overlapping("<abcde cdefg>")).toBe("<abcde [redacted]g>");
  expect(overlapping("abcdefabcdef cdefgh")).toBe("[redacted] [redacted]");
});

test("values of fewer than four characters are left alone, and so is all else", () => {
  const { text: short } = createRedactor(["", "a", "ab", "abc", "abcd"]);
  expect(short("a ab abc, abcd")).toBe("a ab abc, [redacted]");
  expect(createRedactor([]).text("anything")).toBe("anything");
});

test("bytes that are no text are taken out by their other forms", () => {
  const bytes = Buffer.from([0xff, 0xfe, 0x00, 0x80, 0x91, 0x92]);
  const { text: binary } = createRedactor([bytes]);
  expect(binary(`${bytes.toString("hex")} ${bytes.toString("base64")}`)).toBe("[redacted] [redacted]");
});

test("no value that stands anywhere in any text is left in it", () => {
  const letters = fc.constantFrom("a", "b", "/", "+", "%", '"', "\\", "é", "😀", " ");
  const words = fc.string({ unit: letters, minLength: 4, maxLength: 8 });
  fc.assert(
    fc.property(
      fc.array(words, { minLength: 1, maxLength: 5 }),
      fc.array(fc.oneof(words, letters)),
      (values, parts) => {
        const given = [...parts, ...values, ...parts].join("");
        const shown = createRedactor(values).text(given);
        const rest = shown.split("[redacted]");
        for (const secret of values) for (const part of rest) expect(part).not.toContain(secret);
        for (const part of rest) expect(given).toContain(part);
      },
    ),
    { seed: 6, numRuns: 500 },
  );
});

test("a text takes as long for a thousand values that nearly fit as for one", () => {
  const nearly = (count: number) => Array.from({ length: count }, (_, place) => `${"a".repeat(50 + place)}b`);
  const long = "a".repeat(300_000);
  const seconds = (values: string[]): number => {
    const redactor = createRedactor(values);
    const started = performance.now();
    expect(redactor.text(long)).toBe(long);
    return (performance.now() - started) / 1_000;
  };
  seconds(nearly(10));
  // 300,000 characters, each compared with each of 1,000 values, would be minutes.
  expect(seconds(nearly(1_000))).toBeLessThan(5);
});
