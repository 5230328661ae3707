import type { Names, Operation } from "../operations.ts";
import { reference, type Schema } from "./schemas.ts";

const pageInfo: Schema = {
  type: "object",
  properties: {
    hasNextPage: { type: "boolean" },
    hasPreviousPage: { type: "boolean" },
    startCursor: { type: ["string", "null"] },
    endCursor: { type: ["string", "null"] },
  },
};
const onlyId: Schema = { type: "object", properties: { id: { type: "string", format: "uuid" } }, required: ["id"] };

/** What an operation answers with, as JSON Schema. */
export function answerSchema({ gives, under }: Operation, names: Names): Schema {
  const record = reference(`${names.One}ForResponse`);
  const data = (schema: Schema): Schema => ({
    type: "object",
    properties: { data: { type: "object", properties: { [under(names)]: schema } } },
  });
  switch (gives) {
    case "page":
      return {
        type: "object",
        properties: {
          data: { type: "object", properties: { [under(names)]: { type: "array", items: record } } },
          pageInfo,
          totalCount: { type: "integer" },
          totalCountIsEstimate: { type: "boolean" },
        },
      };
    case "record":
      return data(record);
    case "merged":
      return {
        type: "object",
        properties: {
          data: { type: "object", properties: { [`merge${names.One}`]: record, [under(names)]: record } },
        },
      };
    case "records":
      return data({ type: "array", items: record });
    case "id":
      return data(onlyId);
    case "ids":
      return data({ type: "array", items: onlyId });
    case "duplicates":
      return {
        type: "object",
        properties: {
          data: {
            type: "array",
            items: {
              type: "object",
              properties: {
                totalCount: { type: "integer" },
                pageInfo,
                [under(names)]: { type: "array", items: record },
              },
            },
          },
        },
      };
    case "groups":
      return {
        type: "array",
        items: {
          type: "object",
          properties: {
            groupByDimensionValues: { type: "array", items: { type: ["string", "null"] } },
            totalCount: { type: "integer" },
            records: { type: "array", items: record },
          },
          additionalProperties: true,
        },
      };
  }
}
