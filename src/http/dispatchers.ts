import { Agent, type Dispatcher } from "undici";
import { createConnector, type Resolve } from "./connector.ts";
import type { OwnListener } from "./own-listeners.ts";
import type { Reach } from "./reach.ts";

/** Ways of connecting that are kept at once; the oldest goes when what is under way on it is over. */
const mostKept = 256;
const headerBytes = 16_384;
const idleMs = 4_000;

/** What decides over which lines a request may go. */
export interface LineNeeds {
  readonly reach: Reach;
  readonly certificateAuthority?: string | undefined;
  readonly url: URL;
  /**
   * `fresh`: on a line of its own. A kept line may be closed by the target just as the request leaves,
   * which looks as if it had been received: a request that must not go twice is not sent on one.
   */
  readonly line: "kept" | "fresh";
}

/** Undici's agents, each of which connects by one reach only: lines are never shared beyond it. */
export interface Dispatchers {
  for(needs: LineNeeds): Dispatcher;
  close(): Promise<void>;
}

export function createDispatchers(parts: { resolve: Resolve; own: readonly OwnListener[] }): Dispatchers {
  const kept = new Map<string, Agent>();

  function retireOldest(): void {
    const [oldest] = kept;
    if (oldest === undefined) return;
    kept.delete(oldest[0]);
    void oldest[1].close();
  }

  return {
    for({ reach, certificateAuthority, url, line }) {
      const path = parts.own.find(({ openPath }) => openPath !== undefined && url.pathname.startsWith(openPath));
      const key = JSON.stringify([reach.allowedHosts, certificateAuthority, path?.openPath, line]);
      const known = kept.get(key);
      if (known !== undefined) return known;
      const agent = new Agent({
        connect: createConnector({ ...parts, reach, certificateAuthority, path: path?.openPath ?? "/" }),
        // Without pipelining a line ends with its request.
        pipelining: line === "fresh" ? 0 : 1,
        maxHeaderSize: headerBytes,
        // The whole exchange has its time: these would measure pauses only.
        headersTimeout: 0,
        bodyTimeout: 0,
        keepAliveTimeout: idleMs,
        keepAliveMaxTimeout: 60_000,
      });
      kept.set(key, agent);
      if (kept.size > mostKept) retireOldest();
      return agent;
    },
    async close() {
      await Promise.all([...kept.values()].map((agent) => agent.destroy()));
    },
  };
}
