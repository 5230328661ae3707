import { z } from "zod";
import type { JsonObject } from "../../../json.ts";
import { problem } from "../../schemas.ts";
import { reference, type Schema } from "./schemas.ts";

/** How callers say who they are. */
export const securitySchemes: JsonObject = {
  bearerAuth: { type: "http", scheme: "bearer", description: "An API key: tandem_…" },
};

/** The `{id}` of a path. */
export const idParameter: Schema = {
  name: "id",
  in: "path",
  required: true,
  schema: { type: "string", format: "uuid" },
};

const refusals = {
  400: "The query or the body is not valid, or a unique value is taken (`code` is `record-exists`)",
  401: "No API key, or one that does not exist",
  404: "There is nothing of this name, or under this id",
  503: "The database is away; try again",
} as const;

/** What every operation may refuse with. */
export const refusalResponses: JsonObject = Object.fromEntries(
  Object.entries(refusals).map(([status, description]) => [
    status,
    { description, content: { "application/problem+json": { schema: reference("Problem") } } },
  ]),
);

/** The same as an operation names it. */
export const refusalReferences: JsonObject = Object.fromEntries(
  Object.keys(refusals).map((status) => [status, { $ref: `#/components/responses/${status}` }]),
);

/** JSON Schema of what a zod schema reads. */
export function jsonSchema(schema: z.ZodType): JsonObject {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  return rest as JsonObject;
}

/** How every refusal is answered: RFC 9457, with what Twenty's clients read. */
export const problemSchema: JsonObject = jsonSchema(
  z.object({ ...problem.shape, statusCode: z.int(), error: z.string(), messages: z.array(z.string()) }),
);

/** The parameters of a query, from the schema that reads it. */
export function queryParameters(query: z.ZodObject): Schema[] {
  const { properties = {}, required = [] } = jsonSchema(query) as {
    properties?: Record<string, JsonObject>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, { description, example, ...schema }]) => ({
    name,
    in: "query",
    required: required.includes(name),
    ...(description === undefined ? {} : { description }),
    schema,
    ...(example === undefined ? {} : { example }),
  }));
}
