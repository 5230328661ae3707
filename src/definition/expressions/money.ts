import type { Json } from "../../json.ts";
import { currencyDecimals } from "./currencies.ts";
import { normalize, readDecimal } from "./decimals.ts";
import type { Filter } from "./filters.ts";
import { exactNumber, kindOf, text, ValueFault, type Value } from "./values.ts";

function decimalsOf(currency: Value, filter: string): number {
  const code = text(currency, filter);
  const decimals = currencyDecimals.get(code);
  if (decimals !== undefined) return decimals;
  throw new ValueFault(
    `${filter} does not know the currency ${JSON.stringify(code.slice(0, 40))}; write its ISO code, such as "EUR"`,
  );
}

/** An amount, also one written as text, as a whole count of 10^-decimals; nothing is rounded away. */
function scale(value: Value, decimals: number, filter: string): Json {
  const written = typeof value === "number" || typeof value === "string" ? String(value).trim() : "";
  const amount = readDecimal(written);
  if (amount === undefined) {
    const got = typeof value === "string" ? `the text ${JSON.stringify(value.slice(0, 40))}` : kindOf(value);
    throw new ValueFault(`${filter} takes an amount such as 12.5, but got ${got}`);
  }
  const scaled = normalize({ digits: amount.digits * 10n ** BigInt(decimals), scale: amount.scale });
  if (scaled.scale > 0)
    throw new ValueFault(`${filter} keeps ${decimals} decimals, but ${written.slice(0, 40)} has more; round it first`);
  return exactNumber(scaled.digits);
}

export const moneyFilters: Readonly<Record<string, Filter>> = {
  to_micros: {
    takes: [1, 1],
    run(value, [currency]) {
      decimalsOf(currency, "to_micros");
      return scale(value, 6, "to_micros");
    },
  },
  to_minor_units: {
    takes: [1, 1],
    run: (value, [currency]) => scale(value, decimalsOf(currency, "to_minor_units"), "to_minor_units"),
  },
};
