import { isIP } from "node:net";

/** Hosts that a connection allows: `host`, for any port, or `host:port`. */
export interface AllowedHosts {
  readonly allowedHosts: readonly string[];
}

/** Whether a connection names this host, so that it may be a private machine. */
export function isAllowedHost(host: string, port: number, { allowedHosts }: AllowedHosts): boolean {
  const name = plainHost(host);
  return allowedHosts.some((allowed) => {
    const parsed = parseAllowed(allowed);
    return parsed !== undefined && parsed.host === name && (parsed.port === undefined || parsed.port === port);
  });
}

/** Whether a connection names the host of this URL, so that it may be spoken to without TLS. */
export function isAllowedUrl(url: URL, allowed: AllowedHosts): boolean {
  return isAllowedHost(hostOf(url), portOf(url), allowed);
}

/** A closed port is opened by its number only. */
export function isAllowedPort(url: URL, { allowedHosts }: AllowedHosts): boolean {
  return allowedHosts.some((allowed) => {
    const parsed = parseAllowed(allowed);
    return parsed?.host === plainHost(hostOf(url)) && parsed.port === portOf(url);
  });
}

/** An entry of `allowedHosts`: `billing.internal`, `10.0.0.5:8080`, `[fd00::1]:80`. Undefined: it is none. */
export function parseAllowed(text: string): { host: string; port?: number } | undefined {
  const bare = isIP(text) === 6 ? `[${text}]` : text;
  if (!/^[^/?#@\\\s]+$/.test(bare) || !URL.canParse(`http://${bare}`)) return undefined;
  const port = /:(\d+)$/.exec(bare.replace(/^\[.*\]/, ""))?.[1];
  const host = plainHost(hostOf(new URL(`http://${bare}`)));
  return port === undefined ? { host } : { host, port: Number(port) };
}

export function portOf(url: URL): number {
  if (url.port !== "") return Number(url.port);
  return url.protocol === "https:" ? 443 : 80;
}

/** The host as addresses and names are compared: without brackets. */
function hostOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, "$1");
}

/** A name with the root's dot at its end is the same name. */
function plainHost(host: string): string {
  return host.toLowerCase().replace(/\.$/, "");
}
