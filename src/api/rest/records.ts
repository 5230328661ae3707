import type { Request } from "express";
import { createRecord, deleteRecord, updateRecord } from "../../crm/operations.ts";
import { findRecord, listRecords, type RecordPage } from "../../crm/read.ts";
import { ProblemError } from "../../errors.ts";
import { sqlState } from "../../sql.ts";
import { upsertOne } from "./batch.ts";
import { invalid, readRecord, splitRecord, checkRecord } from "./body.ts";
import { filterOf } from "./matching.ts";
import { parseOrderBy } from "./order-by.ts";
import { getId, notFound, under, type Place } from "./place.ts";
import { createQuery, deleteQuery, listQuery, parseQuery, recordQuery } from "./query.ts";
import { present, presentOne, shapeOf } from "./shape.ts";

const defaultLimit = 60;
const mostLimit = 200;

/** `GET /rest/people` */
export async function list(place: Place, request: Request): Promise<object> {
  const { object } = place;
  const shape = shapeOf(object, parseQuery(request, listQuery));
  const page = await readPage(place, request);
  return {
    data: { [object.plural]: await present(place, page.records, shape) },
    totalCount: page.total,
    totalCountIsEstimate: page.totalIsEstimate,
    pageInfo: {
      hasNextPage: page.hasNext,
      hasPreviousPage: page.hasPrevious,
      startCursor: page.startCursor,
      endCursor: page.endCursor,
    },
  };
}

async function readPage(place: Place, request: Request): Promise<RecordPage> {
  const { objects, object, writer } = place;
  const query = parseQuery(request, listQuery);
  const { starting_after: after, ending_before: before, search } = query;
  if (after !== undefined && before !== undefined)
    throw new ProblemError(400, "invalid-query", "starting_after and ending_before exclude each other: send one.");
  const asked = filterOf(place, query.filter);
  const sort = parseOrderBy(query.order_by ?? "", object);
  try {
    return await listRecords(writer.pool, {
      objects,
      object,
      limit: Math.min(Number(query.limit ?? defaultLimit), mostLimit),
      ...(sort.length === 0 ? {} : { sort }),
      after,
      before,
      deleted: asked?.deleted ?? false,
      ...(search === undefined || search.trim() === "" ? {} : { search }),
      ...(asked === undefined ? {} : { where: asked.where }),
    });
  } catch (error) {
    // A cursor of another order has values that are not of this order's types.
    if ((after ?? before) !== undefined && sqlState(error)?.code.startsWith("22") === true)
      throw new ProblemError(400, "invalid-cursor", "The cursor is not one of this list with this order.", {
        cause: error,
      });
    throw error;
  }
}

/** `GET /rest/people/{id}` */
export async function one(place: Place, request: Request): Promise<object> {
  const { object, writer } = place;
  const shape = shapeOf(object, parseQuery(request, recordQuery));
  const id = getId(object, request);
  const record = await findRecord(writer.pool, object, id);
  if (record === undefined) throw notFound(object, id);
  return { data: { [object.name]: await presentOne(place, record, shape) } };
}

/** `POST /rest/people`; the body may bring an id. With `upsert=true` a record that is there is changed. */
export async function create(place: Place, request: Request): Promise<object> {
  const { object, writer } = place;
  const query = parseQuery(request, createQuery);
  const shape = shapeOf(object, query);
  const record = await readRecord(object, request);
  const made =
    query.upsert === "true"
      ? await upsertOne(place, record, query)
      : (await createRecord(writer, { object, ...splitRecord(object, record) })).record;
  return { data: { [under("create", object.name)]: await presentOne(place, made, shape) } };
}

/** `PATCH /rest/people/{id}`: only what the body names changes. */
export async function update(place: Place, request: Request): Promise<object> {
  const { object, writer } = place;
  const shape = shapeOf(object, parseQuery(request, recordQuery));
  const id = getId(object, request);
  const { id: named, ...values } = await readRecord(object, request);
  if (named !== undefined && (typeof named !== "string" || named.toLowerCase() !== id))
    throw invalid("invalid-values", [{ path: "id", message: "cannot be changed" }]);
  checkRecord(object, values);
  const { record } = await updateRecord(writer, { object, id, values });
  return { data: { [under("update", object.name)]: await presentOne(place, record, shape) } };
}

/** `DELETE /rest/people/{id}` destroys; with `soft_delete=true` it marks. */
export async function remove({ object, writer }: Place, request: Request): Promise<object> {
  const { soft_delete: soft } = parseQuery(request, deleteQuery);
  const id = getId(object, request);
  const removed = await deleteRecord(writer, { object, id, permanently: soft !== "true" });
  if (removed === undefined) throw notFound(object, id);
  return { data: { [under("delete", object.name)]: { id: removed.id } } };
}
