import type { Lookup, PathSegment } from "../definition/expressions.ts";
import type { ParallelStep, PlanStep } from "../definition/plan.ts";
import { isJsonObject, type Json, type JsonObject } from "../json.ts";
import { fromParts, readPath, type KnownRow } from "./known-rows.ts";
import { longListOf } from "./long-lists.ts";
import type { PlanIndex } from "./plan-index.ts";

/** Values that every expression may read, whatever step it stands in. */
export interface RunFacts {
  readonly settings: JsonObject;
  readonly run: JsonObject;
  readonly workspace: JsonObject;
}

/** What a lookup reads: rows by their names, items by their loops' ids. */
export interface Readable {
  readonly facts: RunFacts;
  readonly trigger: ReadonlyMap<string, Json>;
  row(name: string): KnownRow | undefined;
  /** An item's value, and its number. */
  item?(loop: string): { readonly value: Json; readonly index: number };
}

/**
 * Reads paths out of what is known. A path through null or through something that is not an object or
 * a list is missing (undefined), never null.
 */
export function createLookup(known: Readable, index: PlanIndex, node: number): Lookup {
  const around = index.loopsOf.get(node) ?? [];
  const { facts } = known;
  return (path) => {
    const [root, ...rest] = path;
    switch (root) {
      case "trigger":
        return fromParts(known.trigger, rest);
      case "settings":
        return readPath(facts.settings, rest);
      case "run":
        return readPath(facts.run, rest);
      case "workspace":
        return readPath(facts.workspace, rest);
      case "error":
        return readPath(known.row(index.handlerOf.get(node) ?? "")?.error, rest);
      case undefined:
        return undefined;
      default:
        if (typeof root !== "string") return undefined;
        if (!around.includes(root)) return stepValue(root, rest, index, known.row);
        return itemValue(index.byId.get(root), known.item?.(root) ?? { value: null, index: 0 }, rest);
    }
  };
}

/** In a loop: the item, or the batch of items, and its number. */
function itemValue(
  step: PlanStep | undefined,
  { value, index }: { value: Json; index: number },
  rest: readonly PathSegment[],
): Json | undefined {
  const name = step?.control === "iterator" && step.open.batch !== undefined ? "items" : "item";
  return readPath({ [name]: value, index }, rest);
}

function stepValue(
  id: string,
  rest: readonly PathSegment[],
  index: PlanIndex,
  row: (path: string) => KnownRow | undefined,
): Json | undefined {
  const step = index.byId.get(id);
  if (step?.control === "branch") return branchValue(id, rest, row);
  if (step?.control === "parallel") return parallelValue(step, rest, row);
  const own = row(id);
  if (step === undefined || own === undefined) return undefined;
  if (step.onError !== undefined) {
    if (rest[0] === "ok") return rest.length === 1 ? !hasFailed(own) : undefined;
    if (rest[0] === "error") return hasFailed(own) ? readPath(own.error, rest.slice(1)) : undefined;
  }
  const source = (hasFailed(own) ? row(`${id}.output`) : undefined) ?? own;
  const value = fromParts(source.parts, rest);
  if (rest.length > 0 || step.onError === undefined) return value;
  // A list, a number or text has no keys beside which these would stand.
  if (!hasFailed(own) && !isPlainObject(value)) return value;
  return hasFailed(own) ? { ...asObject(value), ok: false, error: own.error } : { ...asObject(value), ok: true };
}

/** Whether it is an object, and not what stands for a long list. */
function isPlainObject(value: Json | undefined): boolean {
  return isJsonObject(value) && longListOf(value) === undefined;
}

/** A step failed also where it is not known whether its target acted. */
function hasFailed({ status }: KnownRow): boolean {
  return status === "failed" || status === "outcome-unknown";
}

/** A branch gives which one was taken, and what it handed out. */
function branchValue(
  id: string,
  rest: readonly PathSegment[],
  row: (path: string) => KnownRow | undefined,
): Json | undefined {
  const handedOut = row(`${id}.output`);
  if (rest[0] === "output") return handedOut && fromParts(handedOut.parts, rest.slice(1));
  const own = row(id);
  if (own === undefined || rest.length > 0) return own && fromParts(own.parts, rest);
  return { ...asObject(fromParts(own.parts, [])), output: (handedOut && fromParts(handedOut.parts, [])) ?? null };
}

/** A parallel gives what its branches handed out, by their names. */
function parallelValue(
  { id, branches }: ParallelStep,
  [name, ...rest]: readonly PathSegment[],
  row: (path: string) => KnownRow | undefined,
): Json | undefined {
  const given = (branch: string, path: readonly PathSegment[]): Json | undefined => {
    const known = row(`${id}.${branch}.output`);
    return known && fromParts(known.parts, path);
  };
  if (name !== undefined) return given(String(name), rest);
  return Object.fromEntries(branches.map((branch) => [branch.name, given(branch.name, []) ?? null]));
}

function asObject(value: Json | undefined): JsonObject {
  return value !== undefined && isJsonObject(value) ? value : {};
}
