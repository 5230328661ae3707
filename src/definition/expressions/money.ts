import type { Json } from "../../json.ts";
import type { Filter } from "./filters.ts";
import { exactNumber, kindOf, text, ValueFault, type Value } from "./values.ts";

/** Decimals of a currency's smallest unit, by ISO 4217 as the platform knows it. */
function decimalsOf(currency: Value, filter: string): number {
  const code = text(currency, filter);
  if (!/^[A-Z]{3}$/.test(code) || !Intl.supportedValuesOf("currency").includes(code)) {
    throw new ValueFault(
      `${filter} does not know the currency ${JSON.stringify(code)}; write its ISO code, such as "EUR"`,
    );
  }
  return (
    new Intl.NumberFormat("en", { style: "currency", currency: code }).resolvedOptions().maximumFractionDigits ?? 2
  );
}

/** An amount as a whole count of units of 10^-digits; refuses what would have to be rounded away. */
function scale(value: Value, digits: number, filter: string): bigint {
  const written = typeof value === "number" ? plain(value) : typeof value === "string" ? value.trim() : undefined;
  const parts = written === undefined ? null : /^(-?)(\d{1,30})(?:\.(\d{1,30}))?$/.exec(written);
  if (parts === null)
    throw new ValueFault(
      `${filter} takes an amount such as 12.5, but got ${typeof value === "string" ? JSON.stringify(value.slice(0, 40)) : kindOf(value)}`,
    );
  const [, sign = "", whole = "0", fraction = ""] = parts;
  if (/[1-9]/.test(fraction.slice(digits)))
    throw new ValueFault(`${filter}: ${written} has more than ${digits} decimals; round it first`);
  const scaled = BigInt(whole + fraction.slice(0, digits).padEnd(digits, "0"));
  return sign === "-" ? -scaled : scaled;
}

/** A number without an exponent. */
function plain(value: number): string {
  return /e/.test(String(value)) ? value.toFixed(12).replace(/\.?0+$/, "") : String(value);
}

export const moneyFilters: Readonly<Record<string, Filter>> = {
  to_micros: {
    takes: [1, 1],
    run(value, [currency]): Json {
      decimalsOf(currency, "to_micros");
      return exactNumber(scale(value, 6, "to_micros"));
    },
  },
  to_minor_units: {
    takes: [1, 1],
    run: (value, [currency]): Json =>
      exactNumber(scale(value, decimalsOf(currency, "to_minor_units"), "to_minor_units")),
  },
};
