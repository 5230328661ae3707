import { createServer, type RequestListener, type Server } from "node:http";
import { arrivalMs, limitArrival } from "./body/arrival.ts";

/** How long requests under way may take once the server closes. */
const drainMs = 5_000;

/** A listening server. */
export interface Listening {
  readonly port: number;
  /** Takes no new requests, lets those under way end, then closes what is left. */
  close(): Promise<void>;
}

/**
 * Listens; a request must have arrived within `limitMs`. Throws an Error with a sentence for people when
 * the port cannot be had.
 */
export async function listen(
  handler: RequestListener,
  { host, port, limitMs = arrivalMs }: { host: string; port: number; limitMs?: number },
): Promise<Listening> {
  // A sender that trickles its headers or its body is cut off; files may take longer, so the server itself
  // sets no limit to bodies.
  const server = createServer(
    { headersTimeout: 15_000, requestTimeout: 0, keepAliveTimeout: 20_000 },
    (request, response) => {
      limitArrival(request, response, limitMs);
      handler(request, response);
    },
  );
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(explain(error, host, port)));
    server.listen({ host, port }, resolve);
  });
  const address = server.address();
  return { port: typeof address === "object" && address !== null ? address.port : port, close: () => close(server) };
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const limit = setTimeout(() => server.closeAllConnections(), drainMs);
    server.close(() => {
      clearTimeout(limit);
      resolve();
    });
    server.closeIdleConnections();
  });
}

function explain(error: NodeJS.ErrnoException, host: string, port: number): Error {
  const sentences: Record<string, string> = {
    EADDRINUSE: `Port ${port} on ${host} is in use. Stop what uses it, or set PORT to another.`,
    EACCES: `Port ${port} on ${host} may not be used by this user. Set PORT to one above 1023.`,
    EADDRNOTAVAIL: `${host} is not an address of this machine. Set HOST to one that is, e.g. 127.0.0.1 or 0.0.0.0.`,
  };
  return new Error(sentences[error.code ?? ""] ?? `Listening on ${host}:${port} failed: ${error.message}`, {
    cause: error,
  });
}
