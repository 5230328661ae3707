import { BlockList, isIP, SocketAddress } from "node:net";
import { refuse, type Refusal } from "./authentication.ts";

const prefixBits = { 4: 32, 6: 128 } as const;

interface Range {
  readonly address: string;
  readonly family: "ipv4" | "ipv6";
  readonly bits: number;
}

/** What is wrong with an address or range as it is written; undefined: nothing. */
export function addressFault(text: string): string | undefined {
  const range = parseRange(text);
  return typeof range === "string" ? range : undefined;
}

/** Whether an address is one of the list; IPv4 in IPv6's clothes is IPv4. */
export function compileAddresses(list: readonly string[]): (ip: string | undefined) => Refusal | undefined {
  const allowed = new BlockList();
  for (const text of list) {
    const range = parseRange(text);
    if (typeof range === "string") throw new Error(`${text}: ${range}`);
    allowed.addSubnet(range.address, range.bits, range.family);
  }
  return (ip) => {
    const address = ip === undefined ? undefined : plainAddress(ip);
    if (address !== undefined && allowed.check(address, isIP(address) === 4 ? "ipv4" : "ipv6")) return undefined;
    return refuse("address-not-allowed", `${ip ?? "An unknown address"} is not among the addresses that may send.`);
  };
}

function parseRange(text: string): Range | string {
  const [address = "", bits, ...rest] = text.split("/");
  const version = isIP(address);
  if ((version !== 4 && version !== 6) || address.includes("%") || rest.length > 0)
    return "an IP address, or a range such as 203.0.113.0/24 or 2001:db8::/32";
  if (version === 6 && mappedIpv4(address) !== undefined) return "write it as the IPv4 address that it stands for";
  const most = prefixBits[version];
  if (bits !== undefined && (!/^(0|[1-9]\d{0,2})$/.test(bits) || Number(bits) > most))
    return `the number behind the slash is from 1 to ${most}`;
  if (bits === "0") return "this range is everybody; leave it out";
  return { address, family: version === 4 ? "ipv4" : "ipv6", bits: bits === undefined ? most : Number(bits) };
}

/** Without a zone, and IPv4 as such; undefined: no address. */
function plainAddress(ip: string): string | undefined {
  const [address = ""] = ip.split("%");
  if (isIP(address) === 6) return mappedIpv4(address) ?? address;
  return isIP(address) === 4 ? address : undefined;
}

function mappedIpv4(address: string): string | undefined {
  // However it is written, the system gives one spelling.
  const canonical = new SocketAddress({ address, family: "ipv6" }).address;
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(canonical)?.[1];
}
