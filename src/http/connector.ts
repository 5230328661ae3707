import type { LookupOptions } from "node:dns";
import { lookup as lookUp } from "node:dns/promises";
import { isIP, type LookupFunction } from "node:net";
import { rootCertificates } from "node:tls";
import { callbackify } from "node:util";
import { buildConnector } from "undici";
import { createRecent } from "../recent.ts";
import { isAllowedHost } from "../vault/allowed-hosts.ts";
import { normalize, reachabilityOf } from "./address.ts";
import { isOwn, type OwnListener } from "./own-listeners.ts";
import { blocked, type Reach } from "./reach.ts";

/** The addresses of a name. */
export type Resolve = (name: string) => Promise<readonly string[]>;

const connectMs = 5_000;
/** Of a name's addresses: with more of them a connection would be tried for minutes. */
const mostAddresses = 16;
const mostOrigins = 64;

/** As every program of this machine resolves names: its hosts file, its name servers. */
export const resolveBySystem: Resolve = async (name) =>
  (await lookUp(name, { all: true, verbatim: true })).map(({ address }) => address);

export interface ConnectorParts {
  readonly reach: Reach;
  readonly own: readonly OwnListener[];
  /** Under which path these connections are used, as far as our own listeners open one. */
  readonly path: string;
  readonly resolve: Resolve;
  /** Whom to trust besides those that everybody trusts, as PEM. */
  readonly certificateAuthority?: string | undefined;
}

/**
 * Makes connections. Names are resolved once, all addresses are judged, and one of just these is
 * connected to: a name that changes its answer in between has nothing to change. Literal addresses,
 * for which Node asks no resolver, are judged by themselves.
 */
export function createConnector(parts: ConnectorParts): buildConnector.connector {
  const { certificateAuthority } = parts;
  const connectors = createRecent<string, buildConnector.connector>(mostOrigins);
  const connectorTo = (host: string, port: number): buildConnector.connector => {
    const key = `${host} ${port}`;
    const connector =
      connectors.get(key) ??
      buildConnector({
        timeout: connectMs,
        autoSelectFamily: true,
        lookup: createLookup(parts, port),
        ...(certificateAuthority === undefined ? {} : { ca: [...rootCertificates, certificateAuthority] }),
      });
    connectors.set(key, connector);
    return connector;
  };
  return (options, callback) => {
    const { hostname } = options;
    const port = Number(options.port) || (options.protocol === "https:" ? 443 : 80);
    try {
      if (isIP(hostname) !== 0) judge(parts, { host: hostname, port, addresses: [hostname] });
      connectorTo(hostname, port)(options, callback);
    } catch (error) {
      callback(error instanceof Error ? error : new Error(String(error)), null);
    }
  };
}

/** Asked for all addresses, since any of them may be tried. */
function createLookup(parts: ConnectorParts, port: number): LookupFunction {
  return callbackify(async (host: string, _options: LookupOptions) => {
    const addresses = judge(parts, { host, port, addresses: await parts.resolve(host) });
    if (addresses.length === 0) throw new Error(`${host} has no address`);
    return addresses;
  });
}

interface Resolved {
  readonly host: string;
  readonly port: number;
  readonly addresses: readonly string[];
}

/** One address that may not be reached refuses the whole name. Throws StepError `blocked-url`. */
function judge({ reach, own, path }: ConnectorParts, { host, port, addresses }: Resolved) {
  const mayBePrivate = isAllowedHost(host, port, reach);
  for (const address of addresses) {
    const where = host === address ? host : `${host} (${address})`;
    const reachability = reachabilityOf(address);
    if (reachability === "never") throw blocked(where, "the address is reserved, or a cloud's metadata service");
    if (isOwn(own, { host, address: normalize(address)?.address ?? address, port, path }))
      throw blocked(where, `port ${port} there is Tandem's own`);
    if (reachability === "private" && !mayBePrivate)
      throw blocked(
        where,
        `it is a machine of a private network. A connection can allow the host (in "allowedHosts", as ${host}:${port})`,
      );
  }
  return addresses.slice(0, mostAddresses).map((address) => ({ address, family: isIP(address) === 6 ? 6 : 4 }));
}
