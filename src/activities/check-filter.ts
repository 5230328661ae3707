import { filterSql } from "../crm/filter.ts";
import type { CrmObject } from "../crm/objects.ts";
import { recordConditionSchema, unaryOperators, type RecordCondition } from "../definition/conditions.ts";
import { at as placeOf, StepError, type Issue } from "../errors.ts";
import { isJsonObject, type Json } from "../json.ts";
import { createStatement } from "../sql.ts";
import { holdsExpression } from "./record-step.ts";
import type { CheckContext } from "./step-kind.ts";

/**
 * What is wrong with a filter as written: unknown fields and options, values that a field cannot be
 * compared with. Each leaf is tried by itself; where an expression stands, only its field is.
 */
export function checkFilter(filter: Json | undefined, object: CrmObject, { objects, at }: CheckContext): Issue[] {
  if (filter === undefined || !isJsonObject(filter)) return [];
  return leavesOf(filter, at).flatMap(({ leaf, at: place }) => {
    const value = leaf["value"];
    const tried =
      value !== undefined && holdsExpression(value) ? { field: leaf["field"] ?? null, operator: "isNotEmpty" } : leaf;
    const parsed = recordConditionSchema.safeParse(tried);
    return parsed.success ? tryLeaf(parsed.data, { object, objects, at: place }) : [];
  });
}

/** What is wrong with an `onlyIf` as written: a filter, or `unchangedSince`, which only its result can tell. */
export function checkOnlyIf(onlyIf: Json | undefined, object: CrmObject, context: CheckContext): Issue[] {
  return isJsonObject(onlyIf) && Object.hasOwn(onlyIf, "unchangedSince") ? [] : checkFilter(onlyIf, object, context);
}

function tryLeaf(leaf: RecordCondition, { object, objects, at }: CheckContext & { object: CrmObject }): Issue[] {
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
