import { connect, createServer, type Socket } from "node:net";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { createGatewayPool } from "../../src/api/pool.ts";
import { createTestDatabase } from "../support/database.ts";
import { recordKinds } from "../support/engine.ts";
import { until } from "../support/until.ts";
import { hookDefinition, request, serveGateway, startGateway } from "./gateway.ts";

type Mode = "passes" | "hangs" | "refuses";

/** What stands between the gateway and Postgres, and can be in the way. */
async function startProxy(target: URL): Promise<{ url: string; set(mode: Mode): void }> {
  const sockets = new Set<Socket>();
  let mode: Mode = "passes";
  const server = createServer((client) => {
    if (mode === "refuses") {
      client.destroy();
      return;
    }
    const upstream = connect(Number(target.port), target.hostname);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => socket.destroy()).on("close", () => sockets.delete(socket));
    }
    client.on("data", (bytes) => mode === "passes" && upstream.write(bytes)).on("close", () => upstream.destroy());
    upstream.on("data", (bytes) => mode === "passes" && client.write(bytes)).on("close", () => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const end = (): void => sockets.forEach((socket) => socket.destroy());
  afterAll(() => {
    end();
    server.close();
  });
  const address = server.address();
  const url = new URL(target);
  url.hostname = "127.0.0.1";
  url.port = String(typeof address === "object" ? address?.port : "");
  return {
    url: url.href,
    set(next) {
      mode = next;
      if (next === "refuses") end();
    },
  };
}

const { pool, url: databaseUrl } = await createTestDatabase();
const beside = await startGateway(pool);
const { id, hook } = await beside.install(hookDefinition("away"));
const proxy = await startProxy(new URL(databaseUrl));
const limited = createGatewayPool(proxy.url);
afterAll(() => limited.end());
const url = await serveGateway(limited, recordKinds);
const post = () => request(url, "POST", hook, { body: { a: 1 } });
const countRuns = async () =>
  ((await beside.call("GET", `/api/runs?workflowId=${id}&limit=200`)).body["data"] as unknown[]).length;

beforeEach(async () => {
  proxy.set("passes");
  await until("Postgres is reached", async () => (await post()).status === 202);
});

describe.each<Mode>(["refuses", "hangs"])("while Postgres %s", (mode) => {
  test("webhooks are answered with 503 and when to come again, in seconds, and nothing is started", async () => {
    const before = await countRuns();
    proxy.set(mode);
    const startedAt = Date.now();
    const answers = await Promise.all(Array.from({ length: 5 }, post));
    expect(Date.now() - startedAt).toBeLessThan(20_000);
    for (const answer of answers) {
      expect([answer.status, answer.headers.get("content-type")]).toEqual([
        503,
        "application/problem+json; charset=utf-8",
      ]);
      expect(Number(answer.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
      expect(Number(answer.headers.get("retry-after"))).toBeLessThanOrEqual(30);
      expect(answer.body).toMatchObject({ code: "database-away" });
    }
    expect(await countRuns()).toBe(before);
    proxy.set("refuses");
    proxy.set("passes");
    expect((await post()).status).toBe(202);
    expect(await countRuns()).toBe(before + 1);
  });

  test("the API is 503 too, with a key and records alike", async () => {
    proxy.set(mode);
    for (const path of ["/api/runs", "/rest/people"]) {
      expect([path, (await request(url, "GET", path, { key: beside.key })).status]).toEqual([path, 503]);
    }
    proxy.set("refuses");
  });
});
