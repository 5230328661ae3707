import { spanSchema } from "../definition/conditions/operators.ts";
import type { Json } from "../json.ts";
import type { Statement } from "../sql.ts";
import { checkItem, checkText, checkTexts, checkValue, type Leaf, type ValuePlace } from "./filter-values.ts";
import { beginning, orderedCharacters } from "./normalize.ts";
import { describe } from "./plain-values.ts";
import { beginningSql, equalSql, invalidFilter, seesBeginning, type Target } from "./target.ts";

export type { Leaf } from "./filter-values.ts";

export interface CompareContext {
  readonly statement: Statement;
  readonly at: string;
  readonly timeZone: string;
  readonly days: "refused" | undefined;
}

/** A comparison on its way to SQL. */
interface Comparison extends CompareContext, ValuePlace {
  readonly value: Json;
}

/** SQL for one comparison; null where the value is, and for the operators that hold of nothing, true. */
export function compareSql(leaf: Leaf, target: Target, context: CompareContext): string {
  const comparison = { ...context, leaf, target, value: leaf.value ?? null };
  switch (leaf.operator) {
    case "isEmpty":
      return emptySql(target);
    case "isNotEmpty":
      return `not ${emptySql(target)}`;
    case "equals":
      return equalsSql(comparison);
    case "notEquals":
      return otherwise(equalsSql(comparison));
    case "greaterThan":
      return orderSql(comparison, ">");
    case "greaterThanOrEqual":
      return orderSql(comparison, ">=");
    case "lessThan":
      return orderSql(comparison, "<");
    case "lessThanOrEqual":
      return orderSql(comparison, "<=");
    case "in":
      return inSql(comparison);
    case "notIn":
      return otherwise(inSql(comparison));
    case "contains":
      return containsSql(comparison);
    case "notContains":
      return otherwise(containsSql(comparison));
    case "startsWith":
      return startsSql(comparison);
    case "endsWith":
      return endsSql(comparison);
    case "inLast":
      return spanSql(comparison, "-");
    case "inNext":
      return spanSql(comparison, "+");
  }
}

/** Also where there is nothing to compare. */
function otherwise(condition: string): string {
  return `(${condition}) is not true`;
}

function emptySql({ comparesAs, sql, type, field }: Target): string {
  if (comparesAs === "text") return `(${sql} is null or ${sql} = '')`;
  if (comparesAs === "json") return `(${sql} is null or ${sql} in ('null', '""', '[]', '{}'))`;
  if (comparesAs === "list")
    return type === "jsonb"
      ? `(${sql} is null or ${sql} in ('[]'::jsonb, 'null'::jsonb))`
      : `(${sql} is null or cardinality(${sql}) = 0)`;
  if (comparesAs !== "composite") return `(${sql} is null)`;
  const parts = Object.keys(field?.info.subFields ?? {}).map(
    (sub) => `coalesce(${sql} ->> '${sub}', '') in ('', '[]')`,
  );
  return `(${sql} is null or (${parts.join(" and ")}))`;
}

function equalsSql({ value, target, statement, ...place }: Comparison): string {
  if (value === null) return "false";
  const checked = checkValue(value, { ...place, target });
  const wanted = statement.param(checked, target.type);
  return isShort(checked) && seesBeginning(target) ? beginningSql(target, "=", wanted) : equalSql(target, wanted);
}

/** Whether a text is so short that its beginning is the whole, also when it is written as it compares. */
function isShort(value: Json): boolean {
  return typeof value === "string" && value.length < orderedCharacters / 2;
}

function orderSql({ value, target, statement, ...place }: Comparison, sign: ">" | ">=" | "<" | "<="): string {
  if (value === null) return "false";
  const { comparesAs, order } = target;
  const { leaf, at } = place;
  if (comparesAs === "list" || comparesAs === "composite" || comparesAs === "json")
    throw invalidFilter(at, `"${leaf.field}" has no order`);
  if (comparesAs === "text" && typeof value !== "string")
    throw invalidFilter(at, `"${leaf.field}" is text, which has no order with ${describe(value)}`);
  const wanted = statement.param(checkValue(value, { ...place, target }), target.type);
  if (!order.isBeginning) return `${order.sql} ${sign} ${target.parameter(wanted)}`;
  const whole = `${target.sql} collate "C" ${sign} ${target.parameter(wanted)}`;
  if (!order.served) return whole;
  return `(${beginningSql(target, sign.startsWith(">") ? ">=" : "<=", wanted)} and ${whole})`;
}

/** One parameter for the whole list, so that its length does not make another statement. */
function inSql({ value, target, statement, ...place }: Comparison): string {
  const { leaf, at } = place;
  if (!Array.isArray(value))
    throw invalidFilter(at, `"${leaf.operator}" takes a list for "${leaf.field}", but got ${describe(value)}`);
  if (target.comparesAs === "list")
    throw invalidFilter(at, `"${leaf.field}" is a list; "contains" looks for an item in it`);
  const items = value.filter((item) => item !== null).map((item) => checkValue(item, { ...place, target }));
  if (items.length === 0) return "false";
  const list = { target, list: listParameter(target, statement, items) };
  const whole = `${target.sql} = ${anyOf(list)}`;
  if (!seesBeginning(target)) return whole;
  if (items.every(isShort)) return `${target.order.sql} = ${anyOf(list)}`;
  return `(${target.order.sql} = ${anyOf({ ...list, seen: beginning })} and ${whole})`;
}

function listParameter({ type }: Target, statement: Statement, items: readonly Json[]): string {
  return type === "jsonb" ? statement.param(items, "jsonb") : statement.param(items, `${type}[]`);
}

/** SQL: `any` of a list's items, each as it compares; `seen`: what is seen of each. */
function anyOf({ target, list, seen }: { target: Target; list: string; seen?: (item: string) => string }): string {
  if (target.type === "jsonb") return `any (array(select jsonb_array_elements(${list})))`;
  const compared = target.parameter("i.item");
  const item = seen === undefined ? compared : seen(compared);
  return item === "i.item" ? `any (${list})` : `any (array(select ${item} from unnest(${list}) as i(item)))`;
}

function containsSql({ value, target, statement, ...place }: Comparison): string {
  if (value === null) return "false";
  const { comparesAs, within, part, type } = target;
  const checking = { ...place, target };
  if (comparesAs === "list") {
    const item = [checkItem(value, checking)];
    return `${within} @> ${part(statement.param(item, type))}`;
  }
  if (comparesAs === "json") {
    checkTexts(value, checking);
    return `${within} @> ${statement.param(value, "jsonb")}`;
  }
  if (comparesAs !== "text" || typeof value !== "string")
    throw invalidFilter(place.at, `"${place.leaf.operator}" looks for text in text or for an item in a list`);
  return `strpos(${within}, ${part(statement.param(checkText(value, checking), "text"))}) > 0`;
}

function startsSql(comparison: Comparison): string {
  const { target } = comparison;
  const sought = textParameter(comparison);
  if (sought === undefined) return "false";
  const holds = `starts_with(${target.within}, ${target.part(sought)})`;
  // A domain begins otherwise where it is compared than where it was written.
  const isServed = target.order.served && target.field?.compares !== "as-domain" && comparison.value !== "";
  return isServed ? `(${beginningSql(target, "^@", sought)} and ${holds})` : holds;
}

function endsSql(comparison: Comparison): string {
  const { within, part } = comparison.target;
  const sought = textParameter(comparison);
  return sought === undefined ? "false" : `right(${within}, length(${part(sought)})) = ${part(sought)}`;
}

/** The parameter of a text that is looked for in text; undefined for null, which is in nothing. */
function textParameter({ value, target, statement, ...place }: Comparison): string | undefined {
  if (value === null) return undefined;
  if (target.comparesAs !== "text" || typeof value !== "string")
    throw invalidFilter(place.at, `"${place.leaf.operator}" looks for text in text`);
  return statement.param(checkText(value, { ...place, target }), "text");
}

/** Days, weeks and months are those of the calendar in the workspace's zone, also across summer time. */
function spanSql({ value, target, statement, leaf, at, timeZone }: Comparison, sign: "-" | "+"): string {
  const span = spanSchema.safeParse(value);
  const isDay = target.comparesAs === "day";
  if (!(isDay || target.comparesAs === "moment") || !span.success)
    throw invalidFilter(at, `"${leaf.operator}" takes a span such as { days: 7 } and looks at dates`);
  const [unit = "days", count = 0] = Object.entries(span.data)[0] ?? [];
  const length = `(${statement.param(count, "integer")} * interval '1 ${unit.replace(/s$/, "")}')`;
  const isClock = unit === "minutes" || unit === "hours";
  const zone = isClock && !isDay ? "'UTC'" : statement.param(timeZone, "text");
  const here = `(now() at time zone ${zone})`;
  const there = `(${here} ${sign} ${length})`;
  // A day counts whole: today is always in it.
  const ends = isDay ? [`${there}::date`, `${here}::date`] : [`(${there} at time zone ${zone})`, "now()"];
  const [from, to] = sign === "-" ? ends : ends.toReversed();
  return `${target.sql} between ${from} and ${to}`;
}
