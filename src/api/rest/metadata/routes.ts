import { Router, type Request } from "express";
import { z } from "zod";
import type { Metadata } from "../../../crm/metadata/stored.ts";
import { changeField, removeField } from "../../../crm/metadata/change-field.ts";
import { createField } from "../../../crm/metadata/create-field.ts";
import { changeObject, createObject, removeObject } from "../../../crm/metadata/objects.ts";
import { listStored, type StoredObject } from "../../../crm/metadata/stored.ts";
import { ProblemError } from "../../../errors.ts";
import { isUuid } from "../../../ids.ts";
import { textOf, type JsonObject } from "../../../json.ts";
import type { SqlPool } from "../../../sql.ts";
import { accessOf } from "../../access.ts";
import { getCaller } from "../../auth.ts";
import type { Gate, Handler } from "../../gate.ts";
import { refuseMethod } from "../../mount.ts";
import { readBody } from "../body.ts";
import { parseQuery } from "../query.ts";
import {
  fieldBody,
  fieldChangeBody,
  objectBody,
  objectChangeBody,
  toFieldChange,
  toFieldInput,
  toObjectChange,
  toObjectInput,
} from "./inputs.ts";
import { pageOf, pageQuery } from "./page.ts";
import { describeFields, describeObject, inverseId } from "./shapes.ts";

type Answer = (metadata: Metadata, request: Request) => Promise<object>;
type Method = "get" | "post" | "patch" | "put" | "delete";

interface Served {
  readonly answer: Answer;
  readonly status?: 201;
}

const noQuery = z.strictObject({});

/** `/rest/metadata/objects` and `/fields`, in the shapes that Twenty's clients know, over the same metadata as `/api/objects`. */
export function metadataRoutes(pool: SqlPool, gate: Gate): Router {
  const router = Router();
  const mount = (path: string, served: Partial<Record<Method, Served>>): void => {
    const route = router.route(path.replace("{id}", ":id"));
    for (const [method, { answer, status = 200 }] of Object.entries(served) as Array<[Method, Served]>) {
      const access = accessOf({ method, path: `/rest${path}` });
      const handle: Handler = async (request, response) => {
        const { workspace } = getCaller(response);
        const data = await answer({ pool, workspace }, request).catch(toTwenty);
        response.status(status).set("cache-control", "no-store").json(data);
      };
      route[method](gate({ access, action: `${method.toUpperCase()} /rest${path}` }, handle));
    }
    route.all(refuseMethod(Object.keys(served).map((method) => method.toUpperCase())));
  };
  for (const [plural, kind] of [
    ["objects", objects],
    ["fields", fields],
  ] as const) {
    const path = `/metadata/${plural}`;
    mount(path, { get: { answer: kind.list }, post: { answer: kind.create, status: 201 } });
    mount(`${path}/{id}`, {
      get: { answer: kind.one },
      patch: { answer: kind.update },
      put: { answer: kind.update },
      delete: { answer: kind.remove },
    });
  }
  return router;
}

/** What is refused for its sense is a 400 to clients of Twenty. */
function toTwenty(error: unknown): never {
  if (!(error instanceof ProblemError) || (error.status !== 409 && error.status !== 422)) throw error;
  throw new ProblemError(400, error.code, error.message, { issues: error.issues, cause: error });
}

interface Kind {
  readonly list: Answer;
  readonly one: Answer;
  readonly create: Answer;
  readonly update: Answer;
  readonly remove: Answer;
}

const objects: Kind = {
  async list({ pool, workspace }, request) {
    const all = await listStored(pool, workspace);
    const described = all.map((object) => describeObject(object, all));
    return pageOf("objects", described, parseQuery(request, pageQuery));
  },
  async one(metadata, request) {
    const { all, object } = await findObject(metadata, request);
    return { data: { object: describeObject(object, all) } };
  },
  async create(metadata, request) {
    parseQuery(request, noQuery);
    const { id } = await createObject(metadata, toObjectInput(await readBody(request, objectBody)));
    return { data: { createOneObject: await describedObject(metadata, id) } };
  },
  async update(metadata, request) {
    const { object } = await findObject(metadata, request);
    await changeObject(metadata, object.name, toObjectChange(await readBody(request, objectChangeBody)));
    return { data: { updateOneObject: await describedObject(metadata, object.id) } };
  },
  async remove(metadata, request) {
    const { all, object } = await findObject(metadata, request);
    await removeObject(metadata, object.name);
    return { data: { deleteOneObject: describeObject(object, all) } };
  },
};

const fields: Kind = {
  async list({ pool, workspace }, request) {
    const all = await listStored(pool, workspace);
    const described = all.flatMap((object) => describeFields(object, all));
    return pageOf("fields", described, parseQuery(request, pageQuery));
  },
  async one(metadata, request) {
    return { data: { field: (await findField(metadata, request)).described } };
  },
  async create(metadata, request) {
    parseQuery(request, noQuery);
    const body = await readBody(request, fieldBody);
    const wish = toFieldInput(body, await listStored(metadata.pool, metadata.workspace));
    const [field] = await createField(metadata, wish.object.name, wish.input);
    if (field === undefined) throw new Error(`${wish.object.name}: no field was made.`);
    const id = wish.isInverse ? inverseId(field) : field.id;
    return { data: { createOneField: await describedField(metadata, id) } };
  },
  async update(metadata, request) {
    const place = await findOwnField(metadata, request);
    await changeField(metadata, place, toFieldChange(await readBody(request, fieldChangeBody)));
    return { data: { updateOneField: await describedField(metadata, place.fieldName) } };
  },
  async remove(metadata, request) {
    const { described } = await findField(metadata, request);
    await removeField(metadata, await findOwnField(metadata, request));
    return { data: { deleteOneField: described } };
  },
};

/** The id of the path. Twenty answers one that is none with 400. */
function idOf(request: Request): string {
  parseQuery(request, noQuery);
  const id = String(request.params["id"]);
  if (isUuid(id)) return id.toLowerCase();
  throw new ProblemError(400, "invalid-id", `"${id}" is no id: it takes a UUID.`);
}

async function findObject(
  { pool, workspace }: Metadata,
  request: Request,
): Promise<{ all: StoredObject[]; object: StoredObject }> {
  const id = idOf(request);
  const all = await listStored(pool, workspace);
  const object = all.find((each) => each.id === id);
  if (object === undefined) throw new ProblemError(404, "object-not-found", `There is no object ${id}.`);
  return { all, object };
}

async function describedObject({ pool, workspace }: Metadata, id: string): Promise<JsonObject> {
  const all = await listStored(pool, workspace);
  const object = all.find((each) => each.id === id);
  if (object === undefined) throw new ProblemError(404, "object-not-found", `There is no object ${id}.`);
  return describeObject(object, all);
}

async function describedField({ pool, workspace }: Metadata, id: string): Promise<JsonObject> {
  const all = await listStored(pool, workspace);
  const found = all.flatMap((object) => describeFields(object, all)).find((field) => field["id"] === id);
  if (found === undefined) throw new ProblemError(404, "field-not-found", `There is no field ${id}.`);
  return found;
}

async function findField(metadata: Metadata, request: Request): Promise<{ described: JsonObject }> {
  return { described: await describedField(metadata, idOf(request)) };
}

/** Where a field that can be changed is: one of the object's own. */
async function findOwnField(metadata: Metadata, request: Request): Promise<{ objectName: string; fieldName: string }> {
  const id = idOf(request);
  const all = await listStored(metadata.pool, metadata.workspace);
  for (const object of all)
    if (object.fields.some((field) => field.id === id && field.state !== "removed"))
      return { objectName: object.name, fieldName: id };
  const described = await describedField(metadata, id);
  const name = textOf(described["name"]) ?? id;
  const reason = described["relation"] === null ? "every object has it" : "it is the other side of a relation";
  throw new ProblemError(400, "standard-field", `The field "${name}" cannot be changed: ${reason}.`);
}
