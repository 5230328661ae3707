import type { IncomingHttpHeaders } from "node:http";
import { isJsonObject, type JsonObject } from "../../json.ts";
import type { Webhook } from "../../triggers/webhook.ts";
import { createRedactor, type Redactor } from "../../vault/redactor.ts";
import type { OpenedSecrets } from "../../vault/vault.ts";
import { keptHeaders } from "./headers.ts";

/** Redactors by the values that they take out: those of a webhook stay for a second or so. */
const redactors = new WeakMap<OpenedSecrets, Redactor>();

/**
 * Headers and query as they may be logged and reach a run: without what carries credentials, and
 * without the values of the webhook's secrets wherever else they stand.
 */
export function keepable(
  { headers, query }: { headers: IncomingHttpHeaders; query: JsonObject },
  { sensitiveHeaders, sensitiveQuery }: Webhook,
  secrets: OpenedSecrets,
): { headers: Record<string, string>; query: JsonObject } {
  const kept = keptHeaders(headers, sensitiveHeaders);
  const asked = Object.fromEntries(Object.entries(query).filter(([name]) => !sensitiveQuery.has(name)));
  if (secrets.size === 0) return { headers: kept, query: asked };
  const redactor = redactorOf(secrets);
  const texts = Object.entries(kept).map(([name, value]) => [name, redactor.text(value)] as const);
  const clean = redactor.json(asked);
  return { headers: Object.fromEntries(texts), query: isJsonObject(clean) ? clean : {} };
}

/** A redactor of all these secrets' values. */
export function redactorOf(secrets: OpenedSecrets): Redactor {
  const redactor = redactors.get(secrets) ?? createRedactor([...secrets.values()].flat());
  redactors.set(secrets, redactor);
  return redactor;
}
