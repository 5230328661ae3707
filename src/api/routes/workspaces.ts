import { z } from "zod";
import type { Catalog } from "../../catalog/drafts.ts";
import { makeWorkspace } from "../../catalog/make-workspace.ts";
import { listWorkspaces, requireFirstWorkspace } from "../../catalog/workspaces.ts";
import { createId } from "../../ids.ts";
import type { SqlPool } from "../../sql.ts";
import type { Vault } from "../../vault/vault.ts";
import { decodeCursor, toPage } from "../cursor.ts";
import { defineEndpoint, type Endpoint } from "../endpoint.ts";
import { id, moment, pageOf, pageQuery } from "../schemas.ts";
import { settingsShape } from "./workspace.ts";

const name = z.string().trim().min(1).max(200);
const workspaceShape = { id, name, ...settingsShape, createdAt: moment };
const workspaceSummary = z.object(workspaceShape).meta({ id: "Workspace" });
const made = z
  .object({ ...workspaceShape, apiKey: z.string().meta({ description: "Its first key: shown here and never again" }) })
  .meta({ id: "NewWorkspace" });
const wanted = z
  .strictObject({
    id: z.uuid().optional().meta({ description: "A UUID of your own: the same again makes no second one" }),
    name,
    ...z.strictObject(settingsShape).partial().shape,
    member: z
      .strictObject({ firstName: z.string().max(200), lastName: z.string().max(200), email: z.email() })
      .optional()
      .meta({ description: "Its first member, to whom tasks are assigned" }),
  })
  .meta({ id: "WorkspaceWanted" });
const firstOnly = { 403: "The key is not one of the first workspace" };

/** `/api/workspaces`: the tenants of an installation, for keys of its first workspace. */
export function workspaceEndpoints({
  pool,
  vault,
  catalog,
}: {
  pool: SqlPool;
  vault: Vault;
  catalog: Pick<Catalog, "kinds" | "triggerKinds" | "quickLane">;
}): Endpoint[] {
  return [
    defineEndpoint({
      method: "get",
      path: "/api/workspaces",
      tag: "Workspaces",
      summary: "Workspaces, oldest first",
      query: pageQuery,
      answers: { 200: pageOf(workspaceSummary) },
      refusals: firstOnly,
      async handle({ workspace, query: { limit, cursor } }) {
        await requireFirstWorkspace(pool, workspace, "Workspaces are listed");
        const after = cursor === undefined ? undefined : decodeCursor(cursor);
        return { body: toPage(await listWorkspaces(pool, { limit: limit + 1, after }), limit) };
      },
    }),
    defineEndpoint({
      method: "post",
      path: "/api/workspaces",
      tag: "Workspaces",
      summary: "Make a workspace with its first key",
      description:
        "It begins with the standard objects, one member, and the templates as drafts. Sent again with the same `id` and `name` within ten minutes, it answers 200 with a further key: the answer to the first may have been lost.",
      body: wanted,
      answers: { 200: made, 201: made },
      refusals: { ...firstOnly, 409: "The id is taken" },
      async handle({ workspace, body: { id: ownId, name: itsName, member, ...settings } }) {
        await requireFirstWorkspace(pool, workspace, "Workspaces are made");
        const result = await makeWorkspace({ pool, vault }, catalog, {
          id: ownId?.toLowerCase() ?? createId(),
          name: itsName,
          settings,
          member,
        });
        return { status: result.isNew ? 201 : 200, body: { ...result.workspace, apiKey: result.apiKey } };
      },
    }),
  ];
}
