import { Router, type Request, type Response } from "express";
import type { Log } from "../../log.ts";
import type { SqlPool } from "../../sql.ts";
import { refuseMethod } from "../mount.ts";
import { createMany, updateMany } from "./batch.ts";
import { duplicates } from "./duplicates.ts";
import { groups } from "./groups.ts";
import { removeAll, restore, restoreAll, updateAll } from "./many.ts";
import { merge } from "./merge.ts";
import { findPlace, type Place } from "./place.ts";
import { restProblems } from "./problems.ts";
import { create, list, one, remove, update } from "./records.ts";

type Method = "get" | "post" | "patch" | "put" | "delete";
type Answer = (place: Place, request: Request) => Promise<object>;

/**
 * Every route under `/rest/{plural}`. A path with a word of its own comes before the one that would take
 * the word for an id. Twenty has had restoring and duplicates under two paths each.
 */
const routes: ReadonlyArray<{ path: string; answers: Partial<Record<Method, Answer>>; post?: 200 | 201 }> = [
  { path: "/batch/:plural", answers: { post: createMany, patch: updateMany, put: updateMany }, post: 201 },
  { path: "/restore/:plural", answers: { patch: restoreAll } },
  { path: "/restore/:plural/:id", answers: { patch: restore } },
  { path: "/duplicates/:plural", answers: { post: duplicates } },
  { path: "/:plural/duplicates", answers: { post: duplicates } },
  { path: "/:plural/groupBy", answers: { get: groups } },
  { path: "/:plural/merge", answers: { patch: merge } },
  { path: "/:plural/restore", answers: { patch: restoreAll } },
  { path: "/:plural/:id/restore", answers: { patch: restore } },
  {
    path: "/:plural",
    answers: { get: list, post: create, patch: updateAll, put: updateAll, delete: removeAll },
    post: 201,
  },
  { path: "/:plural/:id", answers: { get: one, patch: update, put: update, delete: remove } },
];

/**
 * `/rest/{plural}`: records by Twenty's conventions: paths, parameters and response shapes are the ones
 * its clients know. Stands behind authentication.
 */
export function createRestRouter({ pool, log }: { pool: SqlPool; log: Log }): Router {
  const router = Router();
  for (const { path, answers, post = 200 } of routes) {
    const route = router.route(path);
    for (const [method, answer] of Object.entries(answers) as [Method, Answer][])
      route[method](async (request: Request, response: Response): Promise<void> => {
        const data = await answer(await findPlace(pool, request, response), request);
        response
          .status(method === "post" ? post : 200)
          .set("cache-control", "no-store")
          .json(data);
      });
    route.all(refuseMethod(Object.keys(answers).map((method) => method.toUpperCase())));
  }
  router.use(restProblems(log));
  return router;
}
