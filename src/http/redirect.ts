import { StepError } from "../errors.ts";
import type { Incoming, Outgoing } from "./exchange.ts";

/**
 * Headers that another origin may see: they say how to answer, not who asks; and the one that ends chains of
 * workflows, also those that come back to a webhook of ours by a redirect.
 */
const harmless: ReadonlySet<string> = new Set([
  "accept",
  "accept-encoding",
  "accept-language",
  "tandem-origin",
  "user-agent",
]);

/**
 * The request that an answer redirects to, or undefined where it does not. Throws StepError
 * `redirect-refused` for what would carry a body to another origin, or give up encryption.
 */
export function redirectOf(incoming: Incoming, outgoing: Outgoing): Outgoing | undefined {
  const { location } = incoming.headers;
  if (![301, 302, 303, 307, 308].includes(incoming.status) || typeof location !== "string") return undefined;
  const { url: from, method } = outgoing;
  if (!URL.canParse(location, from.href)) throw refused(from, "to what is no URL");
  const url = new URL(location, from.href);
  url.hash = "";
  if (from.protocol === "https:" && url.protocol === "http:") throw refused(from, "to a URL without encryption");
  const keepsMethod = keepsItsMethod(incoming.status, method);
  const isElsewhere = url.origin !== from.origin;
  if (isElsewhere && keepsMethod && outgoing.body !== undefined)
    throw refused(from, `a request with a body to ${url.host}. Let the step, or its connection, name that host`);
  const headers = isElsewhere ? only(outgoing.headers, (name) => harmless.has(name)) : outgoing.headers;
  if (keepsMethod) return { ...outgoing, url, headers };
  return {
    method: method === "HEAD" ? "HEAD" : "GET",
    url,
    headers: only(headers, (name) => !name.startsWith("content-") && name !== "idempotency-key"),
  };
}

/** As browsers do it: 303 is always another request, 301 and 302 are for a POST (RFC 9110 §15.4). */
function keepsItsMethod(status: number, method: string): boolean {
  if (status === 307 || status === 308) return true;
  return method === "GET" || method === "HEAD" || (status !== 303 && method !== "POST");
}

function only(headers: Outgoing["headers"], keeps: (name: string) => boolean): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => keeps(name.toLowerCase())));
}

function refused(from: URL, what: string): StepError {
  return new StepError("redirect-refused", `${from.host} redirects ${what}.`);
}
