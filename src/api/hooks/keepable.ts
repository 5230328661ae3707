import type { IncomingHttpHeaders } from "node:http";
import { isJsonObject, type JsonObject } from "../../json.ts";
import type { Webhook } from "../../triggers/webhook.ts";
import { redactorOf } from "../../vault/redactor.ts";
import type { OpenedSecrets } from "../../vault/vault.ts";
import { keptHeaders } from "./headers.ts";

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
