import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Json } from "../../../src/json.ts";
import { evaluate } from "./support.ts";

const convert = (amount: Json, filter: string): Json | undefined =>
  evaluate(`{{ amount | ${filter} }}`, { data: { amount } });

describe("money", () => {
  test.each([
    ["EUR", 12.34, 1234],
    ["EUR", 0, 0],
    ["EUR", "12.50", 1250],
    ["EUR", -0.07, -7],
    ["EUR", 1.1, 110],
    ["EUR", 4.35, 435],
    ["USD", 1e21, "100000000000000000000000"],
    ["JPY", 500, 500],
    ["KRW", "500.00", 500],
    ["KWD", 1.234, 1234],
    ["BHD", 0.5, 500],
    ["CLF", 1.2345, 12345],
    ["HUF", 1.5, 150],
    ["IQD", 1.5, 1500],
    ["ISK", 7, 7],
    ["EUR", "90071992547409.93", "9007199254740993"],
  ] as const)("in minor units of %s: %j is %j", (currency, amount, expected) => {
    expect(convert(amount, `to_minor_units: "${currency}"`)).toBe(expected);
  });

  test.each([
    ["EUR", 12.34, 12_340_000],
    ["JPY", 500, 500_000_000],
    ["KWD", 1.234, 1_234_000],
    ["EUR", 0.000001, 1],
    ["EUR", 1e-6, 1],
    ["EUR", "9007199254.740993", "9007199254740993"],
  ] as const)("in micros of %s: %j is %j", (currency, amount, expected) => {
    expect(convert(amount, `to_micros: "${currency}"`)).toBe(expected);
  });

  test("of any count of cents comes out as that count", () => {
    fc.assert(
      fc.property(fc.integer({ min: -1_000_000_000_000, max: 1_000_000_000_000 }), (cents) => {
        expect(convert(cents / 100, "to_minor_units: 'EUR'")).toBe(cents);
      }),
    );
  });
});
