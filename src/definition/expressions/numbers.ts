import type { Json } from "../../json.ts";
import type { Filter } from "./filters.ts";
import { exactNumber, number, ValueFault, type Value } from "./values.ts";

type Operation = { exact(a: bigint, b: bigint): bigint; rough(a: number, b: number): number };

const plus: Operation = { exact: (a, b) => a + b, rough: (a, b) => a + b };
const minus: Operation = { exact: (a, b) => a - b, rough: (a, b) => a - b };
const times: Operation = { exact: (a, b) => a * b, rough: (a, b) => a * b };

/** Whole numbers are reckoned exactly at any size; fractions as numbers, rounded to 15 digits. */
function reckon(operation: Operation, left: Value, right: Value, filter: string): Json {
  const [a, b] = [number(left, filter), number(right, filter)];
  if (isWhole(a) && isWhole(b)) return exactNumber(operation.exact(BigInt(a), BigInt(b)));
  return finite(operation.rough(Number(a), Number(b)), filter);
}

/** The sum of two numbers, for `plus` and `sum`. */
export function add(left: Value, right: Value, filter: string): Json {
  return reckon(plus, left, right, filter);
}

function isWhole(value: number | bigint): boolean {
  return typeof value === "bigint" || Number.isSafeInteger(value);
}

/** Without the noise of binary fractions: 0.1 + 0.2 is 0.3. */
function finite(value: number, filter: string): number {
  if (!Number.isFinite(value)) throw new ValueFault(`${filter} gave a number that is too large`);
  return Number.parseFloat(value.toPrecision(15));
}

export const numberFilters: Readonly<Record<string, Filter>> = {
  plus: { takes: [1, 1], run: (value, [other]) => add(value, other, "plus") },
  minus: { takes: [1, 1], run: (value, [other]) => reckon(minus, value, other, "minus") },
  times: { takes: [1, 1], run: (value, [other]) => reckon(times, value, other, "times") },
  divided_by: {
    takes: [1, 1],
    run(value, [other]) {
      const [a, b] = [number(value, "divided_by"), number(other, "divided_by")];
      if (Number(b) === 0) throw new ValueFault("divided_by cannot divide by 0");
      if (isWhole(a) && isWhole(b) && BigInt(a) % BigInt(b) === 0n) return exactNumber(BigInt(a) / BigInt(b));
      return finite(Number(a) / Number(b), "divided_by");
    },
  },
  round: {
    takes: [0, 1],
    run(value, [digits]) {
      const whole = number(value, "round");
      if (typeof whole === "bigint") return exactNumber(whole);
      const places = digits === undefined ? 0 : Number(number(digits, "round"));
      if (!Number.isInteger(places) || places < 0 || places > 12) throw new ValueFault("round takes 0 to 12 digits");
      // By the decimal text, away from zero at the half: 1.005 to two digits is 1.01.
      const sign = whole < 0 ? -1 : 1;
      const shifted = Math.round(Number(`${Math.abs(whole)}e${places}`));
      return sign * Number(`${shifted}e-${places}`) || 0;
    },
  },
  as_integer: {
    takes: [0, 0],
    run(value) {
      const whole = number(value, "as_integer");
      if (typeof whole === "bigint") return exactNumber(whole);
      if (!Number.isSafeInteger(whole)) throw new ValueFault(`as_integer takes a whole number, but got ${whole}`);
      return whole;
    },
  },
};
