import { spanSchema } from "../definition/conditions/operators.ts";
import type { RecordCondition } from "../definition/conditions.ts";
import { StepError } from "../errors.ts";
import { isUuid } from "../ids.ts";
import type { Json } from "../json.ts";
import type { Statement } from "../sql.ts";
import type { FieldTypeInfo } from "./field-types.ts";
import type { CrmField } from "./objects.ts";
import { describe, FieldFault, parseText } from "./plain-values.ts";

export type Leaf = Extract<RecordCondition, { field: string }>;

/** A value that conditions, sorting and paths can name: a column, or a composite's sub-field. */
export interface Target {
  readonly field: CrmField | undefined;
  readonly comparesAs: FieldTypeInfo["comparesAs"];
  /** SQL over the alias, as it is compared whole. */
  readonly sql: string;
  /** SQL over the alias, as something is looked for in it. */
  readonly within: string;
  /** How a placeholder of a value is written so that it compares with `sql`. */
  parameter(placeholder: string): string;
  /** How a placeholder is written so that it can be found in `within`. */
  part(placeholder: string): string;
  readonly type: string;
}

export interface CompareContext {
  readonly statement: Statement;
  readonly at: string;
  readonly timeZone: string;
  readonly days: "refused" | undefined;
}

/** SQL for one comparison; null where the value is, and for the operators that hold of nothing, true. */
export function compareSql(leaf: Leaf, target: Target, context: CompareContext): string {
  switch (leaf.operator) {
    case "isEmpty":
      return emptySql(target);
    case "isNotEmpty":
      return `not ${emptySql(target)}`;
    case "equals":
      return equalsSql(leaf, target, context);
    case "notEquals":
      return otherwise(equalsSql(leaf, target, context));
    case "greaterThan":
      return orderSql(leaf, target, { ...context, sign: ">" });
    case "greaterThanOrEqual":
      return orderSql(leaf, target, { ...context, sign: ">=" });
    case "lessThan":
      return orderSql(leaf, target, { ...context, sign: "<" });
    case "lessThanOrEqual":
      return orderSql(leaf, target, { ...context, sign: "<=" });
    case "in":
      return inSql(leaf, target, context);
    case "notIn":
      return otherwise(inSql(leaf, target, context));
    case "contains":
      return containsSql(leaf, target, context);
    case "notContains":
      return otherwise(containsSql(leaf, target, context));
    case "startsWith":
      return textSql(leaf, target, { ...context, holds: (whole, part) => `starts_with(${whole}, ${part})` });
    case "endsWith":
      return textSql(leaf, target, {
        ...context,
        holds: (whole, part) => `right(${whole}, length(${part})) = ${part}`,
      });
    case "inLast":
      return spanSql(leaf, target, { ...context, sign: "-" });
    case "inNext":
      return spanSql(leaf, target, { ...context, sign: "+" });
  }
}

/** Also where there is nothing to compare. */
function otherwise(condition: string): string {
  return `(${condition}) is not true`;
}

function emptySql({ comparesAs, sql, field }: Target): string {
  if (comparesAs === "text") return `(${sql} is null or ${sql} = '')`;
  if (comparesAs === "list") return `(${sql} is null or ${sql} in ('[]'::jsonb, 'null'::jsonb))`;
  if (comparesAs !== "composite") return `(${sql} is null)`;
  const parts = Object.keys(field?.info.subFields ?? {}).map(
    (sub) => `coalesce(${sql} ->> '${sub}', '') in ('', '[]')`,
  );
  return `(${sql} is null or (${parts.join(" and ")}))`;
}

function equalsSql(leaf: Leaf, target: Target, context: CompareContext): string {
  const value = leaf.value ?? null;
  if (value === null) return "false";
  const wanted = context.statement.param(checkValue(value, { leaf, target, context }), target.type);
  return `${target.sql} = ${target.parameter(wanted)}`;
}

function orderSql(leaf: Leaf, target: Target, { sign, ...context }: CompareContext & { sign: string }): string {
  const value = leaf.value ?? null;
  if (value === null) return "false";
  const { comparesAs } = target;
  if (comparesAs === "list" || comparesAs === "composite")
    throw invalidFilter(context.at, `"${leaf.field}" has no order`);
  if (comparesAs === "text" && typeof value !== "string")
    throw invalidFilter(context.at, `"${leaf.field}" is text, which has no order with ${describe(value)}`);
  const wanted = context.statement.param(checkValue(value, { leaf, target, context }), target.type);
  return `${target.sql} ${sign} ${target.parameter(wanted)}`;
}

/** One parameter for the whole list, so that its length does not make another statement. */
function inSql(leaf: Leaf, target: Target, context: CompareContext): string {
  const { value } = leaf;
  if (!Array.isArray(value))
    throw invalidFilter(
      context.at,
      `"${leaf.operator}" takes a list for "${leaf.field}", but got ${describe(value ?? null)}`,
    );
  if (target.comparesAs === "list")
    throw invalidFilter(context.at, `"${leaf.field}" is a list; "contains" looks for an item in it`);
  const items = value.filter((item) => item !== null).map((item) => checkValue(item, { leaf, target, context }));
  if (items.length === 0) return "false";
  const list = context.statement.param(items, `${target.type}[]`);
  return `${target.sql} = any (array(select ${target.parameter("i.item")} from unnest(${list}) as i(item)))`;
}

function containsSql(leaf: Leaf, target: Target, { statement, at }: CompareContext): string {
  const value = leaf.value ?? null;
  if (value === null) return "false";
  if (target.comparesAs === "list") {
    checkTexts(value, leaf, at);
    return `${target.within} @> ${target.part(statement.param([value], "jsonb"))}`;
  }
  if (target.comparesAs !== "text" || typeof value !== "string")
    throw invalidFilter(at, `"${leaf.operator}" looks for text in text or for an item in a list`);
  return `strpos(${target.within}, ${target.part(statement.param(checkText(value, leaf, at), "text"))}) > 0`;
}

function textSql(
  leaf: Leaf,
  target: Target,
  { statement, at, holds }: CompareContext & { holds: (whole: string, part: string) => string },
): string {
  const value = leaf.value ?? null;
  if (value === null) return "false";
  if (target.comparesAs !== "text" || typeof value !== "string")
    throw invalidFilter(at, `"${leaf.operator}" looks for text in text`);
  return holds(target.within, target.part(statement.param(checkText(value, leaf, at), "text")));
}

/** Days, weeks and months are those of the calendar in the workspace's zone, also across summer time. */
function spanSql(
  leaf: Leaf,
  target: Target,
  { statement, at, timeZone, sign }: CompareContext & { sign: "-" | "+" },
): string {
  const span = spanSchema.safeParse(leaf.value);
  if (target.comparesAs !== "moment" || !span.success)
    throw invalidFilter(at, `"${leaf.operator}" takes a span such as { days: 7 } and looks at dates`);
  const [unit = "days", count = 0] = Object.entries(span.data)[0] ?? [];
  const length = `(${statement.param(count, "integer")} * interval '1 ${unit.replace(/s$/, "")}')`;
  const isClock = unit === "minutes" || unit === "hours";
  const zone = isClock ? "'UTC'" : statement.param(timeZone, "text");
  const end = `(((now() at time zone ${zone}) ${sign} ${length}) at time zone ${zone})`;
  const [from, to] = sign === "-" ? [end, "now()"] : ["now()", end];
  return `${target.sql} between ${from} and ${to}`;
}

const numeric = /^-?\d+(\.\d+)?$/;

/** The value as the target's type; a fault says what the target takes. */
function checkValue(
  value: Json,
  { leaf, target, context }: { leaf: Leaf; target: Target; context: CompareContext },
): Json {
  const { field, comparesAs } = target;
  const { at, days } = context;
  if (comparesAs === "composite")
    throw invalidFilter(at, `name a sub-field: "${leaf.field}.${Object.keys(field?.info.subFields ?? {})[0]}"`);
  if (comparesAs === "moment" && days === "refused" && typeof value === "string" && /^\d{4}-\d{2}-\d{2}$/.test(value))
    throw invalidFilter(at, `"${leaf.field}" is a moment and ${value} a day; use start_of_day`);
  // Text that is a number beside a number, and the other way round.
  if (comparesAs === "number" && typeof value === "string" && numeric.test(value)) return value;
  if (comparesAs === "text" && field?.type !== "SELECT" && typeof value === "number") return String(value);
  if (field !== undefined && field.info.comparesAs !== "composite")
    return orFault(leaf, at, () => field.info.parse(value, field.reading));
  const says = (expected: string): StepError =>
    invalidFilter(at, `"${leaf.field}" is compared with ${expected}, but got ${describe(value)}`);
  if (comparesAs === "uuid" && (typeof value !== "string" || !isUuid(value))) throw says("an id");
  if (comparesAs === "text" && typeof value !== "string") throw says("text");
  if (comparesAs === "number" && typeof value !== "number") throw says("a number");
  if (comparesAs === "list" && !Array.isArray(value)) throw says("a list");
  checkTexts(value, leaf, at);
  return value;
}

function checkText(value: string, leaf: Leaf, at: string): string {
  return orFault(leaf, at, () => parseText(value));
}

/** Every text in a value must be one that Postgres can hold. */
function checkTexts(value: Json, leaf: Leaf, at: string): void {
  if (typeof value === "string") checkText(value, leaf, at);
  else if (Array.isArray(value)) for (const item of value) checkTexts(item, leaf, at);
  else if (typeof value === "object" && value !== null)
    for (const [key, item] of Object.entries(value)) {
      checkText(key, leaf, at);
      checkTexts(item, leaf, at);
    }
}

function orFault<T>(leaf: Leaf, at: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw error instanceof FieldFault ? invalidFilter(at, `"${leaf.field}" ${error.message}`) : error;
  }
}

export function invalidFilter(at: string, message: string): StepError {
  const end = message.endsWith("?") ? "" : ".";
  return new StepError("invalid-filter", `${at}: ${message}${end}`, { details: { path: at } });
}
