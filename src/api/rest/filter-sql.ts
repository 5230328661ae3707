import { filterSql, findTarget, type Target } from "../../crm/filter.ts";
import { subFieldText } from "../../crm/normalize.ts";
import type { CrmObject, Objects } from "../../crm/objects.ts";
import type { Operator } from "../../definition/conditions.ts";
import { sentence } from "../../definition/suggest.ts";
import { ProblemError, StepError } from "../../errors.ts";
import type { Json } from "../../json.ts";
import type { Statement } from "../../sql.ts";
import type { FilterLeaf, FilterNode } from "./filter-syntax.ts";
import { fromSpelling } from "./spellings.ts";

interface Context {
  readonly statement: Statement;
  readonly objects: Objects;
  readonly object: CrmObject;
  readonly alias: string;
}

/** Comparators that mean what an operator of conditions means. */
const operators = {
  eq: "equals",
  neq: "notEquals",
  in: "in",
  gt: "greaterThan",
  gte: "greaterThanOrEqual",
  lt: "lessThan",
  lte: "lessThanOrEqual",
  startsWith: "startsWith",
  endsWith: "endsWith",
} as const satisfies Partial<Record<FilterLeaf["comparator"], Operator>>;

/** SQL for Twenty's filter over the alias. Throws a 400 for unknown fields and values that do not fit. */
export function restFilterSql(node: FilterNode, context: Context): string {
  if (node.kind === "leaf") return leafSql(node, context);
  const items = node.items.map((item) => restFilterSql(item, context));
  if (node.kind === "or") return `(${items.join(" or ")})`;
  const all = `(${items.join(" and ")})`;
  return node.kind === "and" ? all : `(not coalesce(${all}, false))`;
}

/** Whether the filter asks for a field anywhere. */
export function namesField(node: FilterNode, name: string): boolean {
  return node.kind === "leaf" ? node.path[0] === name : node.items.some((item) => namesField(item, name));
}

function leafSql(written: FilterLeaf, context: Context): string {
  try {
    const leaf = { ...written, path: fromSpelling(context.object, written.path) };
    const { comparator } = leaf;
    if (comparator === "is") return nullSql(leaf, context);
    const { object, path, exists } = follow(leaf.path, context);
    const target = findTarget(object, path, exists.alias, "filter");
    if (comparator === "containsAny") return exists.sql(containsAnySql(leaf, target, context));
    if (comparator === "like" || comparator === "ilike")
      return exists.sql(likeSql({ ...leaf, path }, target, { ...context, alias: exists.alias }));
    return conditionSql(leaf, { operator: operators[comparator], value: valueOf(leaf.value, target) }, context);
  } catch (error) {
    if (error instanceof StepError) throw new ProblemError(400, error.code, error.message, { cause: error });
    throw error;
  }
}

interface Followed {
  readonly object: CrmObject;
  /** What is left of the path there. */
  readonly path: readonly string[];
  readonly exists: {
    readonly alias: string;
    /** SQL: that there is a related record of which the condition over `alias` holds. */
    sql(condition: string): string;
  };
}

const mostRelations = 3;

/** To where the relations at the beginning of a path lead. */
function follow(path: readonly string[], { object, objects, alias }: Omit<Context, "statement">, depth = 0): Followed {
  const [name = "", ...rest] = path;
  const field = rest.length > 0 ? object.relation(name) : undefined;
  const other = objects.find(field?.relation?.object ?? "");
  if (field === undefined || other === undefined)
    return { object, path, exists: { alias, sql: (condition) => condition } };
  if (depth >= mostRelations) throw refused(`"${path.join(".")}" follows more than ${mostRelations} relations`);
  const inner = `${alias}_${depth + 1}`;
  const followed = follow(rest, { object: other, objects, alias: inner }, depth + 1);
  const from = `${other.table} ${inner} where ${inner}.id = ${alias}.${field.column} and ${inner}.deleted_at is null`;
  return {
    ...followed,
    exists: {
      ...followed.exists,
      sql: (condition) => `exists (select 1 from ${from} and ${followed.exists.sql(condition)})`,
    },
  };
}

function conditionSql(leaf: FilterLeaf, right: { operator: Operator; value?: Json }, context: Context): string {
  return filterSql({ field: leaf.path.join("."), ...right }, { ...context, at: "filter" });
}

/** The text of the parameter as the type it is compared as. */
function valueOf(value: FilterLeaf["value"], target: Target): Json {
  if (typeof value !== "string") return value.map((item) => valueOf(item, target));
  if (target.comparesAs === "boolean" && /^(true|false)$/i.test(value)) return value.toLowerCase() === "true";
  // Numbers stay as they were written, and so exact.
  return value;
}

/** NULL is what has no value: empty text too, since a composite's unset sub-field is empty text. */
function nullSql(leaf: FilterLeaf, context: Context): string {
  const word = String(leaf.value).toUpperCase();
  if (word === "NULL") return conditionSql(leaf, { operator: "isEmpty" }, context);
  if (word === "NOT_NULL") return conditionSql(leaf, { operator: "isNotEmpty" }, context);
  throw refused(`"is" takes NULL or NOT_NULL, but got "${String(leaf.value)}"`);
}

function containsAnySql(leaf: FilterLeaf, target: Target, { statement }: Context): string {
  if (target.comparesAs !== "list") throw refused(`"containsAny" looks into lists, and ${leaf.path.join(".")} is none`);
  const items = statement.param(leaf.value, "text[]");
  return target.type === "jsonb" ? `(${target.sql} ?| ${items})` : `(${target.sql} && ${items})`;
}

/** Looks at text as it was written. `%` and `_` are wildcards, `\` makes them plain. */
function likeSql(leaf: FilterLeaf, { field, comparesAs }: Target, { statement, alias }: Context): string {
  const { comparator, path } = leaf;
  const pattern = String(leaf.value);
  if (comparesAs !== "text" || field === undefined)
    throw refused(`"${comparator}" looks at text, and ${path.join(".")} is none`);
  if (/(^|[^\\])(\\\\)*\\$/.test(pattern)) throw refused(`the pattern of "${comparator}" ends with a single \\`);
  const column = `${alias}.${field.column}`;
  const sub = path[1] ?? field.info.main;
  const text = sub === undefined ? column : subFieldText(column, sub);
  return `(${text} ${comparator} ${statement.param(pattern, "text")})`;
}

function refused(message: string): ProblemError {
  return new ProblemError(400, "invalid-filter", sentence(`filter: ${message}`));
}
