import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Agent, request } from "undici";
import { createHttpClient } from "../../src/http/client.ts";
import { activate } from "../api.ts";
import { measureInTurns } from "../measure.ts";
import { withProduct, type Product } from "../product.ts";
import type { OutsideFigures } from "./report.ts";

const calls = { warm: 200, counted: 4_000 };
const atOnce = 20;
const callRounds = 5;
const rounds = 3;
const runs = 100;
const stepsInRun = 5;

/** How fast outside APIs are called: by steps, by the guarded client alone, and by undici with nothing around it. */
export async function measureOutside(say: (sentence: string) => void): Promise<OutsideFigures> {
  const server = createServer((_, response) => {
    response.writeHead(200, { "content-type": "application/json" }).end(`{"ok":true,"items":[1,2,3]}`);
  });
  const url = await listen(server);
  try {
    say("Calls of a server of this machine…");
    const inTurns = { bare: 0, guarded: 0 };
    // The best of each: what else the machine does meanwhile slows either down.
    for (let round = 0; round < callRounds; round++) {
      inTurns.bare = Math.max(inTurns.bare, await measureBare(url));
      inTurns.guarded = Math.max(inTurns.guarded, await measureGuarded(url));
    }
    say("Starting an instance for steps that call…");
    const httpStepsPerSecond = await withProduct({}, (product) => measureSteps(product, url));
    return {
      httpStepsPerSecond,
      guardedHttpCallsPerSecond: inTurns.guarded,
      bareHttpCallsPerSecond: inTurns.bare,
    };
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

function listen(server: Server): Promise<string> {
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
  });
}

async function measureBare(url: string): Promise<number> {
  const dispatcher = new Agent();
  try {
    return await measureCalls(async () => {
      const { body } = await request(url, { dispatcher });
      JSON.parse(await body.text());
    });
  } finally {
    await dispatcher.close();
  }
}

async function measureGuarded(url: string): Promise<number> {
  const client = createHttpClient({ own: [] });
  const target = new URL(url);
  try {
    return await measureCalls(async () => {
      const { body } = await client.send({
        method: "GET",
        url: target,
        headers: {},
        reach: { allowedHosts: [target.host], allowHttp: true },
        repeatable: true,
        signal: new AbortController().signal,
        timeoutMs: 10_000,
        maximumBytes: 1_048_576,
      });
      JSON.parse(body.toString());
    });
  } finally {
    await client.close();
  }
}

async function measureCalls(call: () => Promise<void>): Promise<number> {
  await inParallel(call, calls.warm);
  const begun = performance.now();
  await inParallel(call, calls.counted);
  return (calls.counted * 1_000) / (performance.now() - begun);
}

async function inParallel(call: () => Promise<void>, count: number): Promise<void> {
  const caller = async (): Promise<void> => {
    for (let done = 0; done < count / atOnce; done++) await call();
  };
  await Promise.all(Array.from({ length: atOnce }, caller));
}

async function measureSteps(product: Product, url: string): Promise<number> {
  const connection = { key: "bench", baseUrl: url, allowedHosts: [new URL(url).host] };
  const { status } = await product.call("POST", "/api/connections", connection);
  if (status !== 201) throw new Error(`The connection was refused with ${status}.`);
  const workflow = await activate(product, {
    formatVersion: 1,
    key: "bench-outside",
    name: "Calls of an outside API",
    triggers: [{ id: "post", kind: "webhook" }],
    steps: Array.from({ length: stepsInRun }, (_, i) => ({
      id: `call${i + 1}`,
      kind: "http-request",
      input: { connection: "bench", path: "/items", query: { for: "{{ trigger.body.email }}" } },
    })),
  });
  await measureInTurns(product, 1, { warm: { workflow, mark: "warm", runs: runs / 2 } });
  const { http } = await measureInTurns(product, rounds, { http: { workflow, mark: "http", runs } });
  return http.perSecond * stepsInRun;
}
