/** What belongs to the line, to proxies, or to how we read an answer: a step that set it would confuse one of them. */
const forbidden: ReadonlySet<string> = new Set([
  "host",
  "content-length",
  "transfer-encoding",
  "connection",
  "keep-alive",
  "te",
  "trailer",
  "upgrade",
  "expect",
  "accept-encoding",
  "forwarded",
  "via",
  "tandem-origin",
]);

/** Whether a step may not set the header. */
export function isForbiddenHeader(name: string): boolean {
  const lower = name.toLowerCase();
  return forbidden.has(lower) || lower.startsWith("proxy-") || lower.startsWith("x-forwarded-");
}
