import { didYouMean } from "../definition/suggest.ts";
import type { Statement } from "../sql.ts";
import { filterSql } from "./filter.ts";
import { momentText } from "./group-dimensions.ts";
import type { CrmObject, Objects } from "./objects.ts";
import { findTarget, invalidFilter } from "./target.ts";

const operations = [
  "sum",
  "avg",
  "min",
  "max",
  "countUniqueValues",
  "countNotEmpty",
  "countEmpty",
  "percentageNotEmpty",
  "percentageEmpty",
  "countTrue",
  "countFalse",
] as const;
type Operation = (typeof operations)[number];

export interface AggregateSql {
  readonly name: string;
  /** Over the table's alias, inside a group. */
  readonly value: string;
  /** JSON of the value's SQL. */
  json(value: string): string;
}

interface AggregateContext {
  readonly statement: Statement;
  readonly objects: Objects;
  readonly object: CrmObject;
  readonly alias: string;
  readonly at: string;
}

/** A figure of a group by the name that it has in Twenty: `totalCount`, `sumAmountAmountMicros`. */
export function aggregateSql(name: string, context: AggregateContext): AggregateSql {
  if (name === "totalCount") return { name, value: "count(*)", json: toJson };
  const operation = operations.find((each) => name.startsWith(each));
  const path = operation === undefined ? undefined : pathsOf(context.object).get(name.slice(operation.length));
  if (operation === undefined || path === undefined) throw unknown(name, context);
  return { name, ...operationSql(operation, path, context) };
}

function operationSql(
  operation: Operation,
  path: readonly string[],
  context: AggregateContext,
): Pick<AggregateSql, "value" | "json"> {
  const { object, alias, at, statement, objects } = context;
  const target = findTarget(object, path, alias, at);
  const { comparesAs, sql } = target;
  const field = path.join(".");
  const requires = (kinds: readonly string[], what: string): void => {
    if (!kinds.includes(comparesAs)) throw invalidFilter(at, `"${operation}" is of ${what}, and ${field} is none`);
  };
  const empty = (): string => filterSql({ field, operator: "isEmpty" }, { statement, objects, object, alias, at });
  switch (operation) {
    case "sum":
    case "avg":
      requires(["number"], "numbers");
      return { value: `${operation}((${sql})::numeric)`, json: numberJson };
    case "min":
    case "max":
      requires(["number", "moment", "day"], "numbers and dates");
      return { value: `${operation}(${sql})`, json: jsonOf(comparesAs) };
    case "countUniqueValues":
      return { value: `count(distinct ${sql})`, json: toJson };
    case "countEmpty":
      return { value: `count(*) filter (where ${empty()})`, json: toJson };
    case "countNotEmpty":
      return { value: `count(*) filter (where not ${empty()})`, json: toJson };
    case "percentageEmpty":
      return { value: `round(count(*) filter (where ${empty()})::numeric / count(*), 4)`, json: numberJson };
    case "percentageNotEmpty":
      return { value: `round(count(*) filter (where not ${empty()})::numeric / count(*), 4)`, json: numberJson };
    case "countTrue":
    case "countFalse":
      requires(["boolean"], "what is true or false");
      return { value: `count(*) filter (where ${sql} = ${operation === "countTrue"})`, json: toJson };
  }
}

function toJson(value: string): string {
  return `to_jsonb(${value})`;
}

/** Exactly: as text where a double would not hold all digits of a whole number. Fractions are rounded as doubles. */
function numberJson(value: string): string {
  const isHeld = `${value} <> trunc(${value}) or abs(${value}) <= ${Number.MAX_SAFE_INTEGER}`;
  return `case when ${isHeld} then to_jsonb((${value})::double precision) else to_jsonb(trim_scale(${value})::text) end`;
}

function jsonOf(comparesAs: string): (value: string) => string {
  if (comparesAs === "moment") return (value) => toJson(momentText(value));
  if (comparesAs === "day") return (value) => toJson(`to_char(${value}, 'YYYY-MM-DD')`);
  return (value) => numberJson(`(${value})::numeric`);
}

/** What may follow an operation in a figure's name: `AmountAmountMicros` → the path. */
function pathsOf(object: CrmObject): Map<string, string[]> {
  const paths = new Map([["Id", ["id"]]]);
  for (const { name, info } of object.fields) {
    paths.set(capital(name), [name]);
    for (const sub of Object.keys(info.subFields ?? {})) paths.set(`${capital(name)}${capital(sub)}`, [name, sub]);
  }
  return paths;
}

function unknown(name: string, { object, at }: AggregateContext): Error {
  const known = operations.flatMap((operation) => [...pathsOf(object).keys()].map((path) => `${operation}${path}`));
  const meant =
    didYouMean(name, ["totalCount", ...known]) || `; write totalCount or ${operations.join(", ")} and a field`;
  return invalidFilter(at, `${object.plural} have no figure "${name}"${meant}`);
}

function capital(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}
