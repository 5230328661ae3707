import { Router, type Request, type Response } from "express";
import type { Log } from "../../log.ts";
import { ringRelay } from "../../runs/doorbell.ts";
import type { SqlPool } from "../../sql.ts";
import { refuseMethod } from "../mount.ts";
import { metadataRoutes } from "./metadata/routes.ts";
import { openApiRoutes } from "./open-api/routes.ts";
import { operations } from "./operations.ts";
import { findPlace } from "./place.ts";
import { restProblems } from "./problems.ts";

/**
 * `/rest/{plural}`: records by Twenty's conventions: paths, parameters and response shapes are the ones
 * its clients know. Stands behind authentication.
 */
export function createRestRouter({ pool, log }: { pool: SqlPool; log: Log }): Router {
  const router = Router();
  router.use(openApiRoutes(pool), metadataRoutes(pool));
  for (const path of new Set(operations.map((operation) => operation.path))) {
    const own = operations.filter((operation) => operation.path === path);
    const route = router.route(path.replaceAll(/\{(\w+)\}/g, ":$1"));
    for (const { method, answer, status = 200 } of own)
      route[method](async (request: Request, response: Response): Promise<void> => {
        const data = await answer(await findPlace(pool, request, response), request);
        if (method !== "get") ringRelay(pool);
        response.status(status).set("cache-control", "no-store").json(data);
      });
    route.all(refuseMethod(own.map(({ method }) => method.toUpperCase())));
  }
  router.use(restProblems(log));
  return router;
}
