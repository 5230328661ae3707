import type { RequestHandler, Response } from "express";
import { ProblemError } from "../errors.ts";
import type { SqlPool } from "../sql.ts";
import { createRecent } from "../recent.ts";
import { isKey } from "../vault/api-key-format.ts";
import { findApiKey, touchApiKey, type ApiKey } from "../vault/api-keys.ts";
import type { Vault } from "../vault/vault.ts";
import type { Workspace } from "../workspace.ts";
import type { Actor } from "../crm/objects.ts";

/** Who asks: what the routes behind a key find in `response.locals`. */
export interface Caller {
  readonly workspace: Workspace;
  readonly actor: Actor;
  /** The key that was sent. */
  readonly apiKey: Pick<ApiKey, "id" | "name" | "role" | "scopes" | "expiresAt">;
}

/** Lets through who sends `Authorization: Bearer <API key>`, as that key's workspace; others get 401. */
export function authenticate({ pool, vault }: { pool: SqlPool; vault: Vault }): RequestHandler {
  const touch = createTouch(pool);
  return async (request, response, next) => {
    const [scheme, key, ...rest] = (request.headers.authorization ?? "").trim().split(/ +/);
    if (scheme?.toLowerCase() !== "bearer" || key === undefined || rest.length > 0) {
      throw unauthorized("Send an API key: Authorization: Bearer tandem_…", 'Bearer realm="tandem"');
    }
    if (!isKey(key)) throw invalidToken("This is no API key: something of it is missing or mistyped. Copy it whole.");
    const found = await findApiKey(pool, vault, key);
    if (found === undefined) throw invalidToken("This API key does not exist.");
    const { isExpired, workspace, ...apiKey } = found;
    if (isExpired)
      throw invalidToken(`This API key ended at ${apiKey.expiresAt?.toISOString()}. Ask an admin for another.`);
    const caller: Caller = { workspace, actor: { source: "API", name: apiKey.name }, apiKey };
    Object.assign(response.locals, caller);
    touch(apiKey.id);
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

/** A key as it is told of later who did something: who launched a run, who settled a value, whom the audit names. */
export function describeKey({ name, id }: Pick<ApiKey, "name" | "id">) {
  return { kind: "api-key", name, id };
}

const touchedMs = 60_000;
const mostTouched = 10_000;

/** Notes that a key was used, at most once a minute; nobody waits for it, and a note that is lost is made again. */
function createTouch(pool: SqlPool): (id: string) => void {
  const touched = createRecent<string, number>(mostTouched);
  return (id) => {
    const last = touched.get(id);
    if (last !== undefined && performance.now() - last < touchedMs) return;
    touched.set(id, performance.now());
    touchApiKey(pool, id).catch(() => touched.delete(id));
  };
}

function invalidToken(detail: string): ProblemError {
  return unauthorized(detail, 'Bearer realm="tandem", error="invalid_token"');
}

function unauthorized(detail: string, challenge: string): ProblemError {
  return new ProblemError(401, "unauthorized", detail, { headers: { "www-authenticate": challenge } });
}
