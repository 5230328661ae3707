import { parse } from "lossless-json";
import { StepError } from "../errors.ts";
import type { Json } from "../json.ts";

const maxDepth = 128;
/** A number that a double may not hold: many digits, or a large exponent. It may also stand in text; then nothing is lost but time. */
const perhapsInexact = /[:,[\s]-?\d{16}|\d[eE]\+?\d{3}/;
const half = /\p{Surrogate}/u;

/**
 * JSON of an outside API. Integers past 2^53 are text, exactly. What Postgres cannot keep (NUL, half of a
 * surrogate pair) becomes U+FFFD, and a key `__proto__` is left out: an answer is taken as it is, since
 * what it answers was done already. Throws StepError `invalid-response` for what is no JSON.
 */
export function parseJson(text: string): Json {
  try {
    const value: unknown = perhapsInexact.test(` ${text}`)
      ? parse(text, null, { parseNumber, onDuplicateKey: ({ newValue }) => newValue })
      : JSON.parse(text);
    return cleaned(value);
  } catch (error) {
    if (error instanceof StepError) throw error;
    // One of the two parsers recurses: nesting that outgrows the stack is far past our limit.
    const why = error instanceof RangeError ? "it is nested too deeply" : messageOf(error);
    throw new StepError("invalid-response", `The answer says that it is JSON, and is not: ${why}.`, { cause: error });
  }
}

function parseNumber(digits: string): number | string {
  const value = Number(digits);
  if (!Number.isFinite(value) || (!Number.isSafeInteger(value) && /^-?\d+$/.test(digits))) return digits;
  return value;
}

/** Mends it in place, without recursion. */
function cleaned(value: unknown): Json {
  const root = { value };
  const pending: Array<{ holder: object; depth: number }> = [{ holder: root, depth: 0 }];
  for (let place = pending.pop(); place !== undefined; place = pending.pop()) {
    const { holder, depth } = place;
    if (depth > maxDepth)
      throw new StepError("invalid-response", `The answer is nested more than ${maxDepth} levels deep.`);
    for (const [key, part] of Object.entries(holder)) {
      if (typeof part === "object" && part !== null) pending.push({ holder: part, depth: depth + 1 });
      else if (typeof part === "string" && isUnkept(part)) Reflect.set(holder, key, storable(part));
      if (isUnkept(key) || key === "__proto__") renameKey(holder, key);
    }
  }
  // Every value in it has just been seen; the parsers give nothing but JSON.
  return root.value as Json;
}

function renameKey(holder: object, key: string): void {
  const value: unknown = Object.getOwnPropertyDescriptor(holder, key)?.value;
  Reflect.deleteProperty(holder, key);
  if (key !== "__proto__") Reflect.set(holder, storable(key), value);
}

function isUnkept(text: string): boolean {
  return text.includes("\0") || half.test(text);
}

/** Text as Postgres can keep it. */
export function storable(text: string): string {
  return text.toWellFormed().replaceAll("\0", "\u{fffd}");
}

/** Without what the parser shows of the text: that may be a piece of a secret, which nobody would know again. */
function messageOf(error: unknown): string {
  const said = error instanceof Error ? error.message : "it cannot be read";
  return said.replace(/, (\.\.\.)?".*$/s, "").slice(0, 200);
}
