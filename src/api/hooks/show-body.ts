import { findArmedSettings, findWrittenSettings } from "../../catalog/webhooks.ts";
import { ProblemError } from "../../errors.ts";
import type { Json } from "../../json.ts";
import type { WholeDelivery } from "../../runs/delivery-log.ts";
import type { SqlPool } from "../../sql.ts";
import { compileWebhook, webhookSettings } from "../../triggers/webhook.ts";
import { createRedactor, type Redactor } from "../../vault/redactor.ts";
import type { Vault } from "../../vault/vault.ts";
import { readSent } from "./sent.ts";

/** A delivery's body as it is shown: by the first of these that it is. */
export type ShownBody = { readonly json: Json } | { readonly text: string } | { readonly base64: string };

/** The body of a delivery for people to look at, without the values of the webhook's secrets; null: it was not kept. */
export async function showBody(
  parts: { pool: SqlPool; vault: Vault },
  workspaceId: string,
  delivery: WholeDelivery,
): Promise<ShownBody | null> {
  const { body } = delivery;
  if (body === null) return null;
  const redactor = await redactorFor(parts, { ...delivery, workspaceId });
  if (body.length > 0) {
    const parsed = await readSent({ ...delivery, body }).catch(unreadable);
    if (parsed !== undefined) return { json: redactor.json(parsed.body) };
  }
  const text = body.toString("utf8");
  if (Buffer.from(text).equals(body)) return { text: redactor.text(text) };
  // One character a byte, so that a value is found in what is no text too.
  return { base64: Buffer.from(redactor.text(body.toString("latin1")), "latin1").toString("base64") };
}

function unreadable(error: unknown): undefined {
  if (error instanceof ProblemError) return undefined;
  throw error;
}

/** Of the secrets that the webhook names now. */
async function redactorFor(
  { pool, vault }: { pool: SqlPool; vault: Vault },
  webhook: { workspaceId: string; workflowId: string; triggerId: string },
): Promise<Redactor> {
  const settings = (await findArmedSettings(pool, webhook)) ?? (await findWrittenSettings(pool, webhook));
  const parsed = webhookSettings.safeParse(settings);
  const names = parsed.success ? compileWebhook(parsed.data).secretNames : [];
  const secrets = await vault.openSecrets(webhook.workspaceId, names);
  return createRedactor([...secrets.values()].flat());
}
