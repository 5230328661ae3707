import type { Operator, RecordCondition } from "../definition/conditions.ts";
import type { Statement } from "../sql.ts";
import { compareSql, type Leaf } from "./compare.ts";
import type { CrmObject, Objects } from "./objects.ts";
import { findTarget, invalidFilter } from "./target.ts";

export { findTarget, type Target } from "./target.ts";

/** Relations that a path may follow. */
const mostRelations = 3;

export interface FilterContext {
  readonly statement: Statement;
  readonly objects: Objects;
  readonly object: CrmObject;
  readonly alias: string;
  /** Place of the condition, for faults. */
  readonly at: string;
  /** Whether a day may be compared with a moment, as its beginning. Default: it may. */
  readonly days?: "refused";
}

/**
 * SQL for a condition on records of `object`, over `alias`. Every value is a parameter. Throws
 * StepError `invalid-filter` with the place of what is wrong.
 */
export function filterSql(condition: RecordCondition, context: FilterContext): string {
  const { at } = context;
  if ("all" in condition)
    return groupSql(condition.all, { word: "and", none: "true" }, { ...context, at: `${at}.all` });
  if ("any" in condition)
    return groupSql(condition.any, { word: "or", none: "false" }, { ...context, at: `${at}.any` });
  if ("not" in condition) return `not coalesce(${filterSql(condition.not, { ...context, at: `${at}.not` })}, false)`;
  return leafSql(condition, condition.field.split("."), { ...context, depth: 0 });
}

function groupSql(
  items: readonly RecordCondition[],
  { word, none }: { word: "and" | "or"; none: string },
  context: FilterContext,
): string {
  if (items.length === 0) return none;
  return `(${items.map((item, i) => filterSql(item, { ...context, at: `${context.at}[${i}]` })).join(` ${word} `)})`;
}

/** Operators that hold where there is nothing: over a relation they ask that no related record says otherwise. */
const opposites: Partial<Record<Operator, Operator>> = {
  notEquals: "equals",
  notIn: "in",
  notContains: "contains",
  isEmpty: "isNotEmpty",
};

function leafSql(leaf: Leaf, path: readonly string[], context: FilterContext & { depth: number }): string {
  const { object, objects, alias, at, depth, statement, days } = context;
  const [name = ""] = path;
  const relation = path.length > 1 ? object.relation(name) : undefined;
  if (relation?.relation === undefined) {
    const target = findTarget(object, path, alias, at);
    return compareSql(leaf, target, { statement, at, timeZone: object.timeZone, days });
  }
  if (depth >= mostRelations) throw invalidFilter(at, `"${leaf.field}" follows more than ${mostRelations} relations`);
  const other = objects.find(relation.relation.object);
  if (other === undefined) throw invalidFilter(at, `"${name}" leads to no object`);
  const inner = `${alias}_${depth + 1}`;
  const opposite = opposites[leaf.operator];
  const positive = opposite === undefined ? leaf : { ...leaf, operator: opposite };
  const condition = leafSql(positive, path.slice(1), { ...context, object: other, alias: inner, depth: depth + 1 });
  const exists = `exists (select 1 from ${other.table} ${inner} where ${inner}.id = ${alias}.${relation.column} and ${inner}.deleted_at is null and ${condition})`;
  return opposite === undefined ? exists : `not ${exists}`;
}
