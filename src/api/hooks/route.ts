import type { Request, RequestHandler, Response } from "express";
import { findWebhook, type FoundWebhook } from "../../catalog/webhooks.ts";
import { ProblemError } from "../../errors.ts";
import { ringDispatcher } from "../../runs/doorbell.ts";
import { sendAnswer, sendFinished, sendText } from "./answer.ts";
import { allowOrigin, answerPreflight } from "./cors.ts";
import { loadHook } from "./load-hook.ts";
import type { HookParts } from "./parts.ts";
import { receive, type Received } from "./receive.ts";

/**
 * `/hooks/:token`, any method. Answers after the commit: 202, or what the trigger says. Whatever is
 * refused once the token is known is kept in the delivery log with its reason; only an unknown token
 * belongs to nobody.
 */
export function hookRoute(parts: HookParts): RequestHandler<{ token: string }> {
  const { pool, metrics } = parts;
  return async (request, response) => {
    const startedAt = performance.now();
    const found = await findWebhook(pool, request.params.token);
    if (found === undefined) throw new ProblemError(404, "webhook-not-found", "There is no webhook at this address.");
    if (await concernsOrigin(parts, { request, response, found })) return;
    const received = await receive(parts, request, found);
    metrics.countDelivery(received.outcome, (performance.now() - startedAt) / 1_000);
    await respond(parts, response, received);
  };
}

/** What a browser must know to let a page send and read. True: it only asked, and is answered. */
async function concernsOrigin(
  { pool }: HookParts,
  { request, response, found }: { request: Request; response: Response; found: FoundWebhook },
): Promise<boolean> {
  if (request.headers.origin === undefined) return false;
  const hook = await loadHook(pool, found).catch(() => undefined);
  if (hook === undefined) return false;
  allowOrigin(hook.webhook, request, response);
  return answerPreflight(hook.webhook, request, response);
}

async function respond(parts: HookParts, response: Response, received: Received): Promise<void> {
  switch (received.outcome) {
    case "refused":
      throw received.problem;
    case "answered":
      return sendText(response, received.text);
    case "captured":
      response.status(202).json({ captured: true, deliveryId: received.deliveryId });
      return;
    case "accepted":
    case "duplicate":
      ringDispatcher(parts.pool);
      await respondAccepted(parts, response, received);
  }
}

/** At once, or when the run is over, as the trigger says. Who has hung up waits no longer. */
async function respondAccepted(
  { finished }: HookParts,
  response: Response,
  { acceptance, answer }: Received & { outcome: "accepted" | "duplicate" },
): Promise<void> {
  if (answer === undefined) {
    response.status(202).json(acceptance);
    return;
  }
  if (!("whenFinishedWithinMs" in answer)) return sendAnswer(response, answer);
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  const withinMs = answer.whenFinishedWithinMs;
  const run = await finished.wait(acceptance.runId, { withinMs, signal: gone.signal });
  if (!gone.signal.aborted) sendFinished(response, run, acceptance);
}
