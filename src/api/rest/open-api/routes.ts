import { Router } from "express";
import { getObjects } from "../../../crm/objects.ts";
import type { SqlPool } from "../../../sql.ts";
import { getCaller } from "../../auth.ts";
import { refuseMethod } from "../../mount.ts";
import { describeCore } from "./core.ts";

/** `/rest/open-api/core`: what the workspace's own records look like, for clients to be generated from. */
export function openApiRoutes(pool: SqlPool): Router {
  const router = Router();
  router
    .route("/open-api/core")
    .get(async (request, response) => {
      const objects = await getObjects(pool, getCaller(response).workspace);
      const serverUrl = `${request.protocol}://${request.get("host") ?? "localhost"}${request.baseUrl}`;
      response.set("cache-control", "no-store").json(describeCore(objects, serverUrl));
    })
    .all(refuseMethod(["GET"]));
  return router;
}
