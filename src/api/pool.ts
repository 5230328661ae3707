import { createPool, type SqlPool } from "../sql.ts";

/** How long a request waits for one statement: a Postgres that hangs is as good as away (503). */
const statementMs = 5_000;

/**
 * The gateway's pool. Requests come faster than statements end only while Postgres is at its limit;
 * more connections would not move that.
 */
export function createGatewayPool(url: string): SqlPool {
  // The driver reads its own limit from the address. The server's `statement_timeout` would not help
  // against a server that hangs, and does not pass through every pooler.
  const limited = `${url}${url.includes("?") ? "&" : "?"}query_timeout=${statementMs}`;
  return createPool({ url: limited, max: 16, name: "tandem-gateway" });
}
