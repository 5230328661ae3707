import type { z } from "zod";
import type { JsonObject } from "../../../json.ts";
import { fieldBody, fieldChangeBody, objectBody, objectChangeBody } from "../metadata/inputs.ts";
import { pageQuery } from "../metadata/page.ts";
import {
  idParameter,
  jsonSchema,
  problemSchema,
  queryParameters,
  refusalReferences,
  refusalResponses,
  securitySchemes,
} from "./parts.ts";
import { reference, type Schema } from "./schemas.ts";

/** The OpenAPI document of `/rest/metadata`. */
export function describeMetadata(serverUrl: string): JsonObject {
  return {
    openapi: "3.1.1",
    info: {
      title: "Tandem metadata",
      version: "1",
      description: "Objects and fields, in the shapes that Twenty's clients know. `/api/objects` says more of them.",
    },
    servers: [{ url: serverUrl }],
    security: [{ bearerAuth: [] }],
    tags: [{ name: "objects" }, { name: "fields" }],
    paths: {
      ...pathsOf({ one: "object", many: "objects" }),
      ...pathsOf({ one: "field", many: "fields" }),
    },
    components: {
      securitySchemes,
      responses: refusalResponses,
      schemas: {
        ...schemasOf("Object", {
          body: objectBody,
          change: objectChangeBody,
          own: { fields: { type: "array", items: reference("FieldForResponse") } },
        }),
        ...schemasOf("Field", {
          body: fieldBody,
          change: fieldChangeBody,
          own: { relation: { type: ["object", "null"] } },
        }),
        Problem: problemSchema,
      },
    },
  };
}

interface Bodies {
  readonly body: z.ZodObject;
  readonly change: z.ZodObject;
  /** What only answers have. */
  readonly own: JsonObject;
}

function schemasOf(name: string, { body, change, own }: Bodies): JsonObject {
  const { properties, required } = jsonSchema(body);
  const id: Schema = { type: "string", format: "uuid" };
  const moment: Schema = { type: "string", format: "date-time" };
  return {
    [name]: { type: "object", properties: properties ?? {}, required: required ?? [] },
    [`${name}ForUpdate`]: { type: "object", properties: jsonSchema(change)["properties"] ?? {} },
    [`${name}ForResponse`]: {
      type: "object",
      properties: {
        id,
        ...(properties as JsonObject),
        isCustom: { type: "boolean" },
        isActive: { type: "boolean" },
        isSystem: { type: "boolean" },
        createdAt: moment,
        updatedAt: moment,
        ...own,
      },
    },
  };
}

function pathsOf({ one, many }: { one: string; many: string }): JsonObject {
  const name = `${one.charAt(0).toUpperCase()}${one.slice(1)}`;
  const answer = reference(`${name}ForResponse`);
  const operation = (id: string, summary: string, more: JsonObject): JsonObject => ({
    tags: [many],
    operationId: id,
    summary,
    ...more,
  });
  const body = (schema: string): JsonObject => ({
    requestBody: { required: true, content: { "application/json": { schema: reference(schema) } } },
  });
  const answers = (under: string, schema: Schema, status = 200): JsonObject => ({
    responses: {
      [status]: {
        description: "Done",
        content: {
          "application/json": {
            schema: { type: "object", properties: { data: { type: "object", properties: { [under]: schema } } } },
          },
        },
      },
      ...refusalReferences,
    },
  });
  const ofId = { parameters: [idParameter] };
  const list: Schema = { type: "array", items: answer };
  return {
    [`/metadata/${many}`]: {
      get: operation(`findMany${name}s`, `List ${many}`, {
        parameters: queryParameters(pageQuery),
        ...answers(many, list),
      }),
      post: operation(`createOne${name}`, `Create a ${one}`, {
        ...body(name),
        ...answers(`createOne${name}`, answer, 201),
      }),
    },
    [`/metadata/${many}/{id}`]: {
      get: operation(`findOne${name}`, `Read one ${one}`, { ...ofId, ...answers(one, answer) }),
      patch: operation(`updateOne${name}`, `Change one ${one}`, {
        ...ofId,
        ...body(`${name}ForUpdate`),
        ...answers(`updateOne${name}`, answer),
      }),
      delete: operation(`deleteOne${name}`, `Remove one ${one}`, { ...ofId, ...answers(`deleteOne${name}`, answer) }),
    },
  };
}
