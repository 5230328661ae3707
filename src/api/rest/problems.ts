import { STATUS_CODES } from "node:http";
import type { ErrorRequestHandler } from "express";
import { z } from "zod";
import { ProblemError, StepError, type Issue } from "../../errors.ts";
import type { Log } from "../../log.ts";
import { sendProblem, toProblemError } from "../problem.ts";

/**
 * What the CRM refuses, as statuses of HTTP; the rest is 400. That a unique value is taken is 400 too, as
 * Twenty's clients know it; `code` tells it apart.
 */
const statuses: Readonly<Record<string, number>> = {
  "record-not-found": 404,
  "precondition-failed": 412,
  "record-contended": 503,
};

/** An error under /rest, as it is answered. */
export function toRestProblem(thrown: unknown): ProblemError {
  return thrown instanceof StepError ? fromCrm(thrown) : toProblemError(thrown);
}

/** Answers every error under /rest: a problem document that also carries what Twenty's errors carry. */
export function restProblems(log: Log): ErrorRequestHandler {
  return (thrown: unknown, request, response, next) => {
    if (response.headersSent) return next(thrown);
    const problem = toRestProblem(thrown);
    const { instance } = sendProblem(response, problem, {
      statusCode: problem.status,
      error: STATUS_CODES[problem.status] ?? "Error",
      messages:
        problem.issues.length > 0
          ? problem.issues.map(({ path, message }) => `${path}: ${message}`)
          : [problem.message],
    });
    if (problem.status === 500)
      log.error({ err: thrown, instance, method: request.method, path: request.path }, "A request failed");
    // A body that nobody reads would keep the sender from reading the answer.
    request.resume();
  };
}

function fromCrm(error: StepError): ProblemError {
  const { fields, index } = error.details;
  const isNameless = error.code === "record-exists" && Array.isArray(fields) && fields.length === 0;
  const nameless = "There is a record with this id, or with the same fields that together are unique.";
  const place = typeof index === "number" ? `[${index}]` : "";
  const detail = isNameless ? `${place}${place === "" ? "" : " "}${nameless}` : error.message;
  return new ProblemError(statuses[error.code] ?? 400, error.code, detail, {
    cause: error,
    issues: issuesOf(error, place),
  });
}

const issuesSchema = z.array(z.object({ path: z.string(), message: z.string() })).catch([]);

/** Each fault by its field, of a batch with the place of its row: `[3].jobTitle`. */
function issuesOf({ details }: StepError, place: string): Issue[] {
  return issuesSchema.parse(details["issues"] ?? []).map(({ path, message }) => {
    const field = path.replace(/^values\./, "");
    return { path: place === "" || field === "" ? `${place}${field}` : `${place}.${field}`, message };
  });
}
