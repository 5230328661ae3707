import { granularities, type Dimension, type GroupRequest } from "../../crm/group.ts";
import type { CrmObject } from "../../crm/objects.ts";
import { sentence } from "../../definition/suggest.ts";
import { ProblemError } from "../../errors.ts";
import { isJsonObject, type Json, type JsonObject } from "../../json.ts";
import { parseJson } from "../body/parse-json.ts";
import { directionOf } from "./order-by.ts";
import { fromSpelling } from "./spellings.ts";

/** What `group_by` says: `[{"stage":true},{"closeDate":{"granularity":"MONTH"}},{"name":{"lastName":true}}]`. Throws a 400. */
export function parseDimensions(object: CrmObject, source: string): Dimension[] {
  const items = parseList("group_by", source);
  if (items.length < 1 || items.length > 2) throw refused("group_by", "takes one or two fields");
  return items.map((item) => {
    const { path, end } = walk("group_by", item, (node) => "granularity" in node || "timeZone" in node);
    return { path: fromSpelling(object, path), ...(isJsonObject(end) ? parseCalendar(end) : checkTrue(end)) };
  });
}

function parseCalendar({ granularity = "NONE", timeZone, ...rest }: JsonObject): Omit<Dimension, "path"> {
  const [extra] = Object.keys(rest);
  if (extra !== undefined) throw refused("group_by", `knows no "${extra}" beside granularity and timeZone`);
  const known = granularities.find((each) => each === granularity);
  if (known === undefined)
    throw refused(
      "group_by",
      `has the granularity ${JSON.stringify(granularity)}; there are ${granularities.join(", ")}`,
    );
  if (timeZone === undefined) return { granularity: known };
  if (typeof timeZone !== "string" || !isTimeZone(timeZone))
    throw refused(
      "group_by",
      `has the time zone ${JSON.stringify(timeZone)}, which is no IANA name such as Europe/Zurich`,
    );
  return { granularity: known, timeZone };
}

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}

function checkTrue(end: Json): Record<string, never> {
  if (end !== true) throw refused("group_by", 'ends each field with true, as in [{"stage":true}]');
  return {};
}

/** What `aggregate` says: names of figures, as a JSON list, or with commas. */
export function parseFigures(source = ""): string[] {
  if (source.trim() === "") return [];
  const items: Json[] = source.trim().startsWith("[") ? parseList("aggregate", source) : source.split(",");
  const names = items.map((item) => {
    if (typeof item !== "string") throw refused("aggregate", 'takes names, as in ["sumAmountAmountMicros"]');
    return item.trim();
  });
  return [...new Set(names)].filter((name) => name !== "totalCount");
}

type GroupOrder = NonNullable<GroupRequest["order"]>[number];

/** What `order_by` of groups says: `[{"aggregate":{"totalCount":"DescNullsLast"}},{"stage":"AscNullsFirst"}]`. Throws a 400. */
export function parseGroupOrder(
  source: string | undefined,
  { object, by }: { object: CrmObject; by: readonly Dimension[] },
): GroupOrder[] {
  if (source === undefined || source.trim() === "") return [];
  return parseList("order_by", source).map((item) => {
    const { path, end } = walk("order_by", item, (node) => "orderBy" in node);
    const direction = directionOf(isJsonObject(end) ? (end["orderBy"] ?? "") : end, path.join("."));
    if (path[0] === "aggregate" && path[1] !== undefined) return { by: path[1], ...direction };
    const wanted = fromSpelling(object, path).join(".");
    const place = by.findIndex((dimension) => dimension.path.join(".") === wanted);
    if (place === -1) throw refused("order_by", `names "${path.join(".")}", by which nothing is grouped`);
    return { by: place, ...direction };
  });
}

/** Follows the one key of each object to where a value, or what `isEnd` knows, is. */
function walk(parameter: string, item: Json, isEnd: (node: JsonObject) => boolean): { path: string[]; end: Json } {
  const path: string[] = [];
  let node = item;
  while (isJsonObject(node) && !isEnd(node)) {
    const [key, ...others] = Object.keys(node);
    if (key === undefined || others.length > 0)
      throw refused(parameter, 'has one key in each of its objects, as in [{"stage":…}]');
    path.push(key);
    node = node[key] ?? null;
  }
  if (path.length === 0) throw refused(parameter, 'is a list of objects, as in [{"stage":…}]');
  return { path, end: node };
}

function parseList(parameter: string, source: string): Json[] {
  try {
    const list = parseJson(source);
    if (Array.isArray(list)) return list;
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    throw refused(parameter, "is no valid JSON", error);
  }
  throw refused(parameter, 'is a JSON list, as in [{"stage":…}]');
}

function refused(parameter: string, message: string, cause?: unknown): ProblemError {
  return new ProblemError(400, "invalid-query", sentence(`${parameter} ${message}`), {
    issues: [{ path: parameter, message }],
    cause,
  });
}
