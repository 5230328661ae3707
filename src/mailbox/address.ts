/** One mailbox, as it is handed to the mail library: never as text that it would parse itself. */
export interface Address {
  readonly name: string;
  readonly address: string;
}

const local = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/;
const label = /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/;

/**
 * Reads `ada@example.com` or `Ada Bar <ada@example.com>`, and nothing else: no quoted local parts, no
 * comments, no groups, no lists, no second address. Undefined: not an address.
 */
export function parseAddress(text: string): Address | undefined {
  // oxlint-disable-next-line no-control-regex -- control characters are what must not pass.
  if (text.length > 500 || /[\u0000-\u001f\u007f]/.test(text)) return undefined;
  const named = /^\s*([^<>@,;:"()\\]*?)\s*<([^<>\s]+)>\s*$/.exec(text);
  const name = named?.[1] ?? "";
  const address = (named?.[2] ?? text).trim();
  return isAddress(address) ? { name, address } : undefined;
}

function isAddress(address: string): boolean {
  const at = address.lastIndexOf("@");
  const [before, domain] = [address.slice(0, at), address.slice(at + 1)];
  if (at < 1 || address.length > 254 || before.length > 64 || !local.test(before)) return false;
  return domain.length > 0 && domain.split(".").every((part) => label.test(part));
}
