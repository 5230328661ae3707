import type { Request } from "express";
import type { CrmObject, Objects } from "../../crm/objects.ts";
import { createRecord, deleteRecord, updateRecord, type Writer } from "../../crm/operations.ts";
import { findRecord, listRecords, type RecordPage } from "../../crm/read.ts";
import { checkValues } from "../../crm/values.ts";
import { ProblemError, type Issue } from "../../errors.ts";
import { isUuid } from "../../ids.ts";
import { isJsonObject, type JsonObject } from "../../json.ts";
import { sqlState, type Sql, type SqlPool } from "../../sql.ts";
import { readDocument } from "../mount.ts";
import { namesField, restFilterSql } from "./filter-sql.ts";
import { parseFilter } from "./filter-syntax.ts";
import { parseOrderBy } from "./order-by.ts";
import { deleteQuery, listQuery, parseQuery, recordQuery } from "./query.ts";

const defaultLimit = 60;
const mostLimit = 200;

/** The object that a path names, in the workspace of the caller. */
export interface Place {
  readonly objects: Objects;
  readonly object: CrmObject;
  readonly writer: Writer;
}

/** `GET /rest/people` */
export async function list(place: Place, request: Request): Promise<object> {
  const { object } = place;
  const page = await readPage(place, request);
  return {
    data: { [object.plural]: page.records },
    totalCount: page.total,
    pageInfo: {
      hasNextPage: page.hasNext,
      hasPreviousPage: page.hasPrevious,
      startCursor: page.startCursor,
      endCursor: page.endCursor,
    },
  };
}

async function readPage({ objects, object, writer }: Place, request: Request): Promise<RecordPage> {
  const query = parseQuery(request, listQuery);
  const { starting_after: after, ending_before: before } = query;
  if (after !== undefined && before !== undefined)
    throw new ProblemError(400, "invalid-query", "starting_after and ending_before exclude each other: send one.");
  const filter = query.filter === undefined || query.filter === "" ? undefined : parseFilter(query.filter);
  try {
    return await listRecords(withoutNames(writer.pool), {
      objects,
      object,
      limit: Math.min(Number(query.limit ?? defaultLimit), mostLimit),
      sort: parseOrderBy(query.order_by ?? "", object),
      after,
      before,
      deleted: filter !== undefined && namesField(filter, "deletedAt"),
      ...(filter === undefined
        ? {}
        : { where: (statement, alias) => restFilterSql(filter, { statement, objects, object, alias }) }),
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

/** Filters have as many shapes as callers: a statement prepared by name for each would stay in its session. */
function withoutNames(pool: SqlPool): Sql {
  return Object.create(pool, {
    query: { value: async ({ text, values }: { text: string; values: unknown[] }) => pool.query({ text, values }) },
  });
}

/** `GET /rest/people/{id}` */
export async function one({ object, writer }: Place, request: Request): Promise<object> {
  parseQuery(request, recordQuery);
  const id = getId(object, request);
  const record = await findRecord(writer.pool, object, id);
  if (record === undefined) throw notFound(object, id);
  return { data: { [object.name]: record } };
}

/** `POST /rest/people`; the body may bring an id. */
export async function create({ object, writer }: Place, request: Request): Promise<object> {
  parseQuery(request, recordQuery);
  const { id, ...values } = await readRecord(request);
  if (id !== undefined && (typeof id !== "string" || !isUuid(id)))
    throw invalidValues([{ path: "id", message: "takes a UUID, or is left out" }]);
  check(object, values);
  const made = await createRecord(writer, { object, values, ...(id === undefined ? {} : { id }) });
  return { data: { [`create${capital(object.name)}`]: made.record } };
}

/** `PATCH /rest/people/{id}`: only what the body names changes. */
export async function update({ object, writer }: Place, request: Request): Promise<object> {
  parseQuery(request, recordQuery);
  const id = getId(object, request);
  const { id: named, ...values } = await readRecord(request);
  if (named !== undefined && named !== id) throw invalidValues([{ path: "id", message: "cannot be changed" }]);
  check(object, values);
  const changed = await updateRecord(writer, { object, id, values });
  return { data: { [`update${capital(object.name)}`]: changed.record } };
}

/** `DELETE /rest/people/{id}` destroys; with `soft_delete=true` it marks. */
export async function remove({ object, writer }: Place, request: Request): Promise<object> {
  const { soft_delete: soft } = parseQuery(request, deleteQuery);
  const id = getId(object, request);
  const removed = await deleteRecord(writer, { object, id, permanently: soft !== "true" });
  if (removed === undefined) throw notFound(object, id);
  return { data: { [`delete${capital(object.name)}`]: { id: removed.id } } };
}

async function readRecord(request: Request): Promise<JsonObject> {
  const body = await readDocument(request, false);
  if (isJsonObject(body)) return body;
  throw new ProblemError(400, "invalid-body", 'The body must be an object of fields, as in {"name": …}.');
}

/** Names every fault of the values by its field. */
function check(object: CrmObject, values: JsonObject): void {
  const { issues } = checkValues(object, values, "");
  const cleared = object.fields.filter((field) => field.required && values[field.name] === null);
  const faults = [...issues, ...cleared.map(({ name }) => ({ path: name, message: "must have a value" }))];
  if (faults.length > 0) throw invalidValues(faults);
}

function invalidValues(issues: readonly Issue[]): ProblemError {
  const sentences = issues.map(({ path, message }) => `${path}: ${message}`);
  return new ProblemError(400, "invalid-values", `${sentences.join("; ")}.`, { issues });
}

/** The id of the path, in the case that Postgres writes it. */
function getId(object: CrmObject, request: Request): string {
  const id = String(request.params["id"]);
  if (!isUuid(id)) throw notFound(object, id);
  return id.toLowerCase();
}

function notFound(object: CrmObject, id: string): ProblemError {
  return new ProblemError(404, "record-not-found", `There is no ${object.name} ${id}.`);
}

function capital(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}
