import { parse } from "lossless-json";
import { ProblemError } from "../../errors.ts";
import type { Json } from "../../json.ts";
import { checkJson } from "./check-json.ts";
import { malformed } from "./malformed.ts";

/**
 * JSON from outside, read strictly: 400 for what is not JSON, for a key given twice with different
 * values, for numbers past a double, and for what `checkJson` refuses. Integers past 2^53 become text,
 * exactly (DEFINITION.md, "Finer points"); with `exactly`, so do decimals of which a double loses digits.
 */
export function parseJson(text: string, { exactly = false } = {}): Json {
  if (text.trim() === "") throw malformed("The body is empty, where JSON is expected.");
  try {
    return checkJson(parse(text, null, { parseNumber: exactly ? parseExactly : parseNumber }));
  } catch (error) {
    if (error instanceof ProblemError) throw error;
    // The parser recurses: nesting that outgrows the stack is a RangeError, and far past our limit.
    if (error instanceof RangeError) throw malformed("The body is nested too deeply.", error);
    throw malformed(`The body is not valid JSON: ${error instanceof Error ? error.message : String(error)}.`, error);
  }
}

function parseNumber(digits: string): number | string {
  const value = Number(digits);
  if (!Number.isFinite(value)) throw malformed(`The number ${shorten(digits)} is too large. Send it as text.`);
  if (!Number.isSafeInteger(value) && /^-?\d+$/.test(digits)) return digits;
  return value;
}

/** As `parseNumber`, and a decimal stays what was sent: as text where a double is another number. */
function parseExactly(digits: string): number | string {
  const value = parseNumber(digits);
  const isDecimal = typeof value === "number" && /^-?\d+\.\d+$/.test(digits);
  return isDecimal && digits.length > digitsOfDouble && withoutZeros(digits) !== String(value) ? digits : value;
}

/** Digits that a double holds for certain, with a sign and the point. */
const digitsOfDouble = 17;

function withoutZeros(digits: string): string {
  return digits.replace(/\.?0+$/, "");
}

function shorten(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
