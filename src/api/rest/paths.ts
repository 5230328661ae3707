import type { RouteConfig } from "@asteasolutions/zod-to-openapi";
import { z } from "zod";
import { problem } from "../schemas.ts";
import { deleteQuery, listQuery, recordQuery } from "./query.ts";

const record = z
  .record(z.string(), z.unknown())
  .meta({ id: "Record", description: "A record's fields by name; `/api/objects` lists them" });
const pageInfo = z.object({
  hasNextPage: z.boolean(),
  hasPreviousPage: z.boolean(),
  startCursor: z.string().nullable(),
  endCursor: z.string().nullable(),
});
const recordPage = z
  .object({
    data: z
      .record(z.string(), z.array(record))
      .meta({ description: "The records under the object's plural: `people`" }),
    totalCount: z.int().meta({ description: "How many match in all" }),
    pageInfo,
  })
  .meta({ id: "RecordPage" });
const restProblem = problem
  .extend({ statusCode: z.int(), error: z.string(), messages: z.array(z.string()) })
  .meta({ id: "RestProblem" });

const ofObject = z.object({
  plural: z.string().meta({ description: "The object's plural: people, companies, tasks…", example: "people" }),
});
const ofRecord = ofObject.extend({ id: z.uuid() });
const body = { required: true, content: { "application/json": { schema: record } } };
const shared = { tags: ["Records"], security: [{ apiKey: [] }] };

/** The routes of `/rest` for the OpenAPI document: by Twenty's conventions, for every object. */
export const restPaths: readonly RouteConfig[] = [
  {
    ...shared,
    method: "get",
    path: "/rest/{plural}",
    summary: "List records",
    request: { params: ofObject, query: listQuery },
    responses: { 200: answer("A page of them", recordPage), ...refusals() },
  },
  {
    ...shared,
    method: "post",
    path: "/rest/{plural}",
    summary: "Create a record",
    request: { params: ofObject, query: recordQuery, body },
    responses: { 201: answer("The record", under("createPerson")), ...refusals(413, 415) },
  },
  {
    ...shared,
    method: "get",
    path: "/rest/{plural}/{id}",
    summary: "Read a record",
    request: { params: ofRecord, query: recordQuery },
    responses: { 200: answer("The record", under("person")), ...refusals() },
  },
  ...(["patch", "put"] as const).map((method): RouteConfig => ({
    ...shared,
    method,
    path: "/rest/{plural}/{id}",
    summary: method === "patch" ? "Change the fields that are named" : "The same as PATCH",
    request: { params: ofRecord, query: recordQuery, body },
    responses: { 200: answer("The record as it is then", under("updatePerson")), ...refusals(413, 415) },
  })),
  {
    ...shared,
    method: "delete",
    path: "/rest/{plural}/{id}",
    summary: "Destroy a record, or mark it as deleted",
    request: { params: ofRecord, query: deleteQuery },
    responses: { 200: answer("Its id", under("deletePerson")), ...refusals() },
  },
];

/** A record under a name that comes of the object's. */
function under(example: string): z.ZodType {
  return z.object({
    data: z.record(z.string(), record).meta({ description: `One key, named for the object: \`${example}\`` }),
  });
}

function answer(description: string, schema: z.ZodType): RouteConfig["responses"][string] {
  return { description, content: { "application/json": { schema } } };
}

function refusals(...own: Array<413 | 415>): RouteConfig["responses"] {
  const sentences = {
    400: "The query or the fields are not valid, or a unique value is taken (`code` is `record-exists`)",
    401: "No API key, or one that does not exist",
    404: "There is no such object, or no such record",
    413: "The body is larger than 1 MiB",
    415: "The body is of another type",
    503: "The database is away; try again",
  } as const;
  return Object.fromEntries(
    ([400, 401, 404, ...own, 503] as const).map((status) => [
      status,
      { description: sentences[status], content: { "application/problem+json": { schema: restProblem } } },
    ]),
  );
}
