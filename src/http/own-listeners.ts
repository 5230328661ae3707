import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import type { Config } from "../config.ts";
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

/** All that the configuration names of ours: the gateway, Postgres, Temporal, mail. */
export function ownListenersOf(config: Config): OwnListener[] {
  const mailbox = config.MAILBOX_SMTP_PORT;
  return [
    { host: config.HOST, port: config.PORT, openPath: "/hooks/" },
    ...(mailbox === undefined ? [] : [{ host: "127.0.0.1", port: mailbox }]),
    ...listenerOf(config.DATABASE_URL, 5_432),
    ...listenerOf(config.DATABASE_DIRECT_URL, 5_432),
    ...listenerOf(config.TEMPORAL_ADDRESS === undefined ? undefined : `grpc://${config.TEMPORAL_ADDRESS}`, 7_233),
    ...listenerOf(config.TEMPORAL_UI_URL, 80),
    ...listenerOf(config.SMTP_URL, 25),
  ];
}

/** The listener that a URL of ours names (`postgres://…`, `smtp://…`); none where it names none. */
function listenerOf(url: string | undefined, usualPort: number): OwnListener[] {
  if (url === undefined || !URL.canParse(url)) return [];
  const { hostname, port, protocol } = new URL(url);
  if (hostname === "") return [];
  const usual = protocol === "https:" ? 443 : usualPort;
  return [{ host: hostname.replace(/^\[(.*)\]$/, "$1"), port: port === "" ? usual : Number(port) }];
}
