import type { Request, RequestHandler } from "express";
import type { StepKinds } from "../../activities/step-kind.ts";
import { findWebhook, type FoundWebhook } from "../../catalog/webhooks.ts";
import { ProblemError } from "../../errors.ts";
import { createId } from "../../ids.ts";
import { recordRefusal, type Acceptance } from "../../runs/deliveries.ts";
import { ringDispatcher } from "../../runs/doorbell.ts";
import type { SqlPool } from "../../sql.ts";
import type { Metrics } from "../metrics.ts";
import { toProblemError } from "../problem.ts";
import { accept, maxBodyBytes, type Incoming } from "./accept.ts";
import { keptHeaders } from "./headers.ts";

interface HookParts {
  readonly pool: SqlPool;
  readonly metrics: Metrics;
  readonly kinds: StepKinds;
}

/**
 * `/hooks/:token`, any method. Answers 202 after the commit. Whatever is refused once the token is
 * known is kept in the delivery log with its reason; only an unknown token belongs to nobody.
 */
export function hookRoute(parts: HookParts): RequestHandler<{ token: string }> {
  const { pool, metrics } = parts;
  return async (request, response) => {
    const startedAt = performance.now();
    const webhook = await findWebhook(pool, request.params.token);
    if (webhook === undefined) throw new ProblemError(404, "webhook-not-found", "There is no webhook at this address.");
    const received = await receive(parts, request, webhook);
    const seconds = (performance.now() - startedAt) / 1_000;
    if (received instanceof ProblemError) {
      metrics.countDelivery("refused", seconds);
      throw received;
    }
    ringDispatcher(pool);
    metrics.countDelivery(received.duplicate ? "duplicate" : "accepted", seconds);
    response.status(202).json(received);
  };
}

/** Accepts, or gives the refusal that it has kept. Throws where nothing could be kept. */
async function receive(
  { pool, kinds }: HookParts,
  request: Request,
  webhook: FoundWebhook,
): Promise<Acceptance | ProblemError> {
  const incoming: Incoming = {
    id: createId(),
    workspaceId: webhook.workspace.id,
    workflowId: webhook.workflowId,
    triggerId: webhook.triggerId,
    method: request.method,
    headers: keptHeaders(request.headers),
    query: {},
    body: null,
  };
  try {
    return await accept({ pool, kinds }, request, { webhook, incoming });
  } catch (thrown) {
    const problem = toProblemError(thrown);
    if (problem.status >= 500) throw thrown;
    const { status, code, message: detail, issues } = problem;
    await recordRefusal(pool, incoming, { status, code, detail, issues }, incoming.body?.length ?? sizeOf(request));
    return problem;
  }
}

/** What a body that was not read whole weighed, as far as is known. */
function sizeOf(request: Request): number {
  const announced = Number(
    request.headers["content-length"] ?? (request.headers["transfer-encoding"] === undefined ? 0 : maxBodyBytes + 1),
  );
  return Math.min(announced, 2_147_483_647);
}
