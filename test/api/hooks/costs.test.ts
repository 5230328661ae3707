import { PassThrough } from "node:stream";
import { pino } from "pino";
import { describe, expect, test } from "vitest";
import { createApp } from "../../../src/api/app.ts";
import { listen } from "../../../src/api/listen.ts";
import { mailboxPage } from "../../../src/api/mailbox/page.ts";
import { createRestRouter } from "../../../src/api/rest/router.ts";
import { createFinishedRuns } from "../../../src/runs/finished.ts";
import type { SqlPool } from "../../../src/sql.ts";
import { createTestDatabase } from "../../support/database.ts";
import { recordKinds } from "../../support/engine.ts";
import { createTestGate } from "../../support/gate.ts";
import { createTestVault } from "../../support/vault.ts";
import { request, startGateway } from "../gateway.ts";
import { createReceiver, signLikeGitHub } from "./receiver.ts";

const { pool } = await createTestDatabase();
const { receive, keep } = createReceiver(await startGateway(pool));

/** A gateway whose statements are seen before they are run, and its log. */
async function watchGateway(see: (text: string) => void) {
  const watched = new Proxy(pool, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key);
      if (typeof value !== "function") return value;
      if (key !== "query") return value.bind(target);
      return (...args: [string | { text: string }]) => {
        see(typeof args[0] === "string" ? args[0] : args[0].text);
        return Reflect.apply(value, target, args) as unknown;
      };
    },
  }) as SqlPool;
  const lines = new PassThrough();
  let logged = "";
  lines.on("data", (chunk: Buffer) => (logged += chunk.toString()));
  const log = pino({ level: "trace" }, lines);
  const { gate } = createTestGate(watched);
  const app = createApp({
    pool: watched,
    log,
    publicUrl: "https://crm.example",
    kinds: recordKinds,
    vault: createTestVault(watched),
    finished: createFinishedRuns(watched),
    endpoints: [],
    mailboxPage: mailboxPage(),
    gate,
    rest: createRestRouter({ pool, log, gate }),
  });
  const server = await listen(app, { host: "127.0.0.1", port: 0 });
  return { url: `http://127.0.0.1:${server.port}`, logged: () => logged, close: () => server.close() };
}

describe("an accepted delivery", () => {
  const body = "{}";
  test.each<[string, object]>([
    ["of anybody", {}],
    ["of a sender who signs", { authentication: { kind: "github", secret: "COSTS" }, dedupe: { header: "x-id" } }],
  ])("%s costs one question and one commit", async (what, settings) => {
    if (what !== "of anybody") await keep("COSTS", "canary-costs");
    const { hook } = await receive(JSON.parse(JSON.stringify(settings)));
    const statements: string[] = [];
    const gateway = await watchGateway((text) => statements.push(text));
    const post = (id: string) =>
      request(gateway.url, "POST", hook, {
        raw: body,
        headers: { ...signLikeGitHub("canary-costs", body), "x-id": id },
      });
    // What is compiled and opened once is not what each costs.
    expect((await post("1")).status).toBe(202);
    statements.length = 0;
    expect((await post("2")).status).toBe(202);
    const paid = statements.filter((text) => !text.includes("pg_notify") && !text.includes("secret_values"));
    await gateway.close();
    expect(paid).toEqual([
      expect.stringContaining("from tandem.webhooks h"),
      expect.stringContaining("insert into tandem.deliveries"),
    ]);
  });
});

test("a fault of ours is logged without the webhook's address", async () => {
  const { hook } = await receive({});
  const gateway = await watchGateway((text) => {
    if (text.includes("insert into tandem.deliveries")) throw new Error("Something broke.");
  });
  expect((await request(gateway.url, "POST", hook, { body: {} })).status).toBe(500);
  await gateway.close();
  expect(gateway.logged()).toContain("Something broke.");
  expect(gateway.logged()).not.toContain(hook.split("/").at(-1));
});
