import { Router, type Request } from "express";
import { getObjects } from "../../../crm/load-objects.ts";
import type { SqlPool } from "../../../sql.ts";
import { getCaller } from "../../auth.ts";
import { refuseMethod } from "../../mount.ts";
import { describeCore } from "./core.ts";
import { describeMetadata } from "./metadata.ts";

/**
 * `/rest/open-api/core`: what the workspace's own records look like, for clients to be generated from; and
 * `/rest/open-api/metadata`, which is the same everywhere.
 */
export function openApiRoutes(pool: SqlPool): Router {
  const router = Router();
  router
    .route("/open-api/core")
    .get(async (request, response) => {
      const objects = await getObjects(pool, getCaller(response).workspace);
      response.set("cache-control", "no-store").json(describeCore(objects, serverUrl(request)));
    })
    .all(refuseMethod(["GET"]));
  router
    .route("/open-api/metadata")
    .get((request, response) => {
      response.set("cache-control", "no-store").json(describeMetadata(serverUrl(request)));
    })
    .all(refuseMethod(["GET"]));
  return router;
}

/** Where the caller reached us. */
function serverUrl(request: Request): string {
  return `${request.protocol}://${request.get("host") ?? "localhost"}${request.baseUrl}`;
}
