import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { guardFormula, unguardFormula } from "../../../src/crm/transfer/csv-text.ts";
import { readText, type TextKind } from "../../../src/crm/transfer/texts.ts";
import type { Json } from "../../../src/json.ts";
import { createTestDatabase } from "../../support/database.ts";
import { createTestWorkspace } from "../../support/engine.ts";

const { pool } = await createTestDatabase();
const { objects } = await createTestWorkspace(pool);
const stage = objects.find("opportunity")!.field("stage")!;

type Conventions = Parameters<typeof readText>[2]["conventions"];

function read(text: string, kind: TextKind, conventions: Partial<Conventions> = {}): Json | string {
  const parseJson = (json: string): Json => JSON.parse(json) as Json;
  try {
    return readText(text, kind, {
      field: stage,
      conventions: { numbers: "point", dates: "iso", ...conventions },
      parseJson,
    });
  } catch (error) {
    return error instanceof Error ? `refused: ${error.message}` : "?";
  }
}

describe("numbers", () => {
  test.each([
    ["1", 1],
    [" -12.50 ", -12.5],
    ["+3", 3],
    [".5", 0.5],
    ["1,234,567.89", 1_234_567.89],
    ["1 234.5", 1234.5],
    ["1’234", 1234],
    ["12345678901234567890.5", "12345678901234567890.5"],
    ["0.1234567890123456789", "0.1234567890123456789"],
  ])("%j is %j", (text, value) => {
    expect(read(text, "NUMBER")).toBe(value);
  });

  test.each([
    ["1.234.567,89", 1_234_567.89],
    ["1234,5", 1234.5],
    ["-1.000", -1000],
  ])("with a decimal comma %j is %j", (text, value) => {
    expect(read(text, "NUMBER", { numbers: "comma" })).toBe(value);
  });

  test.each(["", "x", "1,2,3", "12,34", "1.2.3", "1,234,56", "1e5", "€ 5", "5 %", "--1", "0x10", "NaN", "Infinity"])(
    "%j is refused",
    (text) => {
      expect(read(text, "NUMBER")).toMatch(/^refused: takes a number such as 1,234\.50/);
    },
  );

  test.each([
    ["12.34", "12340000"],
    ["-0.000001", "-1"],
    ["9007199254740993", "9007199254740993000000"],
    ["1,000", "1000000000"],
  ])("an amount of %j is %j millionths", (text, value) => {
    expect(read(text, "micros")).toBe(value);
  });

  test("an amount beyond millionths is refused", () => {
    expect(read("0.0000001", "micros")).toMatch(/at most 6 decimals/);
  });
});

describe("other kinds", () => {
  test.each<[string, TextKind, Json]>([
    ["Yes", "BOOLEAN", true],
    ["0", "BOOLEAN", false],
    ["MEETING", "SELECT", "MEETING"],
    [" closed won ", "SELECT", "CLOSED_WON"],
    ["neither", "SELECT", "neither"],
    ["4", "RATING", "RATING_4"],
    ["RATING_2", "RATING", "RATING_2"],
    ["New; meeting;;", "MULTI_SELECT", ["NEW", "MEETING"]],
    ['["a;b","c"]', "ARRAY", ["a;b", "c"]],
    ["a; b", "ARRAY", ["a", "b"]],
    ['{"a":[1]}', "RAW_JSON", { a: [1] }],
    [" keeps its spaces ", "TEXT", " keeps its spaces "],
    ["2026-12-31", "DATE", "2026-12-31"],
  ])("%j as %s is %j", (text, kind, value) => {
    expect(read(text, kind)).toEqual(value);
  });

  test.each([
    ["maybe", "BOOLEAN", /takes true or false, yes or no, 1 or 0/],
    ["[1", "ARRAY", /takes JSON/],
    ["[1]", "MULTI_SELECT", /takes a list of texts/],
    ["{", "RAW_JSON", /takes JSON/],
  ] as const)("%j as %s is refused", (text, kind, message) => {
    expect(read(text, kind)).toMatch(message);
  });

  test.each([
    ["31.12.2026", "day-first", "2026-12-31"],
    ["1/2/2026", "day-first", "2026-02-01"],
    ["1/2/2026", "month-first", "2026-01-02"],
    ["31.12.2026 9:05", "day-first", "2026-12-31T09:05"],
    ["12/31/2026, 23:59:59", "month-first", "2026-12-31T23:59:59"],
    ["2026-12-31T10:00:00Z", "day-first", "2026-12-31T10:00:00Z"],
    ["31.12.2026", "iso", "31.12.2026"],
  ] as const)("the date %j, %s, is %j", (text, dates, value) => {
    expect(read(text, "DATE_TIME", { dates })).toBe(value);
  });
});

test("a guarded text is no formula to a spreadsheet, and comes back as it was", () => {
  const texts = fc.oneof(
    fc.string(),
    fc.string({ unit: fc.constantFrom("'", "=", "+", "-", "@", "\t", "\r", "1", "a", " ") }),
  );
  fc.assert(
    fc.property(texts, (text) => {
      const guarded = guardFormula(text);
      expect(unguardFormula(guarded)).toBe(text);
      expect(guarded).not.toMatch(/^(?:[=@\t\r]|[-+][\d\s()./-]*[^\d\s()./-])/);
    }),
    { numRuns: 2_000 },
  );
  for (const text of ["+49 30 123-45", "-5", "'quoted'", "a=b"]) expect(guardFormula(text)).toBe(text);
});
