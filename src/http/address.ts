import { BlockList, isIP, SocketAddress } from "node:net";

/**
 * Who may be behind an address. `public`: anybody on the Internet. `private`: a machine of one's own,
 * which only a connection that names the host may reach. `never`: metadata services, this network's
 * broadcasts, and ranges that lead elsewhere than they say.
 */
export type Reachability = "public" | "private" | "never";

/** Ranges that belong to whoever runs the network. */
const privateRanges = rangesOf(
  "10.0.0.0/8",
  "172.16.0.0/12",
  "192.168.0.0/16",
  "127.0.0.0/8",
  // Shared by a provider's customers (RFC 6598).
  "100.64.0.0/10",
  "::1/128",
  "fc00::/7",
);

/** What answers for a cloud's own machines, where it is no link-local address (reference: IANA, and the clouds' manuals). */
const metadata = rangesOf(
  // Azure's wire server: an address that is public for everybody else.
  "168.63.129.16/32",
  // Alibaba.
  "100.100.100.200/32",
  // AWS over IPv6.
  "fd00:ec2::/32",
);

/** IANA's special-purpose ranges of IPv4 that are not private ones. */
const special = rangesOf(
  "0.0.0.0/8",
  "169.254.0.0/16",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.31.196.0/24",
  "192.52.193.0/24",
  "192.88.99.0/24",
  "192.175.48.0/24",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/3",
);

/** What of IPv6 is given out to networks, as of today. */
const unicast = rangesOf("2000::/3");

/** Within it: protocols (Teredo among them), documentation, 6to4, and a sink for reverse lookups. */
const notUnicast = rangesOf("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "2620:4f:8000::/48");

/** Classifies an IP address. Text that is none is `never`. */
export function reachabilityOf(text: string): Reachability {
  const address = normalize(text);
  if (address === undefined) return "never";
  const { family } = address;
  const lies = (ranges: BlockList): boolean => ranges.check(address.address, family);
  if (lies(metadata)) return "never";
  if (lies(privateRanges)) return "private";
  const isPublic = family === "ipv4" ? !lies(special) : lies(unicast) && !lies(notUnicast);
  return isPublic ? "public" : "never";
}

/** Without a zone, shortened as RFC 5952 says; an IPv4 address in the dress of IPv6 as what it is. */
export function normalize(text: string): { address: string; family: "ipv4" | "ipv6" } | undefined {
  const bare = text.replace(/%.*$/s, "");
  if (isIP(bare) === 4) return { address: bare, family: "ipv4" };
  if (isIP(bare) === 0) return undefined;
  const { address } = new SocketAddress({ address: bare, family: "ipv6" });
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(address)?.[1];
  return mapped === undefined ? { address, family: "ipv6" } : { address: mapped, family: "ipv4" };
}

function rangesOf(...ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = "", bits] = range.split("/");
    list.addSubnet(address, Number(bits), address.includes(":") ? "ipv6" : "ipv4");
  }
  return list;
}
