import type { Request, RequestHandler, Response } from "express";
import type { ProblemError } from "../errors.ts";
import { createId } from "../ids.ts";
import { requireAccess, type Access } from "./access.ts";
import { changesBetween, type Audit, type Look } from "./audit.ts";
import { describeKey, getCaller } from "./auth.ts";
import { toProblemError } from "./problem.ts";
import { getRequestId } from "./request-id.ts";

/** What a call changed of what its address names, as far as somebody looked. */
export interface Looks {
  readonly before?: Look | undefined;
  readonly after?: Look | undefined;
}

/** Serves a request, and says what it changed. */
export type Handler = (request: Request, response: Response) => Promise<Looks | void>;

export interface Gated {
  readonly access: Access;
  /** As the API's document names it: `POST /api/secrets`. */
  readonly action: string;
  /** What an error is answered with. */
  readonly problemOf?: (error: unknown) => ProblemError;
}

/**
 * What every route behind a key passes. A call that may change something has one row in the audit, which is
 * committed before the first line of it runs; then the key's role and scopes are asked for.
 */
export type Gate = (route: Gated, handle: Handler) => RequestHandler;

/** Target paths are cut off here: nobody reads on. */
const longestTarget = 500;

export function createGate(audit: Audit): Gate {
  return ({ access, action, problemOf = toProblemError }, handle) => {
    const enter: Handler = async (request, response) => {
      requireAccess(access, getCaller(response), action);
      return handle(request, response);
    };
    if (access.changes === "nothing")
      return async (request, response) => {
        await enter(request, response);
      };
    return async (request, response) => {
      const id = createId();
      await audit.begin({ id, action, ...describe(request, response) });
      try {
        const { before, after } = (await enter(request, response)) ?? {};
        audit.end({
          id,
          outcome: "done",
          status: response.statusCode,
          code: null,
          before: before?.digest ?? null,
          after: after?.digest ?? null,
          changed: changesBetween(before, after),
        });
      } catch (error) {
        const { status, code } = problemOf(error);
        const outcome = status < 500 ? "refused" : "failed";
        audit.end({ id, outcome, status, code, before: null, after: null, changed: null });
        throw error;
      }
    };
  };
}

function describe(request: Request, response: Response) {
  const { workspace, apiKey } = getCaller(response);
  return {
    workspaceId: workspace.id,
    actor: describeKey(apiKey),
    target: `${request.baseUrl}${request.path}`.slice(0, longestTarget),
    requestId: getRequestId(response),
    ip: request.ip ?? null,
  };
}
