import { loadVersion } from "../../catalog/versions.ts";
import type { FoundWebhook } from "../../catalog/webhooks.ts";
import { ProblemError } from "../../errors.ts";
import type { Json, JsonObject } from "../../json.ts";
import { acceptDelivery, type NewDelivery, type Reason } from "../../runs/deliveries.ts";
import { describeRun } from "../../runs/describe-run.ts";
import { originHeaderName, readOrigin } from "../../runs/origin.ts";
import type { Webhook } from "../../triggers/webhook.ts";
import { evaluateAnswer } from "./answer.ts";
import type { HookParts } from "./parts.ts";
import type { Arrival, GivenAnswer, Received } from "./receive.ts";
import type { Sent } from "./sent.ts";

/**
 * Accepts what a sender who may send has sent, if it is as the trigger declares it: delivery, run and
 * dedupe key are committed as one. Throws a ProblemError with 422 else.
 */
export async function acceptBody(
  { pool, kinds }: Pick<HookParts, "pool" | "kinds">,
  { found, incoming }: Pick<Arrival, "found" | "incoming">,
  { webhook, sent }: { webhook: Webhook; sent: Sent },
): Promise<Received> {
  const body = fitBody(webhook, sent);
  const trigger = triggerOf(found.triggerId, incoming, { body });
  const starting = { ...found, version: await loadVersion(pool, getVersionId(found), { kinds }) };
  const run = describeRun(starting, { trigger, origin: await readOrigin(pool, incoming.headers[originHeaderName]) });
  const answerFor = (runId: string): GivenAnswer | string | undefined => {
    const { answer } = webhook;
    if (answer?.when === "finished") return { whenFinishedWithinMs: answer.withinMs };
    return answer && evaluateAnswer(answer, { webhook: found, trigger, runId });
  };
  const answer = answerFor(run.id);
  const acceptance = await acceptDelivery(pool, {
    delivery: incoming,
    run,
    dedupeKey: webhook.dedupeKey({ headers: incoming.headers, body }),
    reason: typeof answer === "string" ? unanswerable(answer) : undefined,
  });
  // One that came before is answered in the name of the run that it started then.
  const given = acceptance.duplicate ? answerFor(acceptance.runId) : answer;
  return {
    outcome: acceptance.duplicate ? "duplicate" : "accepted",
    acceptance,
    answer: typeof given === "string" ? undefined : given,
  };
}

/** The body with its values fitted to what the trigger declares. Throws a ProblemError with 422. */
export function fitBody(webhook: Webhook, sent: Sent): Json {
  const { body, issues } = webhook.checkBody(sent.body, { fromText: sent.fromText });
  if (issues.length === 0) return body;
  const detail = "The body is not as the trigger declares it. `issues` names each fault.";
  throw new ProblemError(422, "invalid-body", detail, { issues });
}

/** What a run reads as `trigger`. */
export function triggerOf(
  triggerId: string,
  { id: deliveryId, method, headers, query }: Pick<NewDelivery, "id" | "method" | "headers" | "query">,
  { body, replayOf = null }: { body: Json; replayOf?: string | null },
): JsonObject {
  return { id: triggerId, kind: "webhook", deliveryId, replayOf, method, body, headers: { ...headers }, query };
}

function getVersionId({ versionId, triggerId }: FoundWebhook): string {
  if (versionId === null) throw new Error(`The webhook ${triggerId} is not armed.`);
  return versionId;
}

function unanswerable(detail: string): Reason {
  return { code: "answer-expression", detail, issues: [] };
}
