import { parse } from "lossless-json";
import { ProblemError } from "../../errors.ts";
import type { Json } from "../../json.ts";
import { checkJson } from "./check-json.ts";
import { malformed } from "./malformed.ts";

/**
 * JSON from outside, read strictly: 400 for what is not JSON, for a key given twice with different
 * values, for numbers past a double, and for what `checkJson` refuses. Integers past 2^53 become text,
 * exactly (DEFINITION.md, "Finer points").
 */
export function parseJson(text: string): Json {
  if (text.trim() === "") throw malformed("The body is empty, where JSON is expected.");
  try {
    return checkJson(parse(text, null, { parseNumber }));
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

function shorten(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
