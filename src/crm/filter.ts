import { spanSchema } from "../definition/conditions/operators.ts";
import type { Operator, RecordCondition } from "../definition/conditions.ts";
import { didYouMean } from "../definition/suggest.ts";
import { StepError } from "../errors.ts";
import type { Json } from "../json.ts";
import type { Statement } from "../sql.ts";
import { describe, FieldFault, type FieldTypeInfo } from "./field-types.ts";
import { comparable, comparableParameter, subFieldText } from "./normalize.ts";
import type { CrmField, CrmObject, Objects } from "./objects.ts";
import { unknownField } from "./values.ts";

/** A value that conditions, sorting and paths can name: a column, or a composite's sub-field. */
export interface Target {
  readonly field: CrmField | undefined;
  readonly comparesAs: "text" | "number" | "boolean" | "moment" | "uuid" | "list" | "composite";
  /** SQL over the alias. */
  readonly sql: string;
  /** How a placeholder of a value is written so that it compares with `sql`. */
  parameter(placeholder: string): string;
  readonly type: string;
}

/** Relations that a path may follow. */
const mostRelations = 3;

const sqlTypes = {
  text: "text",
  number: "double precision",
  boolean: "boolean",
  moment: "timestamptz",
  uuid: "uuid",
  list: "jsonb",
  composite: "jsonb",
} as const;

/**
 * SQL for a condition on records of `object`, over `alias`. Every value is a parameter. Throws
 * StepError `invalid-filter` with the place of what is wrong.
 */
export function filterSql(
  condition: RecordCondition,
  context: { statement: Statement; objects: Objects; object: CrmObject; alias: string; at: string },
): string {
  const { at } = context;
  if ("all" in condition) return group(condition.all, "and", "true", { ...context, at: `${at}.all` });
  if ("any" in condition) return group(condition.any, "or", "false", { ...context, at: `${at}.any` });
  if ("not" in condition) return `not coalesce(${filterSql(condition.not, { ...context, at: `${at}.not` })}, false)`;
  return leafSql(condition, condition.field.split("."), { ...context, depth: 0 });
}

type Context = Parameters<typeof filterSql>[1];

function group(items: readonly RecordCondition[], word: "and" | "or", none: string, context: Context): string {
  if (items.length === 0) return none;
  return `(${items.map((item, i) => filterSql(item, { ...context, at: `${context.at}[${i}]` })).join(` ${word} `)})`;
}

type Leaf = Extract<RecordCondition, { field: string }>;

/** Operators that hold where there is nothing: over a relation they ask that no related record says otherwise. */
const opposites: Partial<Record<Operator, Operator>> = {
  notEquals: "equals",
  notIn: "in",
  notContains: "contains",
  isEmpty: "isNotEmpty",
};

function leafSql(leaf: Leaf, path: readonly string[], context: Context & { depth: number }): string {
  const { object, objects, alias, at, depth } = context;
  const relation = path.length > 1 ? object.relation(path[0] ?? "") : undefined;
  if (relation?.relation === undefined) return compareLeaf(leaf, findTarget(object, path, alias, at), context);
  if (depth >= mostRelations) throw fault(at, `"${leaf.field}" follows more than ${mostRelations} relations`);
  const other = objects.find(relation.relation.object);
  if (other === undefined) throw fault(at, `"${path[0]}" leads to no object`);
  const inner = `${alias}_${depth + 1}`;
  const opposite = opposites[leaf.operator];
  const positive = opposite === undefined ? leaf : { ...leaf, operator: opposite };
  const condition = leafSql(positive, path.slice(1), { ...context, object: other, alias: inner, depth: depth + 1 });
  const exists = `exists (select 1 from ${other.table} ${inner} where ${inner}.id = ${alias}.${relation.column} and ${inner}.deleted_at is null and ${condition})`;
  return opposite === undefined ? exists : `not ${exists}`;
}

/** What a path without relations names. */
export function findTarget(object: CrmObject, path: readonly string[], alias: string, at: string): Target {
  const [name = "", sub, ...rest] = path;
  if (name === "id" && sub === undefined)
    return { field: undefined, comparesAs: "uuid", sql: `${alias}.id`, parameter: (p) => p, type: "uuid" };
  const field = object.field(name);
  if (field === undefined) throw fault(at, unknownField(object, name));
  const { info } = field;
  const column = `${alias}.${field.column}`;
  if (sub === undefined && info.comparesAs !== "composite") {
    return {
      field,
      comparesAs: info.comparesAs,
      sql: comparable(field, column),
      parameter: (p) => comparableParameter(field, p),
      type: sqlTypes[info.comparesAs],
    };
  }
  if (sub === undefined) {
    if (info.main === undefined)
      return { field, comparesAs: "composite", sql: column, parameter: (p) => p, type: "jsonb" };
    return subTarget(field, info.main, column, at);
  }
  if (rest.length > 0) throw fault(at, `"${path.join(".")}" is no field of ${object.name}`);
  return subTarget(field, sub, column, at);
}

function subTarget(field: CrmField, sub: string, column: string, at: string): Target {
  const info: FieldTypeInfo = field.info;
  const part = info.subFields !== undefined && Object.hasOwn(info.subFields, sub) ? info.subFields[sub] : undefined;
  if (part === undefined) {
    const known = Object.keys(info.subFields ?? {});
    const meant = known.length === 0 ? "; it has no sub-fields" : didYouMean(sub, known);
    throw fault(at, `${field.name} has no sub-field "${sub}"${meant}`);
  }
  const written = subFieldText(column, sub);
  if (part.kind === "list")
    return { field, comparesAs: "list", sql: `(${column} -> '${sub}')`, parameter: (p) => p, type: "jsonb" };
  if (part.kind === "text") {
    const compared = info.main === sub ? field : { compares: "exactly" as const };
    return {
      field,
      comparesAs: "text",
      sql: comparable(compared, written),
      parameter: (p) => comparableParameter(compared, p),
      type: "text",
    };
  }
  return { field, comparesAs: "number", sql: `(${written})::numeric`, parameter: (p) => p, type: "numeric" };
}

function compareLeaf(leaf: Leaf, target: Target, context: Context): string {
  const { operator } = leaf;
  const value = leaf.value ?? null;
  const param = (item: Json): string =>
    target.parameter(context.statement.param(checkValue(target, item, leaf, context.at), target.type));
  switch (operator) {
    case "isEmpty":
      return emptySql(target);
    case "isNotEmpty":
      return `not ${emptySql(target)}`;
    case "equals":
      return value === null ? "false" : `${target.sql} = ${param(value)}`;
    case "notEquals":
      return value === null ? `not ${emptySql(target)}` : `${target.sql} is distinct from ${param(value)}`;
    case "greaterThan":
      return orderSql(target, ">", value, param);
    case "greaterThanOrEqual":
      return orderSql(target, ">=", value, param);
    case "lessThan":
      return orderSql(target, "<", value, param);
    case "lessThanOrEqual":
      return orderSql(target, "<=", value, param);
    case "in":
      return inSql(target, leaf, context);
    case "notIn":
      return `(${target.sql} is null or not (${inSql(target, leaf, context)}))`;
    case "contains":
      return containsSql(target, value, context);
    case "notContains":
      return `(${target.sql} is null or not (${containsSql(target, value, context)}))`;
    case "startsWith":
      return textSql(target, leaf, context, (text) => `starts_with(${target.sql}, ${text})`);
    case "endsWith":
      return textSql(target, leaf, context, (text) => `right(${target.sql}, length(${text})) = ${text}`);
    case "inLast":
      return spanSql(target, leaf, context, (span) => `${target.sql} between now() - ${span} and now()`);
    case "inNext":
      return spanSql(target, leaf, context, (span) => `${target.sql} between now() and now() + ${span}`);
  }
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

function orderSql(target: Target, sign: string, value: Json, param: (value: Json) => string): string {
  return value === null ? "false" : `${target.sql} ${sign} ${param(value)}`;
}

/** One parameter for the whole list: the statement's text, and so its name, is the same for any length. */
function inSql(target: Target, leaf: Leaf, { statement, at }: Context): string {
  const present = listOf(leaf, at).filter((item) => item !== null);
  const items = statement.param(
    present.map((item) => checkValue(target, item, leaf, at)),
    `${target.type}[]`,
  );
  return `${target.sql} in (select ${target.parameter("i.item")} from unnest(${items}) i(item))`;
}

function listOf(leaf: Leaf, at: string): Json[] {
  if (Array.isArray(leaf.value)) return leaf.value;
  throw fault(at, `"${leaf.operator}" takes a list for "${leaf.field}", but got ${describe(leaf.value ?? null)}`);
}

function containsSql(target: Target, value: Json, { statement, at }: Context): string {
  if (value === null) return "false";
  if (target.comparesAs === "list") return `${target.sql} @> ${statement.param([value], "jsonb")}`;
  if (target.comparesAs !== "text" || typeof value !== "string")
    throw fault(at, `"contains" looks for text in text or for an item in a list`);
  return `strpos(${target.sql}, ${textParameter(target, statement, value)}) > 0`;
}

function textSql(target: Target, leaf: Leaf, { statement, at }: Context, make: (text: string) => string): string {
  const { value } = leaf;
  if (value === null || value === undefined) return "false";
  if (target.comparesAs !== "text" || typeof value !== "string")
    throw fault(at, `"${leaf.operator}" looks for text in text`);
  return make(textParameter(target, statement, value));
}

/** Part of a text: lower-cased where the field compares without case, but not read as a whole domain. */
function textParameter(target: Target, statement: Statement, value: string): string {
  const placeholder = statement.param(value, "text");
  return target.sql.includes("lower(") ? `lower(${placeholder})` : placeholder;
}

function spanSql(target: Target, leaf: Leaf, { statement, at }: Context, make: (span: string) => string): string {
  const span = spanSchema.safeParse(leaf.value);
  if (target.comparesAs !== "moment" || !span.success)
    throw fault(at, `"${leaf.operator}" takes a span such as { days: 7 } and looks at dates`);
  const [unit = "days", count = 0] = Object.entries(span.data)[0] ?? [];
  return make(`(${statement.param(count, "integer")} * interval '1 ${unit.replace(/s$/, "")}')`);
}

/** The value as the field's type, or a fault that says what it takes. */
function checkValue(target: Target, value: Json, leaf: Leaf, at: string): Json {
  const { field, comparesAs } = target;
  const says = (expected: string): StepError =>
    fault(at, `"${leaf.field}" is compared with ${expected}, but got ${describe(value)}`);
  if (field?.info.comparesAs !== "composite" && field !== undefined) {
    try {
      if (field.type === "TEXT" && typeof value === "number") return String(value);
      return field.info.parse(value, field.settings);
    } catch (error) {
      if (error instanceof FieldFault) throw fault(at, `"${leaf.field}" ${error.message}`);
      throw error;
    }
  }
  if (comparesAs === "uuid" && (typeof value !== "string" || !/^[0-9a-f-]{36}$/i.test(value))) throw says("an id");
  if (comparesAs === "text" && typeof value !== "string") throw says("text");
  if (
    comparesAs === "number" &&
    typeof value !== "number" &&
    !(typeof value === "string" && /^-?\d+(\.\d+)?$/.test(value))
  )
    throw says("a number");
  if (comparesAs === "composite")
    throw fault(at, `name a sub-field: "${leaf.field}.${Object.keys(field?.info.subFields ?? {})[0]}"`);
  return value;
}

function fault(at: string, message: string): StepError {
  return new StepError("invalid-filter", `${at}: ${message}.`, { details: { path: at } });
}
