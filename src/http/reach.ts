import { StepError } from "../errors.ts";
import { isAllowedPort, isAllowedUrl, portOf } from "../vault/allowed-hosts.ts";

/** Where a call may go beyond the public Internet over TLS; a connection says so. */
export interface Reach {
  /** Hosts (`host` or `host:port`) that may be private machines, and may be spoken to without TLS. */
  readonly allowedHosts: readonly string[];
  /** Whether any host may be spoken to without TLS. */
  readonly allowHttp: boolean;
}

/** What a call without a connection may reach. */
export const publicReach: Reach = { allowedHosts: [], allowHttp: false };

/** Services that speak something other than HTTP, or HTTP to whoever asks: shells, mail, Docker, stores. */
const closedPorts: ReadonlySet<number> = new Set([
  22, 23, 25, 110, 143, 465, 587, 993, 995, 2375, 2376, 3306, 5432, 6379, 6432, 7233, 7234, 8233, 9200, 9300, 11_211,
  27_017,
]);

/**
 * The URL, read once: from here on nothing looks at the text again. Throws StepError `blocked-url` for
 * what is never called, whoever asks: another scheme, a user in the URL, a port of another service, no TLS.
 */
export function parseTarget(text: string, reach: Reach): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined)
    throw new StepError("invalid-url", `${named(text)} is no URL. Write it whole: https://host/path.`);
  checkTarget(url, reach);
  url.hash = "";
  return url;
}

/** That a URL may be called, as far as it says so itself: the addresses of its host are judged when it is connected to. */
export function checkTarget(url: URL, reach: Reach): void {
  // Its origin only: the rest may hold what is secret.
  const where = `${url.protocol}//${url.host}`;
  if (url.protocol !== "https:" && url.protocol !== "http:")
    throw blocked(where, `only https and http are called, not ${url.protocol.slice(0, -1)}`);
  if (url.username !== "" || url.password !== "")
    throw blocked(where, "a URL cannot carry a user or password: use a connection's authentication");
  if (url.protocol === "http:" && !reach.allowHttp && !isAllowedUrl(url, reach))
    throw blocked(where, `it is not encrypted. Use https, or a connection that allows this host ("allowedHosts")`);
  if (closedPorts.has(portOf(url)) && !isAllowedPort(url, reach))
    throw blocked(where, `port ${portOf(url)} belongs to another kind of service`);
}

/** Refuses to call what is named so. */
export function blocked(where: string, why: string): StepError {
  return new StepError("blocked-url", `${where} is not called: ${why}.`);
}

/** Whole or not at all: what is secret of it is known, and taken out, as a whole only. */
function named(text: string): string {
  return text.length > 60 ? `Text of ${text.length} characters` : JSON.stringify(text);
}
