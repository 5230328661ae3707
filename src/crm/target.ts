import { didYouMean, sentence } from "../definition/suggest.ts";
import { StepError } from "../errors.ts";
import { beginning, comparable, indexExpression, searchable, subFieldText, uniqueExpression } from "./normalize.ts";
import type { CrmField, CrmObject } from "./objects.ts";
import { unknownField } from "./values.ts";

/** A value that conditions, sorting and paths can name: a column, or a composite's sub-field. */
export interface Target {
  readonly field: CrmField | undefined;
  readonly comparesAs: CrmField["info"]["comparesAs"];
  /** SQL over the alias, as it is compared whole. */
  readonly sql: string;
  /** SQL over the alias, as something is looked for in it. */
  readonly within: string;
  /** How a placeholder of a value is written so that it compares with `sql`. */
  parameter(placeholder: string): string;
  /** How a placeholder is written so that it can be found in `within`. */
  part(placeholder: string): string;
  /** Postgres type of a value. */
  readonly type: string;
  readonly order: Order;
}

/** How values are put in order, by filters and sorting alike. */
export interface Order {
  /** SQL over the alias. */
  readonly sql: string;
  /** Whether it sees no more than the beginning of a text. */
  readonly isBeginning: boolean;
  /** Whether an index begins with it: of the field's own, the one that keeps values unique, or one over several fields. */
  readonly indexed: boolean;
  /** Whether some index has it at all. */
  readonly served: boolean;
  readonly nullable: boolean;
}

/** What a path without relations names: a column, or a composite's sub-field. Throws `invalid-filter`. */
export function findTarget(object: CrmObject, path: readonly string[], alias: string, at: string): Target {
  const [name = "", sub, ...rest] = path;
  if (name === "id" && sub === undefined) return idTarget(alias);
  const field = object.field(name);
  if (field === undefined) throw unknown(at, object, path);
  if (rest.length > 0) throw invalidFilter(at, `"${path.join(".")}" is no field of ${object.name}`);
  const { info } = field;
  const column = `${alias}.${field.column}`;
  const named = sub ?? info.main;
  if (named !== undefined) return subTarget({ field, sub: named, alias, column }, at);
  if (info.comparesAs === "text") return textTarget(field, column, orderOf({ field, alias }));
  return plainTarget(field, { sql: column, type: typeOf(info.column), order: orderOf({ field, alias }) });
}

function idTarget(alias: string): Target {
  const sql = `${alias}.id`;
  const order = { sql, isBeginning: false, indexed: true, served: true, nullable: false };
  return { field: undefined, comparesAs: "uuid", sql, within: sql, parameter: same, part: same, type: "uuid", order };
}

/** A path that begins with no field: with nothing that is there, or with a relation, where none is followed or it ends. */
function unknown(at: string, object: CrmObject, path: readonly string[]): StepError {
  const [name = ""] = path;
  if (path.length === 1) return invalidFilter(at, unknownField(object, name));
  const relations = object.fields.flatMap(({ relation }) => (relation === undefined ? [] : [relation.name]));
  if (relations.includes(name))
    return invalidFilter(
      at,
      `"${path.join(".")}" is of a related record, and here stand fields of ${object.name} only`,
    );
  const known = [...relations, ...object.fields.map((field) => field.name)];
  return invalidFilter(at, `${object.name} has no field or relation "${name}"${didYouMean(name, known)}`);
}

const same = (placeholder: string): string => placeholder;

/** The type of a column without what it limits: `timestamptz(3)`. */
function typeOf(column: string): string {
  return column.replace(/\(\d+\)$/, "");
}

const alwaysIndexed: ReadonlySet<string> = new Set(["createdAt"]);
const neverNull: ReadonlySet<string> = new Set(["createdAt", "updatedAt", "position"]);

/** The order of a field, or of its sub-field: by the expression that an index of its own is made on. */
function orderOf({ field, sub, alias }: { field: CrmField; sub?: string; alias: string }): Order {
  const { info, name } = field;
  const isMain = sub === undefined || sub === info.main;
  // Unique values are short, and their index is on the whole of them.
  const isWhole = field.unique && isMain && (info.comparesAs === "text" || info.main !== undefined);
  const places = field.indexParts.filter(({ subField }) =>
    isMain ? subField === null || subField === sub : subField === sub,
  );
  const isOwn = alwaysIndexed.has(name) || (isMain && (field.unique || field.indexed) && info.comparesAs !== "list");
  const sql = isWhole ? uniqueExpression(field, alias) : indexExpression(field, sub ?? null, alias);
  return {
    sql,
    isBeginning: !isWhole && sql.startsWith("left("),
    indexed: isOwn || places.some(({ isFirst }) => isFirst),
    served: isOwn || places.length > 0,
    nullable: !neverNull.has(name),
  };
}

function plainTarget(field: CrmField, { sql, type, order }: Pick<Target, "sql" | "type" | "order">): Target {
  return { field, comparesAs: field.info.comparesAs, sql, within: sql, parameter: same, part: same, type, order };
}

function textTarget(field: CrmField, text: string, order: Order, compared: Pick<CrmField, "compares"> = field): Target {
  return {
    field,
    comparesAs: "text",
    sql: order.isBeginning ? comparable(compared, text) : order.sql,
    within: searchable(compared, text),
    parameter: (placeholder) => comparable(compared, placeholder),
    part: (placeholder) => searchable(compared, placeholder),
    type: "text",
    order,
  };
}

interface SubField {
  readonly field: CrmField;
  readonly sub: string;
  readonly alias: string;
  readonly column: string;
}

function subTarget({ field, sub, alias, column }: SubField, at: string): Target {
  const { info } = field;
  const part = info.subFields !== undefined && Object.hasOwn(info.subFields, sub) ? info.subFields[sub] : undefined;
  if (part === undefined) {
    const known = Object.keys(info.subFields ?? {});
    const meant = known.length === 0 ? "; it has no sub-fields" : didYouMean(sub, known);
    throw invalidFilter(at, `${field.name} has no sub-field "${sub}"${meant}`);
  }
  const text = subFieldText(column, sub);
  const order = orderOf({ field, sub, alias });
  if (part.kind === "text") return textTarget(field, text, order, info.main === sub ? field : { compares: "exactly" });
  if (part.kind !== "list") {
    const sql = `(${text})::numeric`;
    return { ...plainTarget(field, { sql, type: "numeric", order }), comparesAs: "number" };
  }
  const sql = `(${column} -> '${sub}')`;
  // Where the main value compares without case, so do those beside it.
  const fold = field.compares === "without-case" ? (list: string) => `lower((${list})::text)::jsonb` : same;
  return { field, comparesAs: "list", sql, within: fold(sql), parameter: same, part: fold, type: "jsonb", order };
}

/**
 * SQL: that a target is the value, which is SQL of its type. Of a long text an index has the beginning
 * only: then that is compared too.
 */
export function equalSql(target: Target, value: string): string {
  const whole = `${target.sql} = ${target.parameter(value)}`;
  return seesBeginning(target) ? `(${beginningSql(target, "=", value)} and ${whole})` : whole;
}

/** Whether an index helps that has the beginning of the text. */
export function seesBeginning({ order }: Target): boolean {
  return order.served && order.isBeginning;
}

/** SQL: how the beginning of a text compares with that of a value. */
export function beginningSql(target: Target, sign: "=" | ">=" | "<=" | "^@", value: string): string {
  return `${target.order.sql} ${sign} ${beginning(target.parameter(value))}`;
}

/** A fault of a filter, with its place. */
export function invalidFilter(at: string, message: string): StepError {
  return new StepError("invalid-filter", sentence(`${at}: ${message}`), { details: { path: at } });
}
