import type { Json } from "../../json.ts";
import type { Place } from "./escape.ts";
import { filters } from "./filters.ts";
import { sizeOf, type Meter } from "./meter.ts";
import { secretsRoot, type SecretMarks } from "./secrets.ts";
import { writeOperand, type Chain, type Operand, type Path, type PathSegment } from "./syntax.ts";
import { isHidden, MissingFault, property, ValueFault, type Value } from "./values.ts";

/** Gives the value at a path; undefined: missing. A path through null is missing. */
export type Lookup = (path: readonly PathSegment[]) => Json | undefined;

export interface Evaluation {
  readonly lookup: Lookup;
  /** IANA zone in which dates are reckoned where none is named. */
  readonly timeZone: string;
  readonly now: Date;
  /** What came of expressions' first filters over lists that are read page by page. */
  readonly ahead?: ReadonlyMap<Chain, ReadAhead> | undefined;
  /** Gives what stands for a secret until the call is made; where it is not given, secrets are missing. */
  readonly secret?: SecretMarks["mark"] | undefined;
}

/** What came of an expression's first filters before it is evaluated: their value and how many they are. */
export type ReadAhead = { readonly value: Json; readonly filters: number } | { readonly fault: ValueFault };

/** An evaluation under way. */
export interface Scope extends Evaluation, Meter {
  /** Names that a `for` made, innermost first. */
  readonly locals?: Locals;
  /** Where the text under way stands; given where it holds secrets. */
  readonly place?: Place;
}

export interface Locals {
  readonly values: { readonly [name: string]: Json };
  readonly outer: Locals | undefined;
}

/** One expression's value; undefined when `optional` dropped it. Throws ValueFault. */
export function evaluateChain(chain: Chain, scope: Scope): Value {
  const { operand } = chain;
  const ahead = scope.ahead?.get(chain);
  if (ahead !== undefined && "fault" in ahead) throw ahead.fault;
  let value = ahead === undefined ? valueOf(operand, scope) : ahead.value;
  for (const [position, { name, args }] of chain.filters.entries()) {
    if (name === "raw" || position < (ahead?.filters ?? 0)) continue;
    if (value === undefined || value === null) {
      if (name === "optional") return undefined;
      if (name === "default") {
        value = args[0] && valueOf(args[0], scope);
        continue;
      }
      if (isRescued(chain, position)) continue;
      if (value === undefined) throw missing(chain);
    }
    if (name !== "optional" && name !== "default") value = applyFilter(name, value, args, scope);
  }
  if (value === undefined) throw missing(chain);
  return value;
}

/** Whether a later `default` or `optional` decides what becomes of a value that is missing or null. */
function isRescued(chain: Chain, position: number): boolean {
  return chain.filters.slice(position).some(({ name }) => name === "default" || name === "optional");
}

function applyFilter(name: string, value: Json, args: readonly Operand[], scope: Scope): Json {
  const filter = filters[name];
  if (filter === undefined) throw new ValueFault(`unknown filter "${name}"`);
  const resolved = args.map((arg) => {
    const argument = valueOf(arg, scope);
    if (argument === undefined) throw new MissingFault(writeOperand(arg));
    return argument;
  });
  scope.spend(resolved.reduce<number>((work, argument) => work + sizeOf(argument), 1 + sizeOf(value)));
  const result = filter.run(value, resolved, scope);
  scope.spend(sizeOf(result));
  return result;
}

/** An operand's value; undefined: missing. */
export function valueOf(operand: Operand, scope: Scope): Value {
  if (operand.kind === "literal") return operand.value;
  const path = operand.fixed ?? resolvePath(operand, scope);
  if (path === undefined || path.some(isHidden)) return undefined;
  const [root] = path;
  for (let locals = scope.locals; locals !== undefined; locals = locals.outer) {
    if (typeof root === "string" && Object.hasOwn(locals.values, root))
      return path.slice(1).reduce<Value>(property, locals.values[root]);
  }
  if (root === "now" && path.length === 1) return scope.now.toISOString();
  if (root === secretsRoot) return secretAt(path, scope);
  return scope.lookup(path);
}

function secretAt([, name, ...rest]: readonly PathSegment[], { secret, place = "data" }: Scope): Value {
  return typeof name === "string" && rest.length === 0 ? secret?.(name, place) : undefined;
}

/** An operand's value, which must be there. */
export function presentValue(operand: Operand, scope: Scope): Json {
  const value = valueOf(operand, scope);
  if (value === undefined) throw new MissingFault(writeOperand(operand));
  return value;
}

/** The path with the segments that are paths themselves resolved; undefined when one of them is missing. */
export function resolvePath(operand: Path, scope: Scope): PathSegment[] | undefined {
  const path: PathSegment[] = [];
  for (const segment of operand.segments) {
    const value = typeof segment === "object" ? valueOf(segment, scope) : segment;
    if (typeof value !== "string" && typeof value !== "number") return undefined;
    path.push(value);
  }
  return path;
}

/** Names what was missing; with a `default` that gave nothing, also what should have stood in. */
function missing({ operand, filters }: Chain): MissingFault {
  const paths = [operand, ...filters.filter(({ name }) => name === "default").flatMap(({ args }) => args)];
  return new MissingFault(
    paths
      .filter(({ kind }) => kind === "path")
      .map(writeOperand)
      .join(" and "),
  );
}
