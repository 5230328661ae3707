import { afterAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { ensureInstallation } from "../../src/catalog/bootstrap.ts";
import { createPool } from "../../src/sql.ts";
import { config, kinds } from "../catalog/support.ts";
import { createEmptyDatabase, createTestDatabase } from "../support/database.ts";
import { freePort } from "../support/mail.ts";
import { createPresence } from "../../src/worker/presence.ts";
import { createLog } from "../../src/log.ts";
import { until } from "../support/until.ts";
import { createTestVault } from "../support/vault.ts";
import { hookDefinition, request, serveGateway, startGateway } from "./gateway.ts";

const get = (url: string, path: string) => request(url, "GET", path);

describe("/ready", () => {
  test("is 503 before the database is migrated, and /health is 200", async () => {
    const pool = createPool({ url: await createEmptyDatabase(), max: 2, name: "test" });
    afterAll(() => pool.end());
    const url = await serveGateway(pool, kinds);
    const ready = await get(url, "/ready");
    expect([ready.status, ready.body["postgres"]]).toEqual([503, { up: true, migrated: false }]);
    expect(await get(url, "/health")).toMatchObject({ status: 200, body: { status: "ok" } });
  });

  test("is 503 while Postgres is away, and /health and /metrics go on", async () => {
    const pool = createPool({ url: `postgres://nobody@127.0.0.1:${await freePort()}/none`, max: 2, name: "test" });
    afterAll(() => pool.end());
    const url = await serveGateway(pool, kinds);
    const ready = await get(url, "/ready");
    expect([ready.status, ready.body["postgres"]]).toEqual([503, { up: false, migrated: false }]);
    expect((await get(url, "/health")).status).toBe(200);
    expect((await get(url, "/metrics")).text).toContain("tandem_postgres_up 0");
  });

  test("is 200 from the installation on, and says what the workers report", async () => {
    const { pool } = await createTestDatabase();
    const url = await serveGateway(pool, kinds);
    expect((await get(url, "/ready")).status).toBe(503);
    await ensureInstallation({ pool, vault: createTestVault(pool) }, config, kinds);
    const alone = await get(url, "/ready");
    expect([alone.status, alone.body]).toEqual([
      200,
      {
        ready: true,
        postgres: { up: true, migrated: true },
        temporal: { up: false },
        workers: { up: false, count: 0 },
        mail: { up: false },
      },
    ]);
    const temporal = { up: true, address: "127.0.0.1:7233", namespace: "default" };
    const presence = createPresence({
      pool,
      log: createLog("test", "fatal"),
      state: async () => ({ temporal, mail: { up: true, via: "mailbox" } }),
    });
    presence.start();
    const seen = await until("the worker", async () => {
      const { body } = await get(url, "/ready");
      return (body["workers"] as { up: boolean }).up && body;
    });
    expect(seen).toMatchObject({ temporal, workers: { up: true, count: 1 }, mail: { up: true, via: "mailbox" } });
    await presence.stop();
  });
});

test("/metrics counts what was accepted, repeated and refused, and shows the backlog", async () => {
  const { pool } = await createTestDatabase();
  const { url, call, install } = await startGateway(pool);
  const { hook } = await install(hookDefinition("counted", { dedupe: { header: "x-id" } }));
  for (const id of ["1", "1", "2"]) await call("POST", hook, { body: {}, headers: { "x-id": id } });
  await call("POST", hook, { raw: "{", headers: { "content-type": "application/json" } });
  const { headers, text } = await get(url, "/metrics");
  expect(headers.get("content-type")).toMatch(/^text\/plain/);
  expect(text).toContain('tandem_deliveries_total{outcome="accepted"} 2');
  expect(text).toContain('tandem_deliveries_total{outcome="duplicate"} 1');
  expect(text).toContain('tandem_deliveries_total{outcome="refused"} 1');
  expect(text).toContain('tandem_delivery_seconds_count{outcome="accepted"} 2');
  expect(text).toContain('tandem_runs{status="queued"} 2');
  expect(text).toContain("tandem_outbox_events 0");
  expect(text).toContain("tandem_postgres_up 1");
});

describe("the documents", () => {
  test("/openapi.json describes each endpoint by the schemas that validate it", async () => {
    const { pool } = await createTestDatabase();
    const url = await serveGateway(pool, kinds);
    const { status, body } = await get(url, "/openapi.json");
    expect(status).toBe(200);
    const described = z
      .object({
        openapi: z.string(),
        servers: z.array(z.object({ url: z.string() })),
        paths: z.record(z.string(), z.unknown()),
      })
      .parse(body);
    expect(described.openapi).toBe("3.1.0");
    expect(described.servers).toEqual([{ url: "https://crm.example" }]);
    for (const path of [
      "/api/workflows",
      "/api/workflows/{id}",
      "/api/workflows/{id}/draft",
      "/api/workflows/{id}/settings",
      "/api/workflows/{id}/versions",
      "/api/workflows/{id}/activate",
      "/api/workflows/{id}/deactivate",
      "/api/runs",
      "/api/runs/{id}",
      "/api/runs/{id}/cancel",
      "/api/deliveries",
      "/api/templates",
      "/api/objects",
      "/api/settings",
      "/api/step-kinds",
      "/api/trigger-kinds",
      "/api/definition-schema",
      "/api/mailbox",
      "/hooks/{token}",
    ]) {
      expect(described.paths).toHaveProperty([path]);
    }
    expect(described.paths["/api/runs"]).toMatchObject({
      get: {
        security: [{ apiKey: [] }],
        parameters: expect.arrayContaining([
          expect.objectContaining({
            name: "limit",
            in: "query",
            schema: expect.objectContaining({ type: "integer", maximum: 200, default: 60 }),
          }),
        ]),
        responses: { 200: expect.anything(), 400: expect.anything(), 401: expect.anything(), 503: expect.anything() },
      },
    });
    // Every reference leads somewhere.
    const text = JSON.stringify(body);
    for (const [, name = ""] of text.matchAll(/#\/components\/schemas\/(\w+)/g))
      expect(body).toHaveProperty(["components", "schemas", name]);
  });

  test("/docs is a page of its own, from this server alone", async () => {
    const { pool } = await createTestDatabase();
    const url = await serveGateway(pool, kinds);
    const page = await get(url, "/docs");
    expect([page.status, page.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
    expect(page.headers.get("content-security-policy")).toContain("default-src 'self'");
    const links = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link = ""]) => link);
    expect(links.length).toBeGreaterThan(3);
    for (const link of links) expect([link, (await get(url, link)).status]).toEqual([link, 200]);
    expect((await get(url, "/docs/assets/../../package.json")).status).toBe(404);
    expect((await get(url, "/docs/assets/%2e%2e/package.json")).status).not.toBe(200);
  });
});
