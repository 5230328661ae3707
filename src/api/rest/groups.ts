import type { Request } from "express";
import { filterSql } from "../../crm/filter.ts";
import { groupRecords, type GroupRequest } from "../../crm/group.ts";
import { getView } from "../../crm/views.ts";
import { sentence } from "../../definition/suggest.ts";
import { ProblemError } from "../../errors.ts";
import { isUuid } from "../../ids.ts";
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
  const view = await filterOfView(place, query.view_id);
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
    where: (statement, alias) => [asked?.where, view].map((where) => where?.(statement, alias) ?? "true").join(" and "),
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

/** What a view of the object shows, besides what the filter asks for. */
async function filterOfView(
  { objects, object, writer }: Place,
  id: string | undefined,
): Promise<GroupRequest["where"]> {
  if (id === undefined) return undefined;
  if (!isUuid(id)) throw refusedView("takes the id of a view");
  const { filter, object: of } = await getView(writer.pool, writer.workspace.id, id);
  if (of !== object.name) throw refusedView(`is a view of ${of}, not of ${object.name}`);
  if (filter === null) return undefined;
  return (statement, alias) => filterSql(filter, { statement, objects, object, alias, at: "view_id" });
}

function refusedView(message: string): ProblemError {
  return new ProblemError(400, "invalid-query", sentence(`view_id ${message}`), {
    issues: [{ path: "view_id", message }],
  });
}
