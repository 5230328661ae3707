import type { Json } from "../../json.ts";
import { decimalOf, divide, minus, normalize, plus, round, times, writeDecimal, type Decimal } from "./decimals.ts";
import type { Filter } from "./filters.ts";
import { exactNumber, ValueFault, type Value } from "./values.ts";

type Operation = (a: Decimal, b: Decimal) => Decimal;

function reckon(operation: Operation, name: string): Filter {
  return {
    takes: [1, 1],
    run: (value, [other]) => writeDecimal(operation(decimalOf(value, name), decimalOf(other, name)), name),
  };
}

/** The sum of numbers; exact, as every arithmetic here. */
export function sumOf(values: readonly Value[]): Json {
  const sum = values.reduce<Decimal>((total, value) => plus(total, decimalOf(value, "sum")), { digits: 0n, scale: 0 });
  return writeDecimal(sum, "sum");
}

/** A whole number between two bounds, as filters take for counts and positions. */
export function wholeNumber(value: Value, filter: string, [least, most]: readonly [number, number]): number {
  const { digits, scale } = normalize(decimalOf(value, filter));
  if (scale > 0 || digits < BigInt(least) || digits > BigInt(most))
    throw new ValueFault(`${filter} takes a whole number between ${least} and ${most}`);
  return Number(digits);
}

export const numberFilters: Readonly<Record<string, Filter>> = {
  plus: reckon(plus, "plus"),
  minus: reckon(minus, "minus"),
  times: reckon(times, "times"),
  divided_by: reckon((a, b) => {
    if (b.digits === 0n) throw new ValueFault("divided_by cannot divide by 0");
    return divide(a, b);
  }, "divided_by"),
  round: {
    takes: [0, 1],
    run(value, [decimals]) {
      const places = decimals === undefined ? 0 : wholeNumber(decimals, "round", [0, 12]);
      return writeDecimal(round(decimalOf(value, "round"), places), "round");
    },
  },
  as_integer: {
    takes: [0, 0],
    run(value) {
      const { digits, scale } = normalize(decimalOf(value, "as_integer"));
      if (scale > 0)
        throw new ValueFault(`as_integer takes a whole number, but got ${JSON.stringify(value)}; round it first`);
      return exactNumber(digits);
    },
  },
};
