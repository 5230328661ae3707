import type { Request, Response } from "express";
import { getObjects } from "../../crm/load-objects.ts";
import type { CrmObject, Objects } from "../../crm/objects.ts";
import { createWriter, type Writer } from "../../crm/operations.ts";
import { didYouMean, sentence } from "../../definition/suggest.ts";
import { ProblemError } from "../../errors.ts";
import { isUuid } from "../../ids.ts";
import type { SqlPool } from "../../sql.ts";
import { getCaller } from "../auth.ts";

/** The object that a path names, in the workspace of the caller. */
export interface Place {
  readonly objects: Objects;
  readonly object: CrmObject;
  readonly writer: Writer;
}

/** The place of a request by the `plural` in its path. Throws a 404 that suggests. */
export async function findPlace(pool: SqlPool, request: Request, response: Response): Promise<Place> {
  const { workspace, actor } = getCaller(response);
  const objects = await getObjects(pool, workspace);
  const plural = String(request.params["plural"]);
  const object = objects.findByPlural(plural);
  if (object !== undefined) return { objects, object, writer: createWriter({ pool, workspace, objects, actor }) };
  const known = objects.list().map((each) => each.plural);
  throw new ProblemError(
    404,
    "object-not-found",
    sentence(`There is no object "${plural}"${didYouMean(plural, known) || `; there are ${known.join(", ")}`}`),
  );
}

/** The id of the path, in the case that Postgres writes it. */
export function getId(object: CrmObject, request: Request): string {
  const id = String(request.params["id"]);
  if (!isUuid(id)) throw notFound(object, id);
  return id.toLowerCase();
}

export function notFound(object: CrmObject, id: string): ProblemError {
  return new ProblemError(404, "record-not-found", `There is no ${object.name} ${id}.`);
}

/** `createPerson`, `createPeople`: what an answer's data is under. */
export function under(verb: string, name: string): string {
  return `${verb}${name.charAt(0).toUpperCase()}${name.slice(1)}`;
}
