import { randomInt, randomUUID } from "node:crypto";
import { STATUS_CODES } from "node:http";
import type { ErrorRequestHandler, Response } from "express";
import { ProblemError, type Issue } from "../errors.ts";
import type { Log } from "../log.ts";
import { isUnavailable, sqlState } from "../sql.ts";

/** An error as it is answered: application/problem+json (RFC 9457). */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly issues?: readonly Issue[];
  /** Only where the fault is ours: the log has the rest under this id. */
  readonly instance?: string;
}

/**
 * Turns whatever was thrown into a ProblemError. What Postgres says of a value it cannot keep is the
 * sender's fault; Postgres being away is 503, to be sent again; anything else is ours and gets a 500
 * that says nothing of the inside.
 */
export function toProblemError(error: unknown): ProblemError {
  if (error instanceof ProblemError) return error;
  if (isAway(error)) return away(error);
  if (error instanceof URIError)
    return new ProblemError(400, "malformed-url", "The URL is not valid percent-encoded UTF-8.", { cause: error });
  const code = sqlState(error)?.code;
  if (code !== undefined && (code.startsWith("22") || code === "54001")) {
    return new ProblemError(
      400,
      "unusable-value",
      "A value cannot be stored: it is out of range, or not of the type it must have.",
      { cause: error },
    );
  }
  return new ProblemError(
    500,
    "internal",
    "Something went wrong here. The log has the details under the id in `instance`.",
    { cause: error },
  );
}

/** Whether Postgres could not be reached, or did not answer in time. */
export function isAway(error: unknown): boolean {
  return isUnavailable(error) || (error instanceof Error && error.message === "Query read timeout");
}

/** The problem document for an error that `toProblemError` gave. */
export function describeProblem(error: ProblemError): Problem {
  return {
    type: `/problems/${error.code}`,
    title: STATUS_CODES[error.status] ?? "Error",
    status: error.status,
    code: error.code,
    detail: error.message,
    ...(error.issues.length > 0 ? { issues: error.issues } : {}),
    ...(error.status === 500 ? { instance: `urn:uuid:${randomUUID()}` } : {}),
  };
}

/** Answers with the problem, its headers, and what is added to it. */
export function sendProblem(
  response: Response,
  error: ProblemError,
  extra: Readonly<Record<string, unknown>> = {},
): Problem {
  const problem = describeProblem(error);
  response
    .status(error.status)
    .set(error.headers)
    .type("application/problem+json")
    .send(JSON.stringify({ ...problem, ...extra }));
  return problem;
}

/** The last handler: every error ends here, as problem+json, never with a stack. */
export function problemHandler(log: Log): ErrorRequestHandler {
  return (thrown: unknown, request, response, _next) => {
    const error = toProblemError(thrown);
    if (response.headersSent) {
      response.destroy();
      return;
    }
    const problem = sendProblem(response, error);
    if (error.status === 500)
      log.error(
        { err: thrown, instance: problem.instance, method: request.method, path: loggedPath(request.path) },
        "A request failed",
      );
    // A body that nobody reads would keep the sender from reading the answer.
    request.resume();
  };
}

/** The address of a webhook lets one send to it. */
function loggedPath(path: string): string {
  return path.replace(/^\/hooks\/.+/, "/hooks/…");
}

function away(cause: unknown): ProblemError {
  return new ProblemError(
    503,
    "database-away",
    "The database cannot be reached right now. Nothing was accepted; send it again.",
    {
      // Spread, so that those who were refused together do not come back together.
      headers: { "retry-after": String(randomInt(1, 11)) },
      cause,
    },
  );
}
