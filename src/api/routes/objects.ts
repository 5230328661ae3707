import { z } from "zod";
import { createField } from "../../crm/metadata/create-field.ts";
import { changeField, removeField } from "../../crm/metadata/change-field.ts";
import {
  fieldChange,
  fieldDefinition,
  indexDefinition,
  objectChange,
  objectDefinition,
} from "../../crm/metadata/definitions.ts";
import { findField, findObject } from "../../crm/metadata/find.ts";
import { createIndex, removeIndex } from "../../crm/metadata/indexes.ts";
import { changeObject, createObject, removeObject } from "../../crm/metadata/objects.ts";
import { listStored } from "../../crm/metadata/stored.ts";
import type { SqlPool } from "../../sql.ts";
import type { Workspace } from "../../workspace.ts";
import { defineEndpoint, type Answer, type Endpoint } from "../endpoint.ts";
import { id } from "../schemas.ts";
import { describeField, describeIndex, describeObject, field, index, object } from "./object-shapes.ts";

const ofObject = z.strictObject({ object: z.string().meta({ description: "Name, plural or id", example: "person" }) });
const ofField = ofObject.extend({ field: z.string().meta({ description: "Name or id", example: "jobTitle" }) });
const ofIndex = ofObject.extend({ index: id });
const shared = { tag: "Objects" } as const;
const inUse = "A workflow, an open run or a view names it, or records stand against it; `issues` names them";
const removed = z.object({ removed: z.literal(true) });

/** `/api/objects`: what kinds of records there are, and what they hold. Everything changes while others work. */
export function objectEndpoints(pool: SqlPool): Endpoint[] {
  const at = (workspace: Workspace) => ({ pool, workspace });
  return [
    defineEndpoint({
      ...shared,
      method: "get",
      path: "/api/objects",
      summary: "The workspace's objects and their fields",
      answers: { 200: z.object({ data: z.array(object), nextCursor: z.null() }) },
      handle: async ({ workspace }) => ({
        body: { data: (await listStored(pool, workspace)).map(describeObject), nextCursor: null },
      }),
    }),
    defineEndpoint({
      ...shared,
      method: "post",
      path: "/api/objects",
      summary: "Make an object",
      description: "It has the fields of every object and a `name`. Relations are added when it is there.",
      body: objectDefinition,
      answers: { 201: object },
      refusals: { 409: "Another object is called so" },
      handle: async ({ workspace, body }) => made(describeObject(await createObject(at(workspace), body))),
    }),
    defineEndpoint({
      ...shared,
      method: "get",
      path: "/api/objects/{object}",
      summary: "An object",
      params: ofObject,
      answers: { 200: object },
      handle: async ({ workspace, params }) => ({
        body: describeObject((await findObject(at(workspace), params.object)).object),
      }),
    }),
    defineEndpoint({
      ...shared,
      method: "patch",
      path: "/api/objects/{object}",
      summary: "Change, hide or show an object",
      params: ofObject,
      body: objectChange,
      answers: { 200: object },
      refusals: { 409: inUse },
      handle: async ({ workspace, params, body }) => ({
        body: describeObject(await changeObject(at(workspace), params.object, body)),
      }),
    }),
    defineEndpoint({
      ...shared,
      method: "delete",
      path: "/api/objects/{object}",
      summary: "Remove an object and its records",
      description: "Hidden at once; its table goes some minutes later. Standard objects can only be hidden.",
      params: ofObject,
      answers: { 200: removed },
      refusals: { 409: inUse },
      async handle({ workspace, params }) {
        await removeObject(at(workspace), params.object);
        return { body: { removed: true } };
      },
    }),
    ...fieldEndpoints(pool),
    ...indexEndpoints(pool),
  ];
}

function fieldEndpoints(pool: SqlPool): Endpoint[] {
  const at = (workspace: Workspace) => ({ pool, workspace });
  return [
    defineEndpoint({
      ...shared,
      method: "post",
      path: "/api/objects/{object}/fields",
      summary: "Add a field",
      description:
        "Answered when its indexes and constraints are there; of a relation to several objects one for each.",
      params: ofObject,
      body: fieldDefinition,
      answers: { 201: z.object({ data: z.array(field) }) },
      refusals: { 409: "The name is taken, or there are records that would have no value" },
      handle: async ({ workspace, params, body }) =>
        made({ data: (await createField(at(workspace), params.object, body)).map(describeField) }),
    }),
    defineEndpoint({
      ...shared,
      method: "get",
      path: "/api/objects/{object}/fields/{field}",
      summary: "A field",
      params: ofField,
      answers: { 200: field },
      handle: async ({ workspace, params }) => ({
        body: describeField(findField((await findObject(at(workspace), params.object)).object, params.field)),
      }),
    }),
    defineEndpoint({
      ...shared,
      method: "patch",
      path: "/api/objects/{object}/fields/{field}",
      summary: "Change, hide or show a field",
      description: "Options come and are renamed without a look at the records; one that records hold cannot go.",
      params: ofField,
      body: fieldChange,
      answers: { 200: field },
      refusals: { 409: inUse },
      handle: async ({ workspace, params, body }) => ({
        body: describeField(
          await changeField(at(workspace), { objectName: params.object, fieldName: params.field }, body),
        ),
      }),
    }),
    defineEndpoint({
      ...shared,
      method: "delete",
      path: "/api/objects/{object}/fields/{field}",
      summary: "Remove a field and its values",
      description: "Hidden at once; its column goes some minutes later. Standard fields can only be hidden.",
      params: ofField,
      answers: { 200: removed },
      refusals: { 409: inUse },
      async handle({ workspace, params }) {
        await removeField(at(workspace), { objectName: params.object, fieldName: params.field });
        return { body: { removed: true } };
      },
    }),
  ];
}

function indexEndpoints(pool: SqlPool): Endpoint[] {
  const at = (workspace: Workspace) => ({ pool, workspace });
  return [
    defineEndpoint({
      ...shared,
      method: "post",
      path: "/api/objects/{object}/indexes",
      summary: "Add an index over several fields",
      description: "Unique: no two records have the same in all of them, where each has a value.",
      params: ofObject,
      body: indexDefinition,
      answers: { 201: index },
      refusals: { 409: "There is such an index, or records stand against it; `issues` names them" },
      async handle({ workspace, params, body }) {
        const created = await createIndex(at(workspace), params.object, body);
        const { object: owner } = await findObject(at(workspace), params.object);
        return made(describeIndex(owner, created));
      },
    }),
    defineEndpoint({
      ...shared,
      method: "delete",
      path: "/api/objects/{object}/indexes/{index}",
      summary: "Remove an index",
      params: ofIndex,
      answers: { 200: removed },
      refusals: { 409: "It comes with every workspace" },
      async handle({ workspace, params }) {
        await removeIndex(at(workspace), { objectName: params.object, id: params.index });
        return { body: { removed: true } };
      },
    }),
  ];
}

function made(body: unknown): Answer {
  return { status: 201, body };
}
