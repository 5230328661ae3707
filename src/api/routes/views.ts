import { z } from "zod";
import { getObjects } from "../../crm/load-objects.ts";
import type { CrmObject, Objects } from "../../crm/objects.ts";
import { changeView, createView, deleteView, getView, listViews, viewName, viewShape } from "../../crm/views.ts";
import { didYouMean, sentence } from "../../definition/suggest.ts";
import { ProblemError } from "../../errors.ts";
import type { SqlPool } from "../../sql.ts";
import { decodeCursor, toPage } from "../cursor.ts";
import { defineEndpoint, type Endpoint } from "../endpoint.ts";
import { id, idParams, json, moment, pageOf, pageQuery } from "../schemas.ts";

const objectName = z.string().min(1).max(64).meta({ description: "The object's name", example: "person" });
const view = z
  .object({
    ...viewShape,
    id,
    object: z.string(),
    name: z.string().meta({ description: "As definitions name it" }),
    filter: json.meta({ description: "A condition on records; null: none" }),
    createdAt: moment,
    updatedAt: moment,
  })
  .meta({ id: "View" });
const newView = z
  .strictObject({
    object: objectName,
    name: viewName,
    label: viewShape.label.optional().meta({ description: "Default: the name" }),
    filter: viewShape.filter.default(null),
    sort: viewShape.sort.default([]),
    columns: viewShape.columns.default([]),
    search: viewShape.search.default(null),
  })
  .meta({ id: "NewView" });
const change = z
  .strictObject({ name: viewName, ...viewShape })
  .partial()
  .meta({ id: "ViewChange" });

const shared = { tag: "Views" } as const;
const invalid = { 422: "The view is not valid: `issues` names each fault with its place" };

/** `/api/views`: saved filters, sorts and columns, which definitions name. */
export function viewEndpoints(pool: SqlPool): Endpoint[] {
  return [
    defineEndpoint({
      ...shared,
      method: "get",
      path: "/api/views",
      summary: "Views, oldest first",
      query: pageQuery.extend({ object: objectName.optional() }),
      answers: { 200: pageOf(view) },
      async handle({ workspace, query: { limit, cursor, object } }) {
        const after = cursor === undefined ? undefined : decodeCursor(cursor);
        const of = object === undefined ? undefined : getObject(await getObjects(pool, workspace), object);
        const found = await listViews(pool, { workspaceId: workspace.id, objectId: of?.id, after, limit: limit + 1 });
        return { body: toPage(found, limit) };
      },
    }),
    defineEndpoint({
      ...shared,
      method: "post",
      path: "/api/views",
      summary: "Make a view",
      body: newView,
      answers: { 201: view },
      refusals: { 404: "There is no such object", 409: "Another view of the object is called so", ...invalid },
      async handle({ workspace, body: { object, label, ...rest } }) {
        const objects = await getObjects(pool, workspace);
        const place = { sql: pool, workspaceId: workspace.id, objects };
        const content = { ...rest, label: label ?? rest.name, object: getObject(objects, object) };
        return { status: 201, body: await createView(place, content) };
      },
    }),
    defineEndpoint({
      ...shared,
      method: "get",
      path: "/api/views/{id}",
      summary: "A view",
      params: idParams,
      answers: { 200: view },
      handle: async ({ workspace, params }) => ({ body: await getView(pool, workspace.id, params.id) }),
    }),
    defineEndpoint({
      ...shared,
      method: "patch",
      path: "/api/views/{id}",
      summary: "Change a view",
      description: "What is not named stays. Workflows that name the view use it as it is from then on.",
      params: idParams,
      body: change,
      answers: { 200: view },
      refusals: { 409: "Another view of the object is called so", ...invalid },
      async handle({ workspace, params, body }) {
        const objects = await getObjects(pool, workspace);
        return { body: await changeView({ sql: pool, workspaceId: workspace.id, objects }, params.id, body) };
      },
    }),
    defineEndpoint({
      ...shared,
      method: "delete",
      path: "/api/views/{id}",
      summary: "Delete a view",
      description: "The records stay. A step that names it fails from then on.",
      params: idParams,
      answers: { 200: z.object({ removed: z.literal(true) }) },
      async handle({ workspace, params }) {
        await deleteView(pool, workspace.id, params.id);
        return { body: { removed: true } };
      },
    }),
  ];
}

function getObject(objects: Objects, name: string): CrmObject {
  const object = objects.find(name);
  if (object !== undefined) return object;
  const known = objects.list().map((each) => each.name);
  throw new ProblemError(404, "object-not-found", sentence(`There is no object "${name}"${didYouMean(name, known)}`));
}
