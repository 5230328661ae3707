import type { z } from "zod";
import { findArmedSettings, findWrittenSettings, type FoundWebhook } from "../../catalog/webhooks.ts";
import { ProblemError } from "../../errors.ts";
import type { JsonObject } from "../../json.ts";
import { createRecent } from "../../recent.ts";
import type { Sql } from "../../sql.ts";
import { compileWebhook, webhookSettings, type Webhook } from "../../triggers/webhook.ts";

/** A webhook's settings, ready for requests. */
export interface Hook {
  readonly webhook: Webhook;
  /** False: its requests start nothing; they are looked at, since somebody asked for that. */
  readonly armed: boolean;
}

/** What is compiled of a webhook, by workflow and id, for as long as it is armed so. */
const compiled = createRecent<string, { readonly revision: number; readonly webhook: Webhook }>(500);

/**
 * The webhook as it is armed, compiled once for each of its revisions. One that is not armed is taken as
 * its draft writes it, as long as somebody waits for a request of it. Throws a 410 else: its
 * address stays reserved.
 */
export async function loadHook(sql: Sql, found: FoundWebhook): Promise<Hook> {
  const { revision } = found;
  if (found.active && revision !== null) return { armed: true, webhook: await loadArmed(sql, found, revision) };
  if (found.capturing) return { armed: false, webhook: await loadWritten(sql, found) };
  if (!found.active) {
    const detail = "This webhook's workflow is not active. Activate it to receive again.";
    throw new ProblemError(410, "workflow-inactive", detail);
  }
  throw new ProblemError(
    410,
    "trigger-gone",
    `The active version of ${found.workflowKey} has no webhook trigger "${found.triggerId}" any more.`,
  );
}

async function loadArmed(sql: Sql, found: FoundWebhook, revision: number): Promise<Webhook> {
  return compileArmed({ ...found, revision }, () => findArmedSettings(sql, found));
}

/** An armed webhook, compiled from settings that are asked for only where it has changed. */
export async function compileArmed(
  { workflowId, triggerId, revision }: { workflowId: string; triggerId: string; revision: number },
  settings: () => Promise<JsonObject | undefined>,
): Promise<Webhook> {
  const key = `${workflowId} ${triggerId}`;
  const known = compiled.get(key);
  if (known?.revision === revision) return known.webhook;
  const webhook = compileWebhook(webhookSettings.parse(await settings()));
  compiled.set(key, { revision, webhook });
  return webhook;
}

/**
 * In a draft, expressions may stand that are resolved when it is activated: such a setting is left out.
 * Not so who may send: without that, nobody may.
 */
async function loadWritten(sql: Sql, { workspace, workflowId, triggerId }: FoundWebhook): Promise<Webhook> {
  const written = (await findWrittenSettings(sql, { workspaceId: workspace.id, workflowId, triggerId })) ?? {};
  const shape: Readonly<Record<string, z.ZodType>> = webhookSettings.shape;
  const readable = Object.entries(written).filter(([key, value]) => shape[key]?.safeParse(value).success);
  const settings = Object.fromEntries(readable);
  if (written["authentication"] !== undefined && settings["authentication"] === undefined) {
    const detail = "Who may send here is known once this webhook's workflow is active. Activate it to receive.";
    throw new ProblemError(410, "workflow-inactive", detail);
  }
  return compileWebhook(webhookSettings.parse(settings));
}
