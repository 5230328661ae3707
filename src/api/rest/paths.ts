import type { RouteConfig } from "@asteasolutions/zod-to-openapi";
import { z } from "zod";
import { problem } from "../schemas.ts";
import { duplicatesBody } from "./duplicates.ts";
import { mergeBody } from "./merge.ts";
import { operations, type Names, type Operation } from "./operations.ts";

const record = z
  .record(z.string(), z.unknown())
  .meta({ id: "Record", description: "A record's fields by name; `/rest/open-api/core` describes them" });
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
    totalCountIsEstimate: z.boolean().meta({ description: "Whether they were reckoned, not counted: past 10,000" }),
    pageInfo,
  })
  .meta({ id: "RecordPage" });
const groups = z
  .array(z.looseObject({ groupByDimensionValues: z.array(z.string().nullable()), totalCount: z.int() }))
  .meta({ id: "RecordGroups", description: "A group each, with the figures that were asked for" });
const duplicates = z
  .object({ data: z.array(z.looseObject({ totalCount: z.int(), pageInfo })) })
  .meta({ id: "RecordDuplicates", description: "For each record that was asked about, in the same order" });
const restProblem = problem
  .extend({ statusCode: z.int(), error: z.string(), messages: z.array(z.string()) })
  .meta({ id: "RestProblem" });

const ofObject = z.object({
  plural: z.string().meta({ description: "The object's plural: people, companies, tasks…", example: "people" }),
});
const ofRecord = ofObject.extend({ id: z.uuid() });

const bodies: Readonly<Record<NonNullable<Operation["body"]>, z.ZodType>> = {
  record,
  changes: record,
  records: z.array(record),
  rows: z.array(record),
  duplicates: duplicatesBody.meta({ id: "DuplicatesOf" }),
  merge: mergeBody.meta({ id: "Merge" }),
};

const anyNames: Names = { one: "record", many: "records", One: "Record", Many: "Records" };
const examples: Names = { one: "person", many: "people", One: "Person", Many: "People" };

/** The routes of `/rest` for the OpenAPI document: by Twenty's conventions, for every object. */
export const restPaths: readonly RouteConfig[] = operations.map((operation) => {
  const { method, path, summary, query, body, status = 200 } = operation;
  return {
    tags: ["Records"],
    security: [{ apiKey: [] }],
    method,
    path: `/rest${path}`,
    summary: method === "put" ? "The same as PATCH" : summary(anyNames),
    request: {
      params: path.includes("{id}") ? ofRecord : ofObject,
      query,
      ...(body === undefined
        ? {}
        : { body: { required: true, content: { "application/json": { schema: bodies[body] } } } }),
    },
    responses: {
      [status]: { description: "Done", content: { "application/json": { schema: answerOf(operation) } } },
      ...refusals(body !== undefined),
    },
  };
});

function answerOf({ gives, under }: Operation): z.ZodType {
  if (gives === "page") return recordPage;
  if (gives === "groups") return groups;
  if (gives === "duplicates") return duplicates;
  const isList = gives === "records" || gives === "ids";
  const data = z.record(z.string(), isList ? z.array(record) : record);
  return z.object({ data: data.meta({ description: `One key, named for the object: \`${under(examples)}\`` }) });
}

function refusals(hasBody: boolean): RouteConfig["responses"] {
  const sentences = {
    400: "The query or the fields are not valid, or a unique value is taken (`code` is `record-exists`)",
    401: "No API key, or one that does not exist",
    404: "There is no such object, or no such record",
    ...(hasBody ? { 413: "The body is larger than 1 MiB", 415: "The body is of another type" } : {}),
    503: "The database is away; try again",
  };
  return Object.fromEntries(
    Object.entries(sentences).map(([status, description]) => [
      status,
      { description, content: { "application/problem+json": { schema: restProblem } } },
    ]),
  );
}
