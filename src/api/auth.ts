import type { RequestHandler, Response } from "express";
import { ProblemError } from "../errors.ts";
import type { JsonObject } from "../json.ts";
import type { SqlPool } from "../sql.ts";
import { findApiKey } from "../vault/api-keys.ts";
import type { Workspace } from "../workspace.ts";
import type { Actor } from "../crm/objects.ts";

/** Who asks: what the routes behind a key find in `response.locals`. */
export interface Caller {
  readonly workspace: Workspace;
  readonly actor: Actor;
  /** The key that was sent. */
  readonly apiKey: { readonly id: string; readonly name: string };
}

/** Lets through who sends `Authorization: Bearer <API key>`, as that key's workspace; others get 401. */
export function authenticate(pool: SqlPool): RequestHandler {
  return async (request, response, next) => {
    const [scheme, key, ...rest] = (request.headers.authorization ?? "").trim().split(/ +/);
    if (scheme?.toLowerCase() !== "bearer" || key === undefined || rest.length > 0) {
      throw unauthorized("Send an API key: Authorization: Bearer tandem_…", 'Bearer realm="tandem"');
    }
    const found = await findApiKey(pool, key);
    if (found === undefined)
      throw unauthorized("This API key does not exist.", 'Bearer realm="tandem", error="invalid_token"');
    const { id, name, workspace } = found;
    const caller: Caller = { workspace, actor: { source: "API", name }, apiKey: { id, name } };
    Object.assign(response.locals, caller);
    next();
  };
}

/** The caller that `authenticate` let through. */
export function getCaller(response: Response): Caller {
  const { workspace, actor, apiKey } = response.locals as Partial<Caller>;
  if (workspace === undefined || actor === undefined || apiKey === undefined)
    throw new Error("This route stands behind no authentication.");
  return { workspace, actor, apiKey };
}

/** A person who starts a run by the API, as `run.launchedBy` tells of them. */
export function launchedByKey({ name, id }: Caller["apiKey"]): JsonObject {
  return { kind: "api-key", name, id };
}

function unauthorized(detail: string, challenge: string): ProblemError {
  return new ProblemError(401, "unauthorized", detail, { headers: { "www-authenticate": challenge } });
}
