import { Router } from "express";
import type { Log } from "../../log.ts";
import { ringRelay } from "../../runs/doorbell.ts";
import type { SqlPool } from "../../sql.ts";
import { accessOf } from "../access.ts";
import type { Gate } from "../gate.ts";
import { refuseMethod } from "../mount.ts";
import { metadataRoutes } from "./metadata/routes.ts";
import { openApiRoutes } from "./open-api/routes.ts";
import { operations } from "./operations.ts";
import { findPlace } from "./place.ts";
import { restProblems, toRestProblem } from "./problems.ts";

/**
 * `/rest/{plural}`: records by Twenty's conventions: paths, parameters and response shapes are the ones
 * its clients know. Stands behind authentication.
 */
export function createRestRouter({ pool, log, gate }: { pool: SqlPool; log: Log; gate: Gate }): Router {
  const router = Router();
  router.use(openApiRoutes(pool, gate), metadataRoutes(pool, gate));
  for (const path of new Set(operations.map((operation) => operation.path))) {
    const own = operations.filter((operation) => operation.path === path);
    const route = router.route(path.replaceAll(/\{(\w+)\}/g, ":$1"));
    for (const { method, answer, status = 200, changes } of own) {
      const access = accessOf({ method, path: `/rest${path}` }, changes === undefined ? {} : { changes });
      const action = `${method.toUpperCase()} /rest${path}`;
      route[method](
        gate({ access, action, problemOf: toRestProblem }, async (request, response) => {
          const data = await answer(await findPlace(pool, request, response), request);
          if (access.changes !== "nothing") ringRelay(pool);
          response.status(status).set("cache-control", "no-store").json(data);
        }),
      );
    }
    route.all(refuseMethod(own.map(({ method }) => method.toUpperCase())));
  }
  router.use(restProblems(log));
  return router;
}
