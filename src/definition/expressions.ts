import { at as placeOf, type Issue } from "../errors.ts";
import { isJsonObject, type Json } from "../json.ts";
import type { Place } from "./expressions/escape.ts";
import { evaluateChain, type Evaluation, type Scope } from "./expressions/evaluate.ts";
import { createMeter } from "./expressions/meter.ts";
import { parse } from "./expressions/parse.ts";
import { chainsOf, readsOf, type Read } from "./expressions/references.ts";
import { render } from "./expressions/render.ts";
import { misuseSecrets, secretsRoot } from "./expressions/secrets.ts";
import { SyntaxFault, type Chain, type Parts, type PathSegment } from "./expressions/syntax.ts";
import { limited, MissingFault, ValueFault } from "./expressions/values.ts";

export { escapeFor, type Place } from "./expressions/escape.ts";
export type { Evaluation, Lookup, ReadAhead } from "./expressions/evaluate.ts";
export type { Chain, PathSegment } from "./expressions/syntax.ts";
export { filterNames } from "./expressions/filters.ts";
export { pathOf, readAhead, readsByPage, type ListSource } from "./expressions/read-ahead.ts";
export { createSecretMarks, secretsRoot, type SecretMarks, type SecretPart } from "./expressions/secrets.ts";

/** A path that an expression reads. */
export interface Reference {
  /** The fixed beginning of the path; `path[0]` is its root. */
  readonly path: readonly PathSegment[];
  /** A `default` or `optional` stands there: it may be missing. */
  readonly tolerant: boolean;
  /** The value in the definition that holds it. */
  readonly at: string;
}

/** How a path is read: by which expression, if it begins with it. */
export interface PlacedRead extends Read {
  /** The value in the definition that holds it. */
  readonly at: string;
}

/** Something that holds expressions, compiled once and evaluated often. */
export interface Compiled<T = Json | undefined> {
  readonly references: readonly Reference[];
  readonly reads: readonly PlacedRead[];
  /** Throws ExpressionError. Undefined: `optional` dropped the whole. */
  evaluate(evaluation: Evaluation): T;
}

export interface CompileOptions {
  /** The value's place in the definition: `steps[1].input`. */
  readonly at: string;
  /** How expressions in text are escaped; by default `data`: not at all. */
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
    "settings trigger run workspace now error secrets output constructor prototype " +
    "true false nil null empty blank and or not contains in " +
    "for endfor if endif elsif else unless endunless case endcase when forloop break continue assign with reversed limit offset"
  ).split(" "),
);

/** Gives the value of one part of the source; undefined when `optional` dropped it. */
type Node = (scope: Scope) => Json | undefined;

interface Compiling {
  readonly references: Reference[];
  readonly reads: PlacedRead[];
  readonly issues: Issue[];
}

/** Where a value stands, and what may stand there. */
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
  const compiling: Compiling = { references: [], reads: [], issues: [] };
  const root: Spot = { at: options.at, place: options.place ?? "data", optional: options.optional === "allowed" };
  const node = isJsonObject(source)
    ? compileObject(source, compiling, (key) => topSpot(key, root, options))
    : compileAny(source, root, compiling);
  const evaluate = (evaluation: Evaluation): Json | undefined => node({ ...evaluation, ...createMeter() });
  const { references, reads, issues } = compiling;
  return { compiled: { references, reads, evaluate }, issues };
}

function topSpot(key: string, root: Spot, { places, strict }: CompileOptions): Spot {
  const place = places !== undefined && Object.hasOwn(places, key) ? places[key] : undefined;
  return {
    at: placeOf(root.at, key),
    place: place ?? root.place,
    optional: root.optional && strict?.includes(key) !== true,
  };
}

function compileAny(source: Json, spot: Spot, compiling: Compiling): Node {
  if (spot.place === "verbatim") return () => source;
  if (typeof source === "string") return compileText(source, spot, compiling);
  if (Array.isArray(source)) return compileList(source, spot, compiling);
  if (isJsonObject(source)) return compileObject(source, compiling, (key) => ({ ...spot, at: placeOf(spot.at, key) }));
  return () => source;
}

function compileObject(source: { [key: string]: Json }, compiling: Compiling, spotOf: (key: string) => Spot): Node {
  const entries = Object.entries(source).map(([key, value]) => ({
    key,
    evaluate: compileAny(value, spotOf(key), compiling),
  }));
  if (Object.hasOwn(source, "__proto__"))
    compiling.issues.push({ path: spotOf("__proto__").at, message: `a key cannot be "__proto__"` });
  return (scope) => {
    const result: { [key: string]: Json } = {};
    for (const { key, evaluate } of entries) {
      const value = evaluate(scope);
      if (value !== undefined) result[key] = value;
    }
    return result;
  };
}

function compileList(source: readonly Json[], spot: Spot, compiling: Compiling): Node {
  const items = source.map((item, position) =>
    compileAny(item, { ...spot, at: placeOf(spot.at, position) }, compiling),
  );
  return (scope) => items.map((evaluate) => evaluate(scope)).filter((item) => item !== undefined);
}

function compileText(source: string, spot: Spot, compiling: Compiling): Node {
  if (!source.includes("{{") && !source.includes("{%")) return () => source;
  const parts = parseAt(source, spot, compiling);
  if (parts === undefined) return () => null;
  const reads = readsOf(parts);
  compiling.references.push(...reads.map(({ path, tolerant }) => ({ path, tolerant, at: spot.at })));
  compiling.reads.push(...reads.map((read) => ({ ...read, at: spot.at })));
  const evaluate = compileParts(parts, spot, compiling);
  if (!reads.some(({ path }) => path[0] === secretsRoot)) return evaluate;
  if (misuseSecrets(parts)) compiling.issues.push({ path: spot.at, message: secretsAsTheyAre });
  return (scope) => evaluate({ ...scope, place: spot.place });
}

function compileParts(parts: Parts, spot: Spot, compiling: Compiling): Node {
  const [first, ...others] = parts;
  const whole = typeof first === "object" && first.kind === "chain" && others.length === 0 ? first : undefined;
  compiling.issues.push(...misplaced(parts, whole, spot));
  if (whole === undefined) return guarded(spot, (scope) => render(parts, spot.place, scope));
  if (spot.place === "data") return guarded(spot, (scope) => keepType(whole, scope));
  // In a place for text a single expression is text too, unless it is dropped.
  const mayDrop = whole.filters.at(-1)?.name === "optional";
  return guarded(spot, (scope) =>
    mayDrop && evaluateChain(whole, scope) === undefined ? undefined : render(parts, spot.place, scope),
  );
}

/** A path is passed by reference, at any size; text that filters made is limited. */
function keepType(chain: Chain, scope: Scope): Json | undefined {
  const value = evaluateChain(chain, scope);
  return typeof value === "string" && chain.filters.length > 0 ? limited(value) : value;
}

function parseAt(source: string, spot: Spot, { issues }: Compiling): Parts | undefined {
  try {
    return parse(source, { tags: spot.place === "text" || spot.place === "html" });
  } catch (error) {
    if (!(error instanceof SyntaxFault)) throw error;
    issues.push({ path: spot.at, message: error.message });
    return undefined;
  }
}

/** Faults of evaluation with the place where they arose; anything else is not the expression's. */
function guarded(spot: Spot, evaluate: Node): Node {
  return (scope) => {
    try {
      return evaluate(scope);
    } catch (error) {
      if (!(error instanceof ValueFault)) throw error;
      throw new ExpressionError(spot.at, sentenceOf(error, spot), { cause: error });
    }
  };
}

function sentenceOf(error: ValueFault, { optional }: Spot): string {
  if (!(error instanceof MissingFault)) return error.message;
  const leaveOut = optional ? `"| optional" to leave the key out, or ` : "";
  return `${error.message} is missing. Add ${leaveOut}"| default: …" to say what stands in`;
}

const secretsAsTheyAre = `a secret is written {{ secrets.NAME }}, by a name of letters, digits and underscores: no filter takes it, and nothing can be asked of it`;

/** What is wrong with `optional` and `raw` where they stand. */
function misplaced(parts: Parts, whole: Chain | undefined, { at, place, optional }: Spot): Issue[] {
  const issues: Issue[] = [];
  for (const { filters } of chainsOf(parts)) {
    const position = filters.findIndex(({ name }) => name === "optional");
    if (position >= 0 && !optional)
      issues.push({
        path: at,
        message: `"| optional" is refused here, since leaving the value out would change what is asked; use "| default: …"`,
      });
    else if (position >= 0 && whole === undefined)
      issues.push({
        path: at,
        message: `"| optional" stands only in a value that is one expression; inside longer text use "| default: ''"`,
      });
    else if (position >= 0 && position < filters.length - 1)
      issues.push({ path: at, message: `"| optional" must be the last filter` });
    if ((place === "url" || place === "address") && filters.some(({ name }) => name === "raw"))
      issues.push({ path: at, message: `"| raw" is refused in URLs` });
  }
  return issues;
}
