import { at as placeOf, type Issue } from "../errors.ts";
import { isJsonObject, type Json } from "../json.ts";
import type { Place } from "./expressions/escape.ts";
import { evaluateChain, renderText, writePath, type Evaluation } from "./expressions/evaluate.ts";
import { parse, SyntaxFault, type Chain, type Operand, type Parsed, type PathSegment } from "./expressions/parse.ts";
import { ValueFault } from "./expressions/values.ts";

export type { Place } from "./expressions/escape.ts";
export type { Evaluation, Lookup } from "./expressions/evaluate.ts";
export type { PathSegment } from "./expressions/parse.ts";
export { filterNames } from "./expressions/filters.ts";

/** A path that an expression reads. */
export interface Reference {
  /** The fixed beginning of the path; `path[0]` is its root. */
  readonly path: readonly PathSegment[];
  /** A `default` or `optional` stands there: it may be missing. */
  readonly tolerant: boolean;
  /** The value in the definition that holds it. */
  readonly at: string;
}

/** Something that holds expressions, compiled once and evaluated often. */
export interface Compiled<T = Json | undefined> {
  readonly references: readonly Reference[];
  /** Throws ExpressionError. Undefined: `optional` dropped the whole. */
  evaluate(evaluation: Evaluation): T;
}

export interface CompileOptions {
  /** The value's place in the definition: `steps[1].input`. */
  readonly at: string;
  readonly place?: Place;
  /** Places by top-level key of the value. */
  readonly places?: Readonly<Record<string, Place>>;
  readonly optional: "allowed" | "refused";
  /** Top-level keys under which `optional` is refused. */
  readonly strict?: readonly string[];
}

/** An expression that could not be evaluated; the message names the place in the definition. */
export class ExpressionError extends Error {
  override readonly name = "ExpressionError";
  readonly code = "expression";
  readonly at: string;

  constructor(at: string, message: string, options?: { cause?: unknown }) {
    super(`${at}: ${message}.`, options);
    this.at = at;
  }
}

/** Names that a step's id may not have: the roots of expressions, and Liquid's own words. */
export const reservedWords: ReadonlySet<string> = new Set(
  (
    "settings trigger run workspace now error secrets each output true false nil null empty blank and or not contains in " +
    "for endfor if endif elsif else unless endunless case endcase when forloop break continue assign with reversed limit offset"
  ).split(" "),
);

/** Longest text that an expression may make, in bytes of UTF-8. */
const mostTextBytes = 1_048_576;

type Node = (evaluation: Evaluation) => Json | undefined;

interface Compiling {
  readonly references: Reference[];
  readonly issues: Issue[];
}

interface Spot {
  readonly at: string;
  readonly place: Place;
  readonly optional: boolean;
}

/** Compiles a JSON value in which text may hold expressions; what is wrong with them comes as issues. */
export function compileValue(
  source: Json,
  options: CompileOptions,
): { readonly compiled: Compiled; readonly issues: readonly Issue[] } {
  const compiling: Compiling = { references: [], issues: [] };
  const root: Spot = { at: options.at, place: options.place ?? "data", optional: options.optional === "allowed" };
  const evaluate = isJsonObject(source)
    ? compileTop(source, root, options, compiling)
    : compileAny(source, root, compiling);
  return { compiled: { references: compiling.references, evaluate }, issues: compiling.issues };
}

function compileTop(source: { [key: string]: Json }, root: Spot, options: CompileOptions, compiling: Compiling): Node {
  return compileObject(source, compiling, (key) => ({
    at: placeOf(root.at, key),
    place: options.places?.[key] ?? root.place,
    optional: root.optional && options.strict?.includes(key) !== true,
  }));
}

function compileAny(source: Json, spot: Spot, compiling: Compiling): Node {
  if (typeof source === "string") return compileText(source, spot, compiling);
  if (Array.isArray(source)) return compileList(source, spot, compiling);
  if (isJsonObject(source)) return compileObject(source, compiling, (key) => ({ ...spot, at: placeOf(spot.at, key) }));
  return () => source;
}

function compileObject(source: { [key: string]: Json }, compiling: Compiling, spotOf: (key: string) => Spot): Node {
  const entries = Object.entries(source).map(
    ([key, value]) => [key, compileAny(value, spotOf(key), compiling)] as const,
  );
  return (evaluation) => {
    const result: { [key: string]: Json } = {};
    for (const [key, evaluate] of entries) {
      const value = evaluate(evaluation);
      if (value !== undefined) result[key] = value;
    }
    return result;
  };
}

function compileList(source: readonly Json[], spot: Spot, compiling: Compiling): Node {
  const items = source.map((item, position) =>
    compileAny(item, { ...spot, at: placeOf(spot.at, position) }, compiling),
  );
  return (evaluation) => items.map((evaluate) => evaluate(evaluation)).filter((item) => item !== undefined);
}

function compileText(source: string, spot: Spot, compiling: Compiling): Node {
  if (!source.includes("{{") && !source.includes("{%")) return () => source;
  const parsed = parseAt(source, spot, compiling);
  if (parsed === undefined) return () => null;
  collectReferences(parsed, spot.at, compiling);
  const whole = parsed.kind === "parts" && parsed.parts.length === 1 ? parsed.parts[0] : undefined;
  checkOptional(parsed, whole !== undefined, spot, compiling);
  if (whole !== undefined && typeof whole !== "string" && spot.place === "data")
    return guarded(spot.at, (evaluation) => evaluateChain(whole, evaluation));
  if (whole !== undefined && typeof whole !== "string" && lastFilter(whole) === "optional") {
    return guarded(spot.at, (evaluation) =>
      evaluateChain(whole, evaluation) === undefined ? undefined : limited(renderText(parsed, spot.place, evaluation)),
    );
  }
  return guarded(spot.at, (evaluation) => limited(renderText(parsed, spot.place, evaluation)));
}

function parseAt(source: string, spot: Spot, { issues }: Compiling): Parsed | undefined {
  try {
    return parse(source, { tags: spot.place === "text" || spot.place === "html" });
  } catch (error) {
    if (!(error instanceof SyntaxFault)) throw error;
    issues.push({ path: spot.at, message: error.message });
    return undefined;
  }
}

function guarded(at: string, evaluate: Node): Node {
  return (evaluation) => {
    try {
      return evaluate(evaluation);
    } catch (error) {
      if (error instanceof ExpressionError) throw error;
      throw new ExpressionError(at, sentenceOf(error), { cause: error });
    }
  };
}

/** A fault's own sentence; Liquid's, which come from tags, without its code frames. */
function sentenceOf(error: unknown): string {
  const inner =
    error instanceof Error && "originalError" in error && error.originalError instanceof Error
      ? error.originalError
      : error;
  if (inner instanceof ValueFault) return inner.message;
  if (inner instanceof RangeError) return "the expression nests too deeply";
  const said = inner instanceof Error ? (inner.message.split("\n")[0] ?? "") : String(inner);
  const undefinedName = /^undefined variable: ([^,]+)/.exec(said)?.[1];
  return undefinedName === undefined ? said.replace(/, line:\d+, col:\d+$/, "") : `${undefinedName} is missing`;
}

function limited(text: string): string {
  if (text.length > mostTextBytes || Buffer.byteLength(text) > mostTextBytes) {
    throw new ValueFault("the text is longer than 1 MiB. Pass large values by reference, as exactly one path");
  }
  return text;
}

function checkOptional(parsed: Parsed, isWhole: boolean, spot: Spot, { issues }: Compiling): void {
  for (const chain of chainsOf(parsed)) {
    const position = chain.filters.findIndex(({ name }) => name === "optional");
    if (position < 0) continue;
    if (!spot.optional)
      issues.push({
        path: spot.at,
        message: `"| optional" is refused here, since leaving the value out would change what is asked; use "| default: …"`,
      });
    else if (!isWhole)
      issues.push({
        path: spot.at,
        message: `"| optional" stands only in a value that is one expression; inside longer text use "| default: ''"`,
      });
    else if (position !== chain.filters.length - 1)
      issues.push({ path: spot.at, message: `"| optional" must be the last filter` });
  }
  if (spot.place === "url" && chainsOf(parsed).some(({ filters }) => filters.some(({ name }) => name === "raw"))) {
    issues.push({ path: spot.at, message: `"| raw" is refused in URLs` });
  }
}

function lastFilter(chain: Chain): string | undefined {
  return chain.filters.at(-1)?.name;
}

function chainsOf(parsed: Parsed): Chain[] {
  return parsed.kind === "parts"
    ? parsed.parts.filter((part) => typeof part !== "string")
    : [...parsed.outputs.values()];
}

function collectReferences(parsed: Parsed, at: string, { references }: Compiling): void {
  if (parsed.kind === "tags") {
    for (const path of parsed.paths) references.push({ path, tolerant: isTolerated(parsed, path), at });
    return;
  }
  for (const chain of chainsOf(parsed)) {
    const tolerant = isTolerant(chain);
    collectPath(chain.operand, tolerant, at, references);
    for (const filter of chain.filters) {
      for (const arg of filter.args) collectPath(arg, filter.name === "default", at, references);
    }
  }
}

function isTolerant(chain: Chain): boolean {
  return chain.filters.some(({ name }) => name === "default" || name === "optional");
}

/** In a text with tags: every output that reads the path has a `default`. */
function isTolerated(parsed: Extract<Parsed, { kind: "tags" }>, path: readonly PathSegment[]): boolean {
  const wanted = path.join(".");
  const readers = [...parsed.outputs.values()].filter(
    ({ operand }) => operand.kind === "path" && writePath(operand) === wanted,
  );
  return readers.length > 0 && readers.every(isTolerant);
}

function collectPath(operand: Operand, tolerant: boolean, at: string, references: Reference[]): void {
  if (operand.kind === "literal") return;
  const fixed: PathSegment[] = [];
  for (const segment of operand.segments) {
    if (typeof segment === "object") break;
    fixed.push(segment);
  }
  for (const segment of operand.segments)
    if (typeof segment === "object") collectPath(segment, tolerant, at, references);
  if (!(fixed.length === 1 && fixed[0] === "now")) references.push({ path: fixed, tolerant, at });
}
