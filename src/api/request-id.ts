import { randomUUID } from "node:crypto";
import type { RequestHandler, Response } from "express";

const header = "x-request-id";

/** Gives every request an id: the one that it brings, else a new one. It is answered, and kept in the audit. */
export function nameRequests(): RequestHandler {
  return (request, response, next) => {
    const brought = request.get(header);
    response.set(header, brought !== undefined && /^[\x21-\x7e]{1,128}$/.test(brought) ? brought : randomUUID());
    next();
  };
}

/** The id that a request was given. */
export function getRequestId(response: Response): string {
  return response.get(header) ?? "";
}
