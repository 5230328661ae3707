import type { Context, Output, Template } from "liquidjs";
import type { Json } from "../../json.ts";
import { asText, escapeFor, type Place } from "./escape.ts";
import { filters } from "./filters.ts";
import { liquid, type Chain, type Operand, type Parsed, type PathSegment } from "./parse.ts";
import { property, ValueFault, type Value } from "./values.ts";

/** Gives the value at a path; undefined: missing. A path through null is missing. */
export type Lookup = (path: readonly PathSegment[]) => Json | undefined;

export interface Evaluation {
  readonly lookup: Lookup;
  /** IANA zone in which dates are reckoned where none is named. */
  readonly timeZone: string;
  readonly now: Date;
}

/** One `{{ … }}`: its value; undefined when `optional` dropped it. Throws ValueFault. */
export function evaluateChain(chain: Chain, evaluation: Evaluation): Value {
  const { operand } = chain;
  let value = valueOf(operand, evaluation);
  for (const [position, { name, args }] of chain.filters.entries()) {
    if (name === "raw") continue;
    if (name === "optional") {
      if (value === undefined || value === null) return undefined;
    } else if (name === "default") {
      if (value === undefined || value === null)
        value = args[0] === undefined ? null : (valueOf(args[0], evaluation) ?? undefined);
    } else if ((value === undefined || value === null) && rescued(chain, position)) {
      continue;
    } else {
      if (value === undefined) throw missing(operand);
      value = applyFilter(name, value, args, evaluation);
    }
  }
  if (value === undefined) throw missing(operand);
  return value;
}

/** Whether a later `default` or `optional` decides what a missing or null value becomes. */
function rescued(chain: Chain, from: number): boolean {
  return chain.filters.slice(from).some(({ name }) => name === "default" || name === "optional");
}

function applyFilter(name: string, value: Value, args: readonly Operand[], evaluation: Evaluation): Json {
  const filter = filters[name];
  if (filter === undefined) throw new ValueFault(`unknown filter "${name}"`);
  const resolved = args.map((arg) => {
    const argument = valueOf(arg, evaluation);
    if (argument === undefined) throw missing(arg);
    return argument;
  });
  return filter.run(value, resolved, evaluation);
}

function valueOf(operand: Operand, evaluation: Evaluation): Value {
  if (operand.kind === "literal") return operand.value;
  const path = pathOf(operand, evaluation);
  if (path === undefined) return undefined;
  if (path.length === 1 && path[0] === "now") return evaluation.now.toISOString();
  return evaluation.lookup(path);
}

/** The path with its dynamic segments resolved; undefined when one of them is missing. */
function pathOf(operand: Extract<Operand, { kind: "path" }>, evaluation: Evaluation): PathSegment[] | undefined {
  const path: PathSegment[] = [];
  for (const segment of operand.segments) {
    if (typeof segment !== "object") {
      path.push(segment);
      continue;
    }
    const value = valueOf(segment, evaluation);
    if (typeof value !== "string" && typeof value !== "number") return undefined;
    path.push(value);
  }
  return path;
}

function missing(operand: Operand): ValueFault {
  return new ValueFault(
    `${writePath(operand)} is missing. Add "| optional" to leave the key out, or "| default: …" to say what stands in`,
  );
}

/** A path as people write it. */
export function writePath(operand: Operand): string {
  if (operand.kind === "literal") return JSON.stringify(operand.value);
  return operand.segments
    .map((segment, position) => {
      if (typeof segment === "object") return `[${writePath(segment)}]`;
      if (typeof segment === "number") return `[${segment}]`;
      if (!/^[\w-]+$/.test(segment)) return `[${JSON.stringify(segment)}]`;
      return position === 0 ? segment : `.${segment}`;
    })
    .join("");
}

/** Text with expressions in it, escaped for its place. Throws ValueFault. */
export function renderText(parsed: Parsed, place: Place, evaluation: Evaluation): string {
  if (parsed.kind === "parts") {
    return parsed.parts
      .map((part) => (typeof part === "string" ? part : renderChain(part, place, evaluation)))
      .join("");
  }
  return renderTags(parsed, place, evaluation);
}

function renderChain(chain: Chain, place: Place, evaluation: Evaluation): string {
  const value = evaluateChain(chain, evaluation);
  if (value === undefined) throw missing(chain.operand);
  return escapeFor(
    place,
    asText(value),
    chain.filters.some(({ name }) => name === "raw"),
  );
}

/**
 * Liquid walks the tags; every output inside them is ours. Names that a `for` made are read from
 * Liquid's scopes, all others by the lookup.
 */
function renderTags(parsed: Extract<Parsed, { kind: "tags" }>, place: Place, evaluation: Evaluation): string {
  const render = (output: Output, context: Context): string => {
    const chain = parsed.outputs.get(output);
    if (chain === undefined) throw new ValueFault("an expression inside a tag was not prepared");
    return renderChain(chain, place, { ...evaluation, lookup: (path) => localValue(context, path, evaluation.lookup) });
  };
  for (const output of parsed.outputs.keys()) {
    output.render = (context, emitter) => {
      emitter.write(render(output, context));
      return [].values();
    };
  }
  return String(liquid.renderSync(parsed.templates as Template[], createRoots(parsed.paths, evaluation)));
}

function localValue(context: Context, path: readonly PathSegment[], lookup: Lookup): Json | undefined {
  const [root, ...rest] = path;
  for (const scope of context["scopes"].toReversed()) {
    if (typeof root !== "string" || !Object.hasOwn(scope, root)) continue;
    let value = (scope as { [name: string]: Value })[root];
    for (const segment of rest) value = property(value, segment);
    return value;
  }
  return lookup(path);
}

/** What Liquid itself reads: the paths in the conditions of `if` and `case` and the list of a `for`. */
function createRoots(paths: ReadonlyArray<readonly PathSegment[]>, { lookup, now }: Evaluation): object {
  const roots: { [name: string]: unknown } = Object.create(null);
  for (const path of paths) {
    const value = path.length === 1 && path[0] === "now" ? now.toISOString() : lookup(path);
    if (value !== undefined) place(roots, path, value);
  }
  return roots;
}

function place(roots: { [name: string]: unknown }, path: readonly PathSegment[], value: Json): void {
  let at = roots;
  for (const segment of path.slice(0, -1)) {
    const next = Object.hasOwn(at, segment) ? at[segment] : undefined;
    if (typeof next === "object" && next !== null) at = next as { [name: string]: unknown };
    else at = at[segment] = Object.create(null) as { [name: string]: unknown };
  }
  const last = path.at(-1);
  if (last !== undefined && !Object.hasOwn(at, last)) at[last] = value;
}
