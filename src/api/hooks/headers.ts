import type { IncomingHttpHeaders } from "node:http";
import type { JsonObject } from "../../json.ts";

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

/** Headers by lower-case name, without those that authenticate. */
export function keptHeaders(headers: IncomingHttpHeaders): JsonObject {
  const kept = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined || secretHeaders.has(name)
      ? []
      : ([[name, value]] satisfies Array<[string, string | string[]]>),
  );
  return Object.fromEntries(kept);
}
