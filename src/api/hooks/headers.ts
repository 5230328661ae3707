import type { IncomingHttpHeaders } from "node:http";

/** Headers that say who the sender is or let one act as them: they go into no run and no log. */
const secretHeaders = new Set([
  "authorization",
  "proxy-authorization",
  "cookie",
  "x-api-key",
  "x-auth-token",
  "x-access-token",
  "x-amz-security-token",
  "x-csrf-token",
  "x-forwarded-client-cert",
]);

/**
 * Headers by lower-case name, without those that authenticate, of which `sensitive` are this webhook's
 * own; one sent more than once is joined by commas.
 */
export function keptHeaders(headers: IncomingHttpHeaders, sensitive: ReadonlySet<string>): Record<string, string> {
  const kept = Object.entries(headers).flatMap(([name, value]): Array<[string, string]> => {
    if (value === undefined || secretHeaders.has(name) || sensitive.has(name)) return [];
    return [[name, typeof value === "string" ? value : value.join(", ")]];
  });
  return Object.fromEntries(kept);
}
