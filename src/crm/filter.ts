import type { Operator, RecordCondition } from "../definition/conditions.ts";
import { didYouMean } from "../definition/suggest.ts";
import type { StepError } from "../errors.ts";
import type { Statement } from "../sql.ts";
import { compareSql, invalidFilter, type Leaf, type Target } from "./compare.ts";
import { comparable, searchable, subFieldText } from "./normalize.ts";
import type { CrmField, CrmObject, Objects } from "./objects.ts";
import { unknownField } from "./values.ts";

export type { Target } from "./compare.ts";

/** Relations that a path may follow. */
const mostRelations = 3;

const sqlTypes = {
  text: "text",
  number: "numeric",
  boolean: "boolean",
  moment: "timestamptz",
  day: "date",
  uuid: "uuid",
  list: "text[]",
  json: "jsonb",
};

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

/** What a path without relations names: a column, or a composite's sub-field. Throws `invalid-filter`. */
export function findTarget(object: CrmObject, path: readonly string[], alias: string, at: string): Target {
  const [name = "", sub, ...rest] = path;
  if (name === "id" && sub === undefined) return plainTarget(undefined, { sql: `${alias}.id`, comparesAs: "uuid" });
  const field = object.field(name);
  if (field === undefined) throw unknown(at, object, path);
  const { info } = field;
  const column = `${alias}.${field.column}`;
  if (rest.length > 0) throw invalidFilter(at, `"${path.join(".")}" is no field of ${object.name}`);
  if (sub !== undefined) return subTarget(field, sub, column, at);
  if (info.comparesAs === "text") return textTarget(field, field, column);
  if (info.comparesAs !== "composite") return plainTarget(field, { sql: column, comparesAs: info.comparesAs });
  if (info.main !== undefined) return subTarget(field, info.main, column, at);
  return { field, comparesAs: "composite", sql: column, within: column, parameter: same, part: same, type: "jsonb" };
}

/** A path that begins with what is neither field nor relation, or ends with a relation. */
function unknown(at: string, object: CrmObject, path: readonly string[]): StepError {
  const [name = ""] = path;
  if (path.length === 1) return invalidFilter(at, unknownField(object, name));
  const relations = object.fields.flatMap(({ relation }) => (relation === undefined ? [] : [relation.name]));
  const known = [...relations, ...object.fields.map((field) => field.name)];
  return invalidFilter(at, `${object.name} has no field or relation "${name}"${didYouMean(name, known)}`);
}

const same = (placeholder: string): string => placeholder;

function plainTarget(
  field: CrmField | undefined,
  { sql, comparesAs }: { sql: string; comparesAs: keyof typeof sqlTypes },
): Target {
  return { field, comparesAs, sql, within: sql, parameter: same, part: same, type: sqlTypes[comparesAs] };
}

function textTarget(field: CrmField, compared: Pick<CrmField, "compares">, text: string): Target {
  return {
    field,
    comparesAs: "text",
    sql: comparable(compared, text),
    within: searchable(compared, text),
    parameter: (placeholder) => comparable(compared, placeholder),
    part: (placeholder) => searchable(compared, placeholder),
    type: "text",
  };
}

function subTarget(field: CrmField, sub: string, column: string, at: string): Target {
  const { info } = field;
  const part = info.subFields !== undefined && Object.hasOwn(info.subFields, sub) ? info.subFields[sub] : undefined;
  if (part === undefined) {
    const known = Object.keys(info.subFields ?? {});
    const meant = known.length === 0 ? "; it has no sub-fields" : didYouMean(sub, known);
    throw invalidFilter(at, `${field.name} has no sub-field "${sub}"${meant}`);
  }
  const text = subFieldText(column, sub);
  if (part.kind === "text") return textTarget(field, info.main === sub ? field : { compares: "exactly" }, text);
  if (part.kind !== "list") {
    const sql = `(${text})::numeric`;
    return { field, comparesAs: "number", sql, within: sql, parameter: same, part: same, type: "numeric" };
  }
  const sql = `(${column} -> '${sub}')`;
  // Where the main value compares without case, so do those beside it.
  const fold = field.compares === "without-case" ? (list: string) => `lower((${list})::text)::jsonb` : same;
  return { field, comparesAs: "list", sql, within: fold(sql), parameter: same, part: fold, type: "jsonb" };
}
