/** Longest pause that a target may ask for; one that asks for more is asked again then. */
const longestMs = 86_400_000;

/**
 * How long a target asks to be left alone, in milliseconds: `Retry-After` in either of its forms, seconds
 * or a date (RFC 9110 §10.2.3). Undefined: it does not say, or says what is neither.
 */
export function parseRetryAfter(value: string | undefined, now: Date): number | undefined {
  if (value === undefined) return undefined;
  const text = value.trim();
  if (/^\d+(\.\d+)?$/.test(text)) return Math.min(Math.ceil(Number(text) * 1_000), longestMs);
  if (!/^[A-Z][a-z]{2,8},? /.test(text)) return undefined;
  const moment = Date.parse(text);
  if (Number.isNaN(moment)) return undefined;
  return Math.min(Math.max(moment - now.getTime(), 0), longestMs);
}
