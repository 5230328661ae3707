import { STATUS_CODES } from "node:http";
import { Router, type ErrorRequestHandler, type Request, type Response } from "express";
import { z } from "zod";
import { getObjects, type CrmObject, type Objects } from "../../crm/objects.ts";
import { createRecord, createWriter, deleteRecord, updateRecord, type Writer } from "../../crm/operations.ts";
import { findRecord, listRecords } from "../../crm/read.ts";
import { didYouMean } from "../../definition/suggest.ts";
import { ProblemError, StepError } from "../../errors.ts";
import { isUuid } from "../../ids.ts";
import { isJsonObject, type JsonObject } from "../../json.ts";
import type { Log } from "../../log.ts";
import type { SqlPool } from "../../sql.ts";
import { getCaller } from "../auth.ts";
import { parseForm } from "../body/parse-form.ts";
import { readDocument, refuseMethod, searchOf } from "../mount.ts";
import { sendProblem, toProblemError } from "../problem.ts";
import { restFilterSql } from "./filter-sql.ts";
import { parseFilter } from "./filter-syntax.ts";
import { parseOrderBy } from "./order-by.ts";

const defaultLimit = 60;
const mostLimit = 200;

const queryText = z.string().optional();
const listQuery = z.object({
  filter: queryText,
  order_by: queryText,
  limit: z.coerce.number().int().min(0).optional(),
  starting_after: queryText,
  ending_before: queryText,
  depth: z.enum(["0"], "only depth 0 is available").optional(),
});

interface Place {
  readonly objects: Objects;
  readonly object: CrmObject;
  readonly writer: Writer;
}

/**
 * `/rest/{plural}`: records by Twenty's conventions: paths, parameters and response shapes are the ones
 * its clients know. Errors are problem documents that also carry Twenty's `statusCode`, `error` and
 * `messages`. Stands behind authentication.
 */
export function createRestRouter({ pool, log }: { pool: SqlPool; log: Log }): Router {
  const router = Router();
  router
    .route("/:plural")
    .get(async (request, response) =>
      answer(response, 200, await list(await placeOf(pool, request, response), request)),
    )
    .post(async (request, response) =>
      answer(response, 201, await create(await placeOf(pool, request, response), request)),
    )
    .all(refuseMethod(["GET", "POST"]));
  const update = async (request: Request, response: Response): Promise<void> =>
    answer(response, 200, await change(await placeOf(pool, request, response), request));
  router
    .route("/:plural/:id")
    .get(async (request, response) => answer(response, 200, await one(await placeOf(pool, request, response), request)))
    .patch(update)
    .put(update)
    .delete(async (request, response) =>
      answer(response, 200, await remove(await placeOf(pool, request, response), request)),
    )
    .all(refuseMethod(["GET", "PATCH", "PUT", "DELETE"]));
  router.use(restErrors(log));
  return router;
}

function answer(response: Response, status: number, data: object): void {
  response.status(status).set("cache-control", "no-store").json(data);
}

async function placeOf(pool: SqlPool, request: Request, response: Response): Promise<Place> {
  const { workspace, actor } = getCaller(response);
  const objects = await getObjects(pool, workspace);
  const plural = String(request.params["plural"]);
  const object = objects.findByPlural(plural);
  if (object === undefined) {
    throw new ProblemError(
      404,
      "object-not-found",
      `There is no object "${plural}"${didYouMean(
        plural,
        objects.list().map((known) => known.plural),
      )}.`,
    );
  }
  return { objects, object, writer: createWriter({ pool, workspace, objects, actor }) };
}

async function list({ objects, object, writer }: Place, request: Request): Promise<object> {
  const query = parseQuery(request, listQuery);
  if (query.starting_after !== undefined && query.ending_before !== undefined) {
    throw new ProblemError(400, "invalid-query", "starting_after and ending_before exclude each other.");
  }
  const filter = query.filter === undefined || query.filter === "" ? undefined : parseFilter(query.filter);
  const page = await listRecords(writer.pool, {
    objects,
    object,
    limit: Math.min(query.limit ?? defaultLimit, mostLimit),
    sort: parseOrderBy(query.order_by),
    after: query.starting_after,
    before: query.ending_before,
    ...(filter === undefined
      ? {}
      : { where: (statement, alias) => restFilterSql(filter, { statement, objects, object, alias }) }),
  });
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

async function one({ object, writer }: Place, request: Request): Promise<object> {
  const id = getId(object, request);
  const record = await findRecord(writer.pool, object, id);
  if (record === undefined) throw notFound(object, id);
  return { data: { [object.name]: record } };
}

async function create({ object, writer }: Place, request: Request): Promise<object> {
  const { id, ...values } = await readRecord(request);
  if (id !== undefined && (typeof id !== "string" || !isUuid(id)))
    throw new ProblemError(400, "invalid-id", "id: takes a UUID, or may be left out.");
  const made = await createRecord(writer, { object, values, ...(id === undefined ? {} : { id }) });
  return { data: { [`create${capital(object.name)}`]: made.record } };
}

async function change({ object, writer }: Place, request: Request): Promise<object> {
  const changed = await updateRecord(writer, { object, id: getId(object, request), values: await readRecord(request) });
  return { data: { [`update${capital(object.name)}`]: changed.record } };
}

async function remove({ object, writer }: Place, request: Request): Promise<object> {
  const { soft_delete: soft } = parseQuery(request, z.object({ soft_delete: z.enum(["true", "false"]).optional() }));
  const id = getId(object, request);
  const removed = await deleteRecord(writer, { object, id, permanently: soft !== "true" });
  if (removed === undefined) throw notFound(object, id);
  return { data: { [`delete${capital(object.name)}`]: { id: removed.id } } };
}

async function readRecord(request: Request): Promise<JsonObject> {
  const body = await readDocument(request, false);
  if (!isJsonObject(body)) throw new ProblemError(400, "invalid-body", "The body must be an object of fields.");
  return body;
}

function parseQuery<Schema extends z.ZodType>(request: Request, schema: Schema): z.output<Schema> {
  const parsed = schema.safeParse(parseForm(searchOf(request.url)));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new ProblemError(
    400,
    "invalid-query",
    `${issue?.path.join(".") ?? "query"}: ${issue?.message ?? "not valid"}.`,
  );
}

function getId(object: CrmObject, request: Request): string {
  const id = String(request.params["id"]);
  if (!isUuid(id)) throw notFound(object, id);
  return id;
}

function notFound(object: CrmObject, id: string): ProblemError {
  return new ProblemError(404, "record-not-found", `There is no ${object.name} ${id}.`);
}

function capital(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}

/** What the CRM refuses, as statuses of HTTP. Twenty answers a duplicate with 400, and so do we. */
const statuses: Readonly<Record<string, number>> = {
  "record-not-found": 404,
  "precondition-failed": 412,
  "record-contended": 503,
};

function restErrors(log: Log): ErrorRequestHandler {
  return (thrown: unknown, request, response, next) => {
    if (response.headersSent) return next(thrown);
    const problem =
      thrown instanceof StepError
        ? new ProblemError(statuses[thrown.code] ?? 400, thrown.code, thrown.message, { cause: thrown })
        : toProblemError(thrown);
    const twenty = {
      statusCode: problem.status,
      error: STATUS_CODES[problem.status] ?? "Error",
      messages: [problem.message],
    };
    const { instance } = sendProblem(response, problem, twenty);
    if (problem.status === 500)
      log.error({ err: thrown, instance, method: request.method, path: request.path }, "A request failed");
    request.resume();
  };
}
