import { literal, type Statement } from "../sql.ts";
import type { CrmObject, Objects } from "./objects.ts";
import { findTarget, invalidFilter, type Target } from "./target.ts";

/** Spans that moments and days are put together by, and the parts of the calendar that they are sorted by. */
export const granularities = [
  "NONE",
  "DAY",
  "WEEK",
  "MONTH",
  "QUARTER",
  "YEAR",
  "DAY_OF_THE_WEEK",
  "MONTH_OF_THE_YEAR",
  "QUARTER_OF_THE_YEAR",
] as const;
export type Granularity = (typeof granularities)[number];

/** What records are grouped by. */
export interface Dimension {
  /** A field, a sub-field, or what relations lead to: `company.name`. */
  readonly path: readonly string[];
  readonly granularity?: Granularity | undefined;
  /** IANA zone of a moment's days; default: the workspace's. */
  readonly timeZone?: string | undefined;
}

export interface DimensionSql {
  /** Over the table's alias: what makes the group, in the order of groups. */
  readonly value: string;
  /** The text that the answer has for it, of the value's SQL. */
  label(value: string): string;
}

interface DimensionContext {
  readonly statement: Statement;
  readonly objects: Objects;
  readonly object: CrmObject;
  readonly alias: string;
  /** Place of the dimension, for faults. */
  readonly at: string;
}

/** SQL of a dimension. Throws `invalid-filter` for what cannot be grouped by. */
export function dimensionSql(dimension: Dimension, context: DimensionContext): DimensionSql {
  const { sql, target } = findValue(dimension.path, context);
  const { granularity = "NONE" } = dimension;
  const { comparesAs } = target;
  const name = dimension.path.join(".");
  if (comparesAs === "list" || comparesAs === "json" || comparesAs === "composite")
    throw invalidFilter(context.at, `"${name}" has no groups; group by what is text, a number, a date or a choice`);
  if (comparesAs === "moment" && granularity === "NONE") return { value: sql, label: momentText };
  if (comparesAs === "moment") {
    const zone = context.statement.param(dimension.timeZone ?? context.object.timeZone, "text");
    const local = `(${sql} at time zone ${zone})`;
    return calendarSql(local, granularity, (value) => momentText(`(${value} at time zone ${zone})`));
  }
  if (comparesAs === "day" && granularity !== "NONE")
    return calendarSql(`${sql}::timestamp`, granularity, (value) => `to_char(${value}, 'YYYY-MM-DD')`);
  if (granularity !== "NONE") throw invalidFilter(context.at, `"${name}" is no date, which ${granularity} is of`);
  return { value: sql, label: (value) => `${value}::text` };
}

/** Over a local time. Weeks begin on Monday. */
function calendarSql(local: string, granularity: Granularity, beginning: (value: string) => string): DimensionSql {
  const part = (field: string, names: readonly string[]): DimensionSql => ({
    value: `extract(${field} from ${local})::integer`,
    label: (value) => `(array[${names.map(literal).join(", ")}])[${value}]`,
  });
  if (granularity === "DAY_OF_THE_WEEK") return part("isodow", weekdays);
  if (granularity === "MONTH_OF_THE_YEAR") return part("month", months);
  if (granularity === "QUARTER_OF_THE_YEAR") return part("quarter", ["Q1", "Q2", "Q3", "Q4"]);
  return { value: `date_trunc(${literal(granularity.toLowerCase())}, ${local})`, label: beginning };
}

const weekdays = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const months = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];

/** SQL: a moment as records show it. */
export function momentText(value: string): string {
  return `to_char(${value} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
}

const mostRelations = 3;

/** SQL of what a path names; what relations lead to is read from there. */
function findValue(
  path: readonly string[],
  context: DimensionContext & { readonly depth?: number },
): { sql: string; target: Target } {
  const { object, objects, alias, at, depth = 0 } = context;
  const [name = ""] = path;
  const field = path.length > 1 ? object.relation(name) : undefined;
  if (field?.relation === undefined) {
    const target = findTarget(object, path, alias, at);
    return { sql: target.sql, target };
  }
  const other = objects.find(field.relation.object);
  if (other === undefined) throw invalidFilter(at, `"${name}" leads to no object`);
  if (depth >= mostRelations)
    throw invalidFilter(at, `"${path.join(".")}" follows more than ${mostRelations} relations`);
  const inner = `${alias}_${depth + 1}`;
  const found = findValue(path.slice(1), { ...context, object: other, alias: inner, depth: depth + 1 });
  const from = `from ${other.table} ${inner} where ${inner}.id = ${alias}.${field.column} and ${inner}.deleted_at is null`;
  return { ...found, sql: `(select ${found.sql} ${from})` };
}
