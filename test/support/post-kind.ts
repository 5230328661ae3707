import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { afterAll } from "vitest";
import { z } from "zod";
import type { OutsideKind } from "../../src/activities/step-kind.ts";
import { StepError } from "../../src/errors.ts";
import type { Json, JsonObject } from "../../src/json.ts";

/** What the service of another company got. */
export interface Received {
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** How it answers; undefined: it breaks the connection. */
export interface Reply {
  readonly status: number;
  readonly body: Json;
}

export interface Service {
  readonly url: string;
  readonly received: Received[];
}

/** A service of another company over real HTTP, closed after the file. */
export async function startService(reply: (got: Received, before: number) => Promise<Reply | undefined>) {
  const received: Received[] = [];
  const server = createServer((request, response) => void answer(request, response));
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const got = { path: request.url ?? "", headers: request.headers, body: Buffer.concat(chunks).toString() };
    const before = received.filter(({ path }) => path === got.path).length;
    received.push(got);
    const given = await reply(got, before);
    if (given === undefined) request.socket.destroy();
    else response.writeHead(given.status, { "content-type": "application/json" }).end(JSON.stringify(given.body));
  };
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The service has no port.");
  return { url: `http://127.0.0.1:${address.port}`, received } satisfies Service;
}

const input = z.strictObject({
  url: z.string(),
  headers: z.record(z.string(), z.string()).default({}),
  body: z.json().default(null),
  honours: z.boolean().default(false),
});

type Input = z.output<typeof input>;

/** Posts to a service. `honours`: the service does a request once under one Idempotency-Key. */
export const postKind: OutsideKind<Input, JsonObject & Input> = {
  kind: "post",
  effect: "outside",
  title: "Post",
  description: "Posts to a service of the test.",
  version: 1,
  queue: "email",
  timeoutMs: 10_000,
  retry: { maximumAttempts: 4, initialIntervalMs: 20, backoffCoefficient: 1, maximumIntervalMs: 1_000 },
  input,
  output: z.object({ status: z.int(), body: z.unknown() }),
  fixed: [],
  places: { url: "url", headers: "header" },
  sample: { input: { url: "http://127.0.0.1/" }, output: { status: 200, body: null } },
  prepare: async (_context, given) => ({ request: given as JsonObject & Input }),
  repeatable: ({ honours }) => honours,
  async perform({ key, signal }, { url, headers, body }) {
    const response = await fetch(url, {
      method: "POST",
      headers: { ...headers, "idempotency-key": key },
      body: JSON.stringify(body),
      signal,
    }).catch((error: unknown) => {
      throw new StepError("broken-line", String(error), { retryable: true, details: { unsure: true } });
    });
    const said: Json = JSON.parse(await response.text());
    const details = { status: response.status, body: said };
    if (response.status >= 500)
      throw new StepError("http-status", `It answered ${response.status}.`, {
        retryable: true,
        details: { ...details, unsure: true },
      });
    if (response.status >= 400)
      throw new StepError("http-status", `It answered ${response.status}: ${JSON.stringify(said)}.`, {
        retryable: response.status === 429,
        details: { ...details, ...(response.status === 429 ? { counts: false, afterMs: 30 } : {}) },
      });
    return { output: details, outcome: String(response.status) };
  },
};
