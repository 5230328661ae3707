import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { evaluate, failureOf } from "./support.ts";

/** Integers as JSON holds them here: past 2⁵³ as text. */
const integer = fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n });
const written = (value: bigint): number | string =>
  value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : String(value);

const operations = [
  ["plus", (a: bigint, b: bigint) => a + b],
  ["minus", (a: bigint, b: bigint) => a - b],
  ["times", (a: bigint, b: bigint) => a * b],
] as const;

describe("arithmetic", () => {
  test.each(operations)("%s of whole numbers of any size is exact", (filter, expected) => {
    fc.assert(
      fc.property(integer, integer, (a, b) => {
        const data = { a: written(a), b: written(b) };
        expect(evaluate(`{{ a | ${filter}: b }}`, { data })).toBe(written(expected(a, b)));
      }),
    );
  });

  test("of cents has no noise of binary fractions", () => {
    const cents = fc.integer({ min: -1_000_000_000, max: 1_000_000_000 });
    fc.assert(
      fc.property(cents, cents, (a, b) => {
        expect(evaluate("{{ a | plus: b }}", { data: { a: a / 100, b: b / 100 } })).toBe((a + b) / 100 || 0);
      }),
    );
  });

  test("divided_by undoes times", () => {
    fc.assert(
      fc.property(
        integer,
        integer.filter((b) => b !== 0n),
        (a, b) => {
          const data = { a: written(a), b: written(b) };
          expect(evaluate("{{ a | times: b | divided_by: b }}", { data })).toBe(written(a));
        },
      ),
    );
  });

  test("round keeps numbers that have few enough decimals", () => {
    fc.assert(
      fc.property(fc.integer({ min: -1_000_000, max: 1_000_000 }), (thousandths) => {
        const a = thousandths / 1000;
        expect(evaluate("{{ a | round: 3 }}", { data: { a } })).toBe(a || 0);
      }),
    );
  });

  test("ends at 400 digits", () => {
    const data = { a: `1${"0".repeat(250)}` };
    expect(failureOf("{{ a | times: a }}", { data })).toMatch(/times gives a number of more than 400 digits/);
    expect(failureOf("{{ a | plus: 1 }}", { data: { a: "1".repeat(401) } })).toMatch(/plus takes a number/);
  });

  test("takes the smallest and the largest numbers of JSON", () => {
    expect(evaluate("{{ a | plus: 0 }}", { data: { a: 5e-324 } })).toBe(5e-324);
    expect(evaluate("{{ a | minus: a }}", { data: { a: 1.7976931348623157e308 } })).toBe(0);
    expect(evaluate("{{ a | times: a }}", { data: { a: 1e-300 } })).toBe(0);
  });
});
