import type { Request } from "express";
import type { StepKinds } from "../../activities/step-kind.ts";
import { loadVersion } from "../../catalog/versions.ts";
import type { FoundWebhook } from "../../catalog/webhooks.ts";
import { ProblemError } from "../../errors.ts";
import { acceptDelivery, type Acceptance, type NewDelivery } from "../../runs/deliveries.ts";
import { describeRun } from "../../runs/describe-run.ts";
import type { Json, JsonObject } from "../../json.ts";
import type { SqlPool } from "../../sql.ts";
import { isFormType, mediaType, parseBody } from "../body/parse-body.ts";
import { parseForm } from "../body/parse-form.ts";
import { readBody } from "../body/read-body.ts";
import { refuseMethod, searchOf } from "../mount.ts";
import { getWebhookTrigger } from "./trigger.ts";

/** What a webhook's body may weigh, as sent and inflated. */
export const maxBodyBytes = 1024 * 1024;

/** A delivery that is being read: what is known of it when it is refused goes into the log. */
export type Incoming = { -readonly [Key in keyof NewDelivery]: NewDelivery[Key] };

/**
 * The order in which a request earns its run: the workflow is active, the method fits, the body is
 * small enough, can be read, and is as the trigger declares it. Then delivery, run and dedupe key are
 * committed as one. Throws a ProblemError for the first that does not hold.
 */
export async function accept(
  { pool, kinds }: { pool: SqlPool; kinds: StepKinds },
  request: Request,
  { webhook, incoming }: { webhook: FoundWebhook; incoming: Incoming },
): Promise<Acceptance> {
  if (webhook.versionId === null) {
    throw new ProblemError(
      410,
      "workflow-inactive",
      "This webhook's workflow is not active. Activate it to receive again.",
    );
  }
  const version = await loadVersion(pool, webhook.versionId, { kinds });
  const trigger = getWebhookTrigger(version, webhook.triggerId);
  if (request.method !== trigger.method) refuseMethod([trigger.method])(request);
  incoming.query = parseForm(searchOf(request.url));
  incoming.body = await readBody(request, maxBodyBytes);
  const contentType = request.headers["content-type"];
  const sent = await parseBody(incoming.body, contentType);
  const { body, issues } = trigger.checkBody(sent, { fromText: isFormType(mediaType(contentType)) });
  if (issues.length > 0) {
    throw new ProblemError(
      422,
      "invalid-body",
      "The body is not as the trigger declares it. `issues` names each fault.",
      { issues },
    );
  }
  const dedupeKey = trigger.dedupeKey({ headers: incoming.headers, body });
  return acceptDelivery(pool, {
    delivery: incoming,
    run: describeRun({ ...webhook, version }, { trigger: triggerOf(webhook, incoming, body) }),
    dedupeKey,
  });
}

function triggerOf(webhook: FoundWebhook, incoming: Incoming, body: Json): JsonObject {
  return {
    id: webhook.triggerId,
    kind: "webhook",
    deliveryId: incoming.id,
    method: incoming.method,
    body,
    headers: incoming.headers,
    query: incoming.query,
  };
}
