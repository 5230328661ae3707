import { recordConditionSchema, unaryOperators, type RecordCondition } from "../definition/conditions.ts";
import { at as placeOf, StepError, type Issue } from "../errors.ts";
import { isJsonObject, type Json, type JsonObject } from "../json.ts";
import { createStatement } from "../sql.ts";
import { filterSql } from "./filter.ts";
import type { CrmObject, Objects } from "./objects.ts";

interface Checked {
  readonly objects: Objects;
  readonly object: CrmObject;
  /** Place of the filter. */
  readonly at: string;
  /** What is tried in place of a leaf, e.g. where an expression stands in it. Default: the leaf. */
  tried?(leaf: JsonObject): JsonObject;
}

/**
 * What is wrong with a filter that has the right shape: unknown fields and options, values that a field
 * cannot be compared with. Each leaf is tried by itself, so that every fault has its place.
 */
export function faultsOfFilter(filter: Json, { objects, object, at, tried = (leaf) => leaf }: Checked): Issue[] {
  return leavesOf(filter, at).flatMap(({ leaf, at: place }) => {
    const parsed = recordConditionSchema.safeParse(tried(leaf));
    return parsed.success ? tryLeaf(parsed.data, { object, objects, at: place }) : [];
  });
}

function tryLeaf(leaf: RecordCondition, { object, objects, at }: Checked): Issue[] {
  if ("operator" in leaf && !unaryOperators.has(leaf.operator) && leaf.value === undefined) return [];
  try {
    filterSql(leaf, { statement: createStatement(), objects, object, alias: "t", at, days: "refused" });
    return [];
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    return [{ path: at, message: error.message.slice(at.length + 2).replace(/\.$/, "") }];
  }
}

type Found = { leaf: { [key: string]: Json }; at: string };

function leavesOf(node: Json, at: string): Found[] {
  if (!isJsonObject(node)) return [];
  for (const key of ["all", "any"] as const) {
    const items = node[key];
    if (Array.isArray(items)) return items.flatMap((item, i) => leavesOf(item, placeOf(placeOf(at, key), i)));
  }
  if (node["not"] !== undefined) return leavesOf(node["not"], placeOf(at, "not"));
  return [{ leaf: node, at }];
}
