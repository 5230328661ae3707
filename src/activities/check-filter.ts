import { faultsOfFilter } from "../crm/filter-faults.ts";
import type { CrmObject } from "../crm/objects.ts";
import type { Issue } from "../errors.ts";
import { isJsonObject, type Json, type JsonObject } from "../json.ts";
import { holdsExpression } from "./record-step.ts";
import type { CheckContext } from "./step-kind.ts";

/** What is wrong with a filter as written. Where an expression stands for the value, only the field is looked at. */
export function checkFilter(filter: Json | undefined, object: CrmObject, { objects, at }: CheckContext): Issue[] {
  if (filter === undefined || !isJsonObject(filter)) return [];
  return faultsOfFilter(filter, { objects, object, at, tried: withoutExpression });
}

function withoutExpression(leaf: JsonObject): JsonObject {
  const value = leaf["value"];
  const isOpen = value !== undefined && holdsExpression(value);
  return isOpen ? { field: leaf["field"] ?? null, operator: "isNotEmpty" } : leaf;
}

/** What is wrong with an `onlyIf` as written: a filter, or `unchangedSince`, which only its result can tell. */
export function checkOnlyIf(onlyIf: Json | undefined, object: CrmObject, context: CheckContext): Issue[] {
  return isJsonObject(onlyIf) && Object.hasOwn(onlyIf, "unchangedSince") ? [] : checkFilter(onlyIf, object, context);
}
