import type { Request, Response } from "express";
import { ProblemError } from "../../errors.ts";
import type { Webhook } from "../../triggers/webhook.ts";

/** How long a browser may remember what a webhook allows. */
const maxAgeSeconds = 600;

/** Lets the pages that a webhook names read its answers, refusals included. */
export function allowOrigin({ origins }: Webhook, request: Request, response: Response): void {
  if (origins.length === 0) return;
  response.vary("origin");
  const allowed = allowedOrigin(origins, request.headers.origin);
  if (allowed === undefined) return;
  response.set({ "access-control-allow-origin": allowed, "access-control-expose-headers": "retry-after" });
}

/**
 * Answers the question that a browser asks before it sends. True: it was one, and is answered. Throws a
 * 403 for a page that the webhook does not name.
 */
export function answerPreflight({ origins, method }: Webhook, request: Request, response: Response): boolean {
  const { origin } = request.headers;
  const isPreflight = request.method === "OPTIONS" && request.headers["access-control-request-method"] !== undefined;
  if (!isPreflight || origins.length === 0) return false;
  if (allowedOrigin(origins, origin) === undefined) {
    const detail = `This webhook takes nothing from pages of ${JSON.stringify(origin ?? "")}. Add it to its cors.origins.`;
    throw new ProblemError(403, "origin-not-allowed", detail);
  }
  const wanted = request.headers["access-control-request-headers"];
  response
    .status(204)
    .set({
      "access-control-allow-methods": method,
      "access-control-max-age": String(maxAgeSeconds),
      ...(wanted === undefined ? {} : { "access-control-allow-headers": wanted }),
    })
    .end();
  return true;
}

function allowedOrigin(origins: readonly string[], origin: string | undefined): string | undefined {
  if (origins.includes("*")) return "*";
  return origin !== undefined && origins.includes(origin) ? origin : undefined;
}
