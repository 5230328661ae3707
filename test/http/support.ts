import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import type { Answer, Call, HttpClient } from "../../src/http/client.ts";
import type { StepError } from "../../src/errors.ts";

/** A server that stands for an outside API, on loopback. */
export interface TestApi {
  readonly port: number;
  readonly url: string;
  /** What it was asked, in order. */
  readonly asked: ReadonlyArray<{ method: string; url: string; headers: IncomingMessage["headers"]; body: string }>;
}

/** Starts it; closed when the test is over. */
export async function startApi(
  answer: (request: IncomingMessage, response: ServerResponse, body: string) => void,
): Promise<TestApi> {
  const asked: Array<TestApi["asked"][number]> = [];
  const listener: RequestListener = (request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks).toString("utf8");
      asked.push({ method: request.method ?? "", url: request.url ?? "", headers: request.headers, body });
      answer(request, response, body);
    });
  };
  const server = createServer({ insecureHTTPParser: false }, listener);
  const port = await listening(server, "127.0.0.1");
  onTestFinished(() => closeServer(server));
  return { port, url: `http://127.0.0.1:${port}`, asked };
}

/** A server that speaks whatever `talk` writes, for answers that no HTTP server would give. */
export async function startRaw(talk: (socket: Socket) => void): Promise<{ port: number; url: string }> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("data", () => talk(socket));
  });
  const port = await listening(server, "127.0.0.1");
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await closeServer(server);
  });
  return { port, url: `http://127.0.0.1:${port}` };
}

export async function listening(server: Server, host: string, port = 0): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => resolve());
  });
  return (server.address() as AddressInfo).port;
}

export async function closeServer(server: Server): Promise<void> {
  if ("closeAllConnections" in server && typeof server.closeAllConnections === "function") server.closeAllConnections();
  await new Promise<void>((resolve) => server.close(() => resolve()));
}

/** A GET of this URL, on loopback if it says so, with what `more` says otherwise. */
export function callOf(url: string, more: Partial<Call> = {}): Call {
  const target = new URL(url);
  return {
    method: "GET",
    url: target,
    headers: {},
    reach: { allowedHosts: [target.host], allowHttp: true },
    repeatable: true,
    signal: new AbortController().signal,
    timeoutMs: 10_000,
    maximumBytes: 1_048_576,
    ...more,
  };
}

/** What a call ends with. */
export async function outcomeOf(client: HttpClient, call: Call): Promise<{ answer?: Answer; error?: StepError }> {
  try {
    return { answer: await client.send(call) };
  } catch (error) {
    return { error: error as StepError };
  }
}
