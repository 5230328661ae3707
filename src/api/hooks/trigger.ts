import type { LoadedVersion } from "../../catalog/versions.ts";
import { ProblemError } from "../../errors.ts";
import { compileWebhook, webhookSettings, type Webhook } from "../../triggers/webhook.ts";

/** Compiled triggers, for as long as their version is kept in memory. */
const compiled = new WeakMap<LoadedVersion, Map<string, Webhook>>();

/**
 * A version's webhook trigger, compiled once. Throws 410 when the active version has none of that id:
 * its address stays reserved for a version that has it again.
 */
export function getWebhookTrigger(version: LoadedVersion, triggerId: string): Webhook {
  const known = compiled.get(version) ?? new Map<string, Webhook>();
  compiled.set(version, known);
  let webhook = known.get(triggerId);
  if (webhook === undefined) {
    webhook = compileTrigger(version, triggerId);
    known.set(triggerId, webhook);
  }
  return webhook;
}

function compileTrigger(version: LoadedVersion, triggerId: string): Webhook {
  const trigger = version.definition.triggers.find(({ id, kind }) => id === triggerId && kind === "webhook");
  if (trigger === undefined) {
    throw new ProblemError(
      410,
      "trigger-gone",
      `The active version of ${version.workflowKey} has no webhook trigger "${triggerId}" any more.`,
    );
  }
  const { id: _id, kind: _kind, ...settings } = trigger;
  return compileWebhook(webhookSettings.parse(settings));
}
