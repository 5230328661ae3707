import type { Json } from "../../json.ts";
import { exactNumber, kindOf, ValueFault, type Value } from "./values.ts";

/** A number kept exactly: digits · 10^-scale. */
export interface Decimal {
  readonly digits: bigint;
  readonly scale: number;
}

/** Longest integer that arithmetic takes and gives, in digits. */
const mostDigits = 400;

/** Numbers, and integers written as text, which is how those past 2⁵³ come in. */
export function decimalOf(value: Value, filter: string): Decimal {
  const read =
    typeof value === "number"
      ? readDecimal(String(value))
      : typeof value === "string" && /^-?\d+$/.test(value)
        ? readDecimal(value)
        : undefined;
  if (read !== undefined) return read;
  const got = typeof value === "string" ? `the text ${JSON.stringify(value.slice(0, 40))}` : kindOf(value);
  throw new ValueFault(`${filter} takes a number, but got ${got}`);
}

/** A number as JSON writes it; undefined for any other text, and for more digits than are kept. */
export function readDecimal(written: string): Decimal | undefined {
  const [, sign, whole = "", fraction = "", exponent = "0"] =
    /^(-?)(\d{1,400})(?:\.(\d{1,400}))?(?:e([+-]\d{1,3}))?$/.exec(written) ?? [];
  if (sign === undefined) return undefined;
  const digits = BigInt(`${sign}${whole}${fraction}`);
  const scale = fraction.length - Number(exponent);
  return scale < 0 ? { digits: digits * 10n ** BigInt(-scale), scale: 0 } : { digits, scale };
}

/** As JSON: whole numbers past 2⁵³ as text, exactly. */
export function writeDecimal(decimal: Decimal, filter: string): Json {
  const { digits, scale } = normalize(decimal);
  const text = magnitude(digits).toString();
  if (text.length - scale > mostDigits)
    throw new ValueFault(`${filter} gives a number of more than ${mostDigits} digits`);
  if (scale === 0) return exactNumber(digits);
  if (text.length - scale > 15) throw new ValueFault(`${filter} gives a number too large to keep its decimals exactly`);
  return Number(`${digits}e-${scale}`);
}

export function plus(a: Decimal, b: Decimal): Decimal {
  const scale = Math.max(a.scale, b.scale);
  return { digits: raise(a, scale) + raise(b, scale), scale };
}

export function minus(a: Decimal, b: Decimal): Decimal {
  return plus(a, { digits: -b.digits, scale: b.scale });
}

export function times(a: Decimal, b: Decimal): Decimal {
  return { digits: a.digits * b.digits, scale: a.scale + b.scale };
}

/** Exact where it comes out even, else to about 20 digits; `b` is not 0. */
export function divide(a: Decimal, b: Decimal): Decimal {
  const scale = Math.max(a.scale, b.scale);
  const [dividend, divisor] = [raise(a, scale), raise(b, scale)];
  if (dividend % divisor === 0n) return { digits: dividend / divisor, scale: 0 };
  const more = 20 + Math.max(0, magnitude(divisor).toString().length - magnitude(dividend).toString().length);
  return { digits: (dividend * 10n ** BigInt(more)) / divisor, scale: more };
}

/** To that many decimals; a half goes away from zero. */
export function round(decimal: Decimal, decimals: number): Decimal {
  if (decimal.scale <= decimals) return decimal;
  const unit = 10n ** BigInt(decimal.scale - decimals);
  const rounded = (magnitude(decimal.digits) * 2n + unit) / (unit * 2n);
  return { digits: decimal.digits < 0n ? -rounded : rounded, scale: decimals };
}

/** Below, at or above 0 as `a` is less than, equal to or greater than `b`. */
export function compareDecimals(a: Decimal, b: Decimal): number {
  const { digits } = minus(a, b);
  return digits < 0n ? -1 : digits > 0n ? 1 : 0;
}

/** Without zeros at the end of the fraction: scale 0 is a whole number. */
export function normalize({ digits, scale }: Decimal): Decimal {
  let [left, places] = [digits, scale];
  while (places > 0 && left % 10n === 0n) [left, places] = [left / 10n, places - 1];
  return { digits: left, scale: places };
}

function raise({ digits, scale }: Decimal, to: number): bigint {
  return digits * 10n ** BigInt(to - scale);
}

function magnitude(value: bigint): bigint {
  return value < 0n ? -value : value;
}
