import type { Request } from "express";
import { groupRecords, type GroupRequest } from "../../crm/group.ts";
import type { JsonObject } from "../../json.ts";
import { parseDimensions, parseFigures, parseGroupOrder } from "./group-syntax.ts";
import { filterOf } from "./matching.ts";
import { parseOrderBy } from "./order-by.ts";
import type { Place } from "./place.ts";
import { groupQuery, parseQuery } from "./query.ts";
import { withSpellings } from "./spellings.ts";

const mostGroups = 200;
/** Records of a group's sample. */
const sampled = 10;

/** `GET /rest/people/groupBy`. Twenty answers with the bare list of groups. */
export async function groups(place: Place, request: Request): Promise<object> {
  const { objects, object, writer } = place;
  const query = parseQuery(request, groupQuery);
  const by = parseDimensions(object, query.group_by);
  const asked = filterOf(place, query.filter);
  const sample: GroupRequest["sample"] =
    query.include_records_sample === "true"
      ? { limit: sampled, sort: sortOf(parseOrderBy(query.order_by_for_records ?? "", object)) }
      : undefined;
  const found = await groupRecords(writer.pool, {
    objects,
    object,
    by,
    aggregates: parseFigures(query.aggregate),
    order: parseGroupOrder(query.order_by, { object, by }),
    limit: Math.min(Number(query.limit ?? mostGroups), mostGroups),
    omitNulls: query.omit_null_values === "true",
    where: asked?.where,
    deleted: asked?.deleted ?? false,
    sample,
  });
  return found.map(({ values, total, aggregates, records }): JsonObject => ({
    groupByDimensionValues: values,
    totalCount: total,
    ...aggregates,
    ...(records === undefined ? {} : { records: records.map((record) => withSpellings(object, record)) }),
  }));
}

function sortOf(sort: ReturnType<typeof parseOrderBy>): NonNullable<GroupRequest["sample"]>["sort"] {
  return sort.map(({ field, direction, nulls = "last" }) => ({ field, direction, nulls }));
}
