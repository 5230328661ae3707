import { Agent, request } from "node:http";

export interface Answer {
  readonly status: number;
  /** Undefined when it is not JSON. */
  readonly body: unknown;
}

export interface Sending {
  readonly method: string;
  readonly path: string;
  readonly body?: string | undefined;
  readonly authorization?: string | undefined;
  /** Of the body; default: JSON. */
  readonly type?: string | undefined;
  /** How long the server may be silent; default: half a minute. */
  readonly timeoutMs?: number | undefined;
}

/** Connections to one server of this machine, kept open: what is measured is the server, not the handshake. */
export interface Client {
  /** Rejects when the server cannot be reached or is silent for too long. */
  send(sending: Sending): Promise<Answer>;
  close(): void;
}

export function createClient(port: number): Client {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  return {
    send: (sending) => exchange(agent, port, sending),
    close: () => agent.destroy(),
  };
}

function exchange(agent: Agent, port: number, sending: Sending): Promise<Answer> {
  const { method, path, body, authorization, type = "application/json", timeoutMs = 30_000 } = sending;
  const headers = {
    ...(authorization === undefined ? {} : { authorization }),
    ...(body === undefined ? {} : { "content-type": type, "content-length": Buffer.byteLength(body) }),
  };
  return new Promise((resolve, reject) => {
    const sent = request({ agent, host: "127.0.0.1", port, method, path, headers, timeout: timeoutMs }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, body: parseJson(Buffer.concat(chunks).toString()) }),
      );
    });
    sent.on("error", reject);
    sent.on("timeout", () => sent.destroy(new Error(`no answer within ${timeoutMs / 1_000} s`)));
    sent.end(body);
  });
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
