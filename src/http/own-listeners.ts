import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import { normalize } from "./address.ts";

/** Something of Tandem's own that listens: no step may speak to it, wherever its name leads. */
export interface OwnListener {
  readonly host: string;
  readonly port: number;
  /** Paths that begin so may be called all the same: a workflow may call another's webhook. */
  readonly openPath?: string;
}

/** Whether `address` and `port` are one of the listeners, as far as `path` is not open there. */
export function isOwn(
  listeners: readonly OwnListener[],
  { host, address, port, path }: { host: string; address: string; port: number; path: string },
): boolean {
  return listeners.some((own) => {
    if (own.port !== port || (own.openPath !== undefined && path.startsWith(own.openPath))) return false;
    return own.host === host || own.host === address || (isHere(own.host) && isHere(address));
  });
}

/** Whether it names this machine: its loopback, all of its addresses, or one of them. */
function isHere(host: string): boolean {
  const address = normalize(host)?.address ?? host;
  if (address === "localhost" || address === "0.0.0.0" || address === "::" || address === "::1") return true;
  if (isIP(address) === 4 && address.startsWith("127.")) return true;
  return Object.values(networkInterfaces()).some((some) => some?.some((one) => one.address === address) === true);
}

/** The listener that a URL of ours names (`postgres://…`, `smtp://…`); none where it names none. */
export function listenerOf(url: string | undefined, usualPort: number): OwnListener[] {
  if (url === undefined || !URL.canParse(url)) return [];
  const { hostname, port } = new URL(url);
  if (hostname === "") return [];
  return [{ host: hostname.replace(/^\[(.*)\]$/, "$1"), port: port === "" ? usualPort : Number(port) }];
}
