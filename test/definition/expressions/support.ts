import {
  compileValue,
  type CompileOptions,
  type Evaluation,
  type PathSegment,
} from "../../../src/definition/expressions.ts";
import { isJsonObject, type Json } from "../../../src/json.ts";

export interface Surroundings extends Partial<CompileOptions> {
  readonly data?: { readonly [root: string]: Json };
  readonly timeZone?: string;
  readonly now?: string;
}

/** Evaluates a value in which nothing may be wrong; undefined: `optional` dropped it. */
export function evaluate(source: Json, surroundings: Surroundings = {}): Json | undefined {
  const { compiled, issues } = compile(source, surroundings);
  if (issues.length > 0) throw new Error(issues.map(({ path, message }) => `${path}: ${message}`).join("; "));
  return compiled.evaluate(evaluationOf(surroundings));
}

/** What is said when evaluating fails. */
export function failureOf(source: Json, surroundings: Surroundings = {}): string {
  try {
    return `nothing failed, but gave ${JSON.stringify(evaluate(source, surroundings))}`;
  } catch (error) {
    return error instanceof Error && error.name === "ExpressionError"
      ? error.message
      : `not an ExpressionError: ${String(error)}`;
  }
}

/** The issues that compiling finds, as `place: message`. */
export function issuesOf(source: Json, surroundings: Surroundings = {}): string[] {
  return compile(source, surroundings).issues.map(({ path, message }) => `${path}: ${message}`);
}

export function compile(source: Json, surroundings: Surroundings = {}): ReturnType<typeof compileValue> {
  const { data: _data, timeZone: _zone, now: _now, ...options } = surroundings;
  return compileValue(source, { at: "at", optional: "allowed", ...options });
}

export function evaluationOf({
  data = {},
  timeZone = "Europe/Berlin",
  now = "2026-11-24T12:00:00.000Z",
}: Surroundings): Evaluation {
  return { lookup: lookupIn(data), timeZone, now: new Date(now) };
}

/** Own properties only; a path through null or through something else than an object or a list is missing. */
function lookupIn(data: { readonly [root: string]: Json }): Evaluation["lookup"] {
  return (path: readonly PathSegment[]) => {
    let value: Json | undefined = { ...data };
    for (const key of path) {
      if (Array.isArray(value)) value = value[Number(key)];
      else value = value !== undefined && isJsonObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
    }
    return value;
  };
}

/** A pattern, or one that takes exactly this sentence. */
export function patternOf(expected: string | RegExp): RegExp {
  return typeof expected === "string" ? new RegExp(`^${expected.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")}$`) : expected;
}
