/** One mailbox, as it is handed to the mail library: never as text that it would parse itself. */
export interface Address {
  readonly name: string;
  readonly address: string;
}

const mostLength = 500;
const local = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/;
const label = /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/;
// Controls, line separators and what turns the direction of text round.
const unseen = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u;
const structure = /[<>@,;:"()\\]/;

/**
 * Reads `ada@example.com` or `Ada Bar <ada@example.com>`, and nothing else: no quoted local parts, no
 * comments, no groups, no lists, no second address, no encoded words. Undefined: not an address.
 */
export function parseAddress(text: string): Address | undefined {
  if (text.length > mostLength || unseen.test(text) || !text.isWellFormed()) return undefined;
  // An encoded word reads as one thing here and as another, line breaks included, in a mail program.
  if (text.includes("=?")) return undefined;
  const whole = text.trim();
  if (!whole.endsWith(">")) return isAddress(whole) ? { name: "", address: whole } : undefined;
  const open = whole.indexOf("<");
  if (open < 0) return undefined;
  const name = whole.slice(0, open).trim();
  const address = whole.slice(open + 1, -1);
  return structure.test(name) || !isAddress(address) ? undefined : { name, address };
}

function isAddress(address: string): boolean {
  const at = address.lastIndexOf("@");
  const [before, domain] = [address.slice(0, at), address.slice(at + 1)];
  if (at < 1 || address.length > 254 || before.length > 64 || !local.test(before)) return false;
  return domain.split(".").every((part) => label.test(part));
}
