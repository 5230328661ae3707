import { Router, type Request, type RequestHandler } from "express";
import { getObjects } from "../../../crm/load-objects.ts";
import type { SqlPool } from "../../../sql.ts";
import { accessOf } from "../../access.ts";
import { getCaller } from "../../auth.ts";
import type { Gate, Handler } from "../../gate.ts";
import { refuseMethod } from "../../mount.ts";
import { describeCore } from "./core.ts";
import { describeMetadata } from "./metadata.ts";

/**
 * `/rest/open-api/core`: what the workspace's own records look like, for clients to be generated from; and
 * `/rest/open-api/metadata`, which is the same everywhere.
 */
export function openApiRoutes(pool: SqlPool, gate: Gate): Router {
  const router = Router();
  const open = (path: string, handle: Handler): RequestHandler =>
    gate({ access: accessOf({ method: "get", path }), action: `GET ${path}` }, handle);
  router
    .route("/open-api/core")
    .get(
      open("/rest/open-api/core", async (request, response) => {
        const objects = await getObjects(pool, getCaller(response).workspace);
        response.set("cache-control", "no-store").json(describeCore(objects, serverUrl(request)));
      }),
    )
    .all(refuseMethod(["GET"]));
  router
    .route("/open-api/metadata")
    .get(
      open("/rest/open-api/metadata", async (request, response) => {
        response.set("cache-control", "no-store").json(describeMetadata(serverUrl(request)));
      }),
    )
    .all(refuseMethod(["GET"]));
  return router;
}

/** Where the caller reached us. */
function serverUrl(request: Request): string {
  return `${request.protocol}://${request.get("host") ?? "localhost"}${request.baseUrl}`;
}
