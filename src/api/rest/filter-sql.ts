import { filterSql, findTarget, type Target } from "../../crm/filter.ts";
import type { CrmObject, Objects } from "../../crm/objects.ts";
import type { Operator } from "../../definition/conditions.ts";
import { ProblemError, StepError } from "../../errors.ts";
import type { Json } from "../../json.ts";
import type { Statement } from "../../sql.ts";
import type { Comparator, FilterNode } from "./filter-syntax.ts";

interface Context {
  readonly statement: Statement;
  readonly objects: Objects;
  readonly object: CrmObject;
  readonly alias: string;
}

/** Comparators that mean what an operator of ours means. */
const operators: Partial<Record<Comparator, Operator>> = {
  eq: "equals",
  neq: "notEquals",
  in: "in",
  gt: "greaterThan",
  gte: "greaterThanOrEqual",
  lt: "lessThan",
  lte: "lessThanOrEqual",
  startsWith: "startsWith",
  endsWith: "endsWith",
};

/** SQL for Twenty's filter over the alias. Throws a 400 for unknown fields and values that do not fit. */
export function restFilterSql(node: FilterNode, context: Context): string {
  switch (node.kind) {
    case "and":
      return `(${node.items.map((item) => restFilterSql(item, context)).join(" and ")})`;
    case "or":
      return `(${node.items.map((item) => restFilterSql(item, context)).join(" or ")})`;
    case "not":
      return `not coalesce((${node.items.map((item) => restFilterSql(item, context)).join(" and ")}), false)`;
    case "leaf":
      return leafSql(node, context);
  }
}

function leafSql(leaf: Extract<FilterNode, { kind: "leaf" }>, context: Context): string {
  const { comparator, path } = leaf;
  try {
    const target = findTarget(context.object, path, context.alias, "filter");
    if (comparator === "is") return nullSql(leaf.value, target);
    if (comparator === "containsAny") return containsAnySql(leaf.value, target, context);
    if (comparator === "like" || comparator === "ilike") return likeSql(comparator, leaf.value, { target, context });
    const value = Array.isArray(leaf.value)
      ? leaf.value.map((item) => valueOf(item, target))
      : valueOf(String(leaf.value), target);
    const operator = operators[comparator] ?? "equals";
    return filterSql({ field: path.join("."), operator, value }, { ...context, at: "filter" });
  } catch (error) {
    if (error instanceof StepError) throw new ProblemError(400, "invalid-filter", error.message, { cause: error });
    throw error;
  }
}

/** The text of the parameter as the type it is compared as. */
function valueOf(text: string, { comparesAs }: Target): Json {
  if (comparesAs === "number" && /^-?\d+(\.\d+)?$/.test(text))
    return Number.isSafeInteger(Number(text)) || text.includes(".") ? Number(text) : text;
  if (comparesAs === "boolean" && /^(true|false)$/i.test(text)) return text.toLowerCase() === "true";
  return text;
}

function nullSql(value: string | readonly string[], { sql }: Target): string {
  const word = String(value).toUpperCase();
  if (word !== "NULL" && word !== "NOT_NULL")
    throw new ProblemError(400, "invalid-filter", `filter: "is" takes NULL or NOT_NULL, but got "${String(value)}".`);
  return `(${sql} is ${word === "NULL" ? "" : "not "}null)`;
}

function containsAnySql(
  value: string | readonly string[],
  { sql, comparesAs }: Target,
  { statement }: Context,
): string {
  if (comparesAs !== "list") throw new ProblemError(400, "invalid-filter", `filter: "containsAny" looks into lists.`);
  const items = Array.isArray(value) ? value : [value];
  return `exists (select 1 from jsonb_array_elements(${sql}) i where i in (select jsonb_array_elements(${statement.param(items, "jsonb")})))`;
}

/** `%` and `_` are the caller's wildcards here, as in Twenty. */
function likeSql(
  comparator: "like" | "ilike",
  value: string | readonly string[],
  { target, context }: { target: Target; context: Context },
): string {
  if (target.comparesAs !== "text")
    throw new ProblemError(400, "invalid-filter", `filter: "${comparator}" looks at text.`);
  return `${target.sql} ${comparator} ${context.statement.param(String(value), "text")}`;
}
