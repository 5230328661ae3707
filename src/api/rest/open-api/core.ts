import type { CrmObject, Objects } from "../../../crm/objects.ts";
import type { JsonObject } from "../../../json.ts";
import { duplicatesBody } from "../duplicates.ts";
import { mergeBody } from "../merge.ts";
import { operations, type Names, type Operation } from "../operations.ts";
import { answerSchema } from "./answers.ts";
import {
  idParameter,
  jsonSchema,
  problemSchema,
  queryParameters,
  refusalReferences,
  refusalResponses,
  securitySchemes,
} from "./parts.ts";
import { objectSchemas, reference, type Schema } from "./schemas.ts";

/** The OpenAPI document of a workspace's own objects, as clients are generated from. */
export function describeCore(objects: Objects, serverUrl: string): JsonObject {
  const list = objects.list();
  const schemaOf = (name: string): string | undefined => {
    const object = objects.find(name);
    return object === undefined ? undefined : namesOf(object).One;
  };
  return {
    openapi: "3.1.1",
    info: {
      title: "Tandem",
      version: "1",
      description: "The records of this workspace, by Twenty's conventions. Made anew from its objects and fields.",
    },
    servers: [{ url: serverUrl }],
    security: [{ bearerAuth: [] }],
    tags: list.map(({ plural, labelPlural }) => ({ name: plural, description: labelPlural })),
    paths: pathsOf(list),
    components: {
      securitySchemes,
      responses: refusalResponses,
      schemas: {
        ...Object.assign({}, ...list.map((object) => objectSchemas(object, { One: namesOf(object).One, schemaOf }))),
        Merge: jsonSchema(mergeBody),
        DuplicatesOf: jsonSchema(duplicatesBody),
        Problem: problemSchema,
      },
    },
  };
}

/** An object's names as the operations write them. */
export function namesOf({ name, plural }: Pick<CrmObject, "name" | "plural">): Names {
  const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
  return { one: name, many: plural, One: capital(name), Many: capital(plural) };
}

function pathsOf(list: readonly CrmObject[]): JsonObject {
  const paths: Record<string, Record<string, Schema>> = {};
  for (const object of list)
    for (const operation of operations) {
      const path = operation.path.replace("{plural}", object.plural);
      paths[path] = { ...paths[path], [operation.method]: describeOperation(operation, object) };
    }
  return paths;
}

function describeOperation(operation: Operation, object: CrmObject): JsonObject {
  const names = namesOf(object);
  const { query, body, path, status = 200 } = operation;
  return {
    tags: [object.plural],
    operationId: operation.id(names),
    summary: operation.summary(names),
    parameters: [...(path.includes("{id}") ? [idParameter] : []), ...queryParameters(query)],
    ...(body === undefined
      ? {}
      : { requestBody: { required: true, content: { "application/json": { schema: bodySchema(body, names) } } } }),
    responses: {
      [status]: {
        description: "Done",
        content: { "application/json": { schema: answerSchema(operation, names) } },
      },
      ...refusalReferences,
    },
  };
}

function bodySchema(body: NonNullable<Operation["body"]>, { One }: Names): Schema {
  switch (body) {
    case "record":
      return reference(One);
    case "changes":
      return reference(`${One}ForUpdate`);
    case "records":
      return { type: "array", items: reference(One), maxItems: 1_000 };
    case "rows":
      return {
        type: "array",
        maxItems: 1_000,
        items: {
          allOf: [
            reference(`${One}ForUpdate`),
            { type: "object", properties: { id: { type: "string", format: "uuid" } }, required: ["id"] },
          ],
        },
      };
    case "duplicates":
      return reference("DuplicatesOf");
    case "merge":
      return reference("Merge");
  }
}
