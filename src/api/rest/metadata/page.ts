import { z } from "zod";
import { ProblemError } from "../../../errors.ts";
import { isUuid } from "../../../ids.ts";
import type { JsonObject } from "../../../json.ts";

const cursor = z.string("is given more than once").refine(isUuid, "takes the id of an item").toLowerCase().optional();

/** Query of a list of metadata. */
export const pageQuery = z.strictObject({
  limit: z
    .string("is given more than once")
    .regex(/^\d{1,9}$/, "takes a whole number")
    .optional()
    .meta({ description: "How many at most: 1,000" }),
  starting_after: cursor.meta({ description: "`endCursor` of the page before" }),
  ending_before: cursor.meta({ description: "`startCursor` of the page after" }),
});

const mostItems = 1_000;

/** A page of a list, as Twenty's clients know it; a cursor is the id of an item. */
export function pageOf(
  name: string,
  items: readonly JsonObject[],
  { limit, starting_after: after, ending_before: before }: z.output<typeof pageQuery>,
): object {
  if (after !== undefined && before !== undefined)
    throw new ProblemError(400, "invalid-query", "starting_after and ending_before exclude each other: send one.");
  const most = Math.min(Number(limit ?? mostItems), mostItems);
  const [from, to] = [after === undefined ? 0 : placeOf(items, after) + 1, placeOf(items, before, items.length)];
  const page = before === undefined ? items.slice(from, from + most) : items.slice(Math.max(0, to - most), to);
  const [first, last] = [page[0], page.at(-1)];
  return {
    data: { [name]: page },
    pageInfo: {
      hasNextPage: last !== undefined && last !== items.at(-1),
      hasPreviousPage: first !== undefined && first !== items[0],
      startCursor: first?.["id"] ?? null,
      endCursor: last?.["id"] ?? null,
    },
    totalCount: items.length,
  };
}

function placeOf(items: readonly JsonObject[], id: string | undefined, otherwise = 0): number {
  if (id === undefined) return otherwise;
  const place = items.findIndex((item) => item["id"] === id);
  if (place === -1) throw new ProblemError(400, "invalid-cursor", `The cursor ${id} is not one of this list.`);
  return place;
}
