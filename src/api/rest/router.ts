import { Router, type Request, type Response } from "express";
import { getObjects } from "../../crm/objects.ts";
import { createWriter } from "../../crm/operations.ts";
import { didYouMean } from "../../definition/suggest.ts";
import { ProblemError } from "../../errors.ts";
import type { Log } from "../../log.ts";
import type { SqlPool } from "../../sql.ts";
import { getCaller } from "../auth.ts";
import { refuseMethod } from "../mount.ts";
import { restProblems } from "./problems.ts";
import { create, list, one, remove, update, type Place } from "./records.ts";

/**
 * `/rest/{plural}`: records by Twenty's conventions: paths, parameters and response shapes are the ones
 * its clients know. Stands behind authentication.
 */
export function createRestRouter({ pool, log }: { pool: SqlPool; log: Log }): Router {
  const serve =
    (answer: (place: Place, request: Request) => Promise<object>, status = 200) =>
    async (request: Request, response: Response): Promise<void> => {
      const data = await answer(await findPlace(pool, request, response), request);
      response.status(status).set("cache-control", "no-store").json(data);
    };
  const router = Router();
  router
    .route("/:plural")
    .get(serve(list))
    .post(serve(create, 201))
    .all(refuseMethod(["GET", "POST"]));
  router
    .route("/:plural/:id")
    .get(serve(one))
    .patch(serve(update))
    .put(serve(update))
    .delete(serve(remove))
    .all(refuseMethod(["GET", "PATCH", "PUT", "DELETE"]));
  router.use(restProblems(log));
  return router;
}

async function findPlace(pool: SqlPool, request: Request, response: Response): Promise<Place> {
  const { workspace, actor } = getCaller(response);
  const objects = await getObjects(pool, workspace);
  const plural = String(request.params["plural"]);
  const object = objects.findByPlural(plural);
  if (object !== undefined) return { objects, object, writer: createWriter({ pool, workspace, objects, actor }) };
  const known = objects.list().map((each) => each.plural);
  throw new ProblemError(
    404,
    "object-not-found",
    `There is no object "${plural}"${didYouMean(plural, known) || `; there are ${known.join(", ")}`}.`,
  );
}
