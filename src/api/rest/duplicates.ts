import type { Request } from "express";
import { z } from "zod";
import { findDuplicates } from "../../crm/duplicates.ts";
import { listRecords } from "../../crm/read.ts";
import { isJsonObject, type JsonObject } from "../../json.ts";
import { invalid, readBody, recordId, splitRecord } from "./body.ts";
import { notFound, type Place } from "./place.ts";
import { parseQuery, recordQuery } from "./query.ts";
import { present, shapeOf } from "./shape.ts";
import { fromSpellings } from "./spellings.ts";

/** Records that are asked about at once. */
const mostAsked = 200;
/** Duplicates of one record that are shown; `totalCount` says how many there are. */
const mostShown = 60;

/** Body of a search for duplicates. */
export const duplicatesBody = z
  .strictObject({
    ids: z.array(recordId).max(mostAsked).optional(),
    data: z
      .array(z.custom<JsonObject>(isJsonObject, "takes an object of fields").meta({ type: "object" }))
      .max(mostAsked)
      .optional(),
  })
  .meta({ description: "Exactly one: ids of records that are there, or the fields of such as may be" });

/** `POST /rest/people/duplicates` */
export async function duplicates(place: Place, request: Request): Promise<object> {
  const { object, writer } = place;
  const shape = shapeOf(object, parseQuery(request, recordQuery));
  const records = await readAsked(place, await readBody(request, duplicatesBody));
  const found = await findDuplicates(writer.pool, object, { records, limit: mostShown });
  const shown = await present(
    place,
    found.flatMap((each) => each.records),
    shape,
  );
  let from = 0;
  const data = found.map(({ records: own, total }) => {
    const page = shown.slice(from, from + own.length);
    from += own.length;
    return {
      totalCount: total,
      pageInfo: {
        hasNextPage: total > own.length,
        hasPreviousPage: false,
        startCursor: own[0]?.["id"] ?? null,
        endCursor: own.at(-1)?.["id"] ?? null,
      },
      [`${object.name}Duplicates`]: page,
    };
  });
  return { data };
}

async function readAsked(place: Place, { ids, data }: z.output<typeof duplicatesBody>): Promise<JsonObject[]> {
  const { object } = place;
  if ((ids === undefined) === (data === undefined))
    throw invalid("invalid-body", [{ path: "", message: "Send either ids or data" }]);
  if (ids !== undefined) return readByIds(place, ids);
  if (data?.length === 0) throw invalid("invalid-body", [{ path: "data", message: "has no record" }]);
  return (data ?? []).map((record) => {
    const values = fromSpellings(object, record);
    splitRecord(object, values);
    return values;
  });
}

async function readByIds({ objects, object, writer }: Place, ids: readonly string[]): Promise<JsonObject[]> {
  const { records } = await listRecords(writer.pool, {
    objects,
    object,
    limit: mostAsked,
    where: (statement, alias) => `${alias}.id = any (${statement.param(ids, "uuid[]")})`,
  });
  const byId = new Map(records.map((record) => [record["id"], record]));
  return ids.map((id) => {
    const record = byId.get(id);
    if (record === undefined) throw notFound(object, id);
    return record;
  });
}
