import { spawn, type ChildProcess } from "node:child_process";
import { join } from "node:path";
import { Readable } from "node:stream";
import { expect, onTestFinished, test } from "vitest";
import { projectRoot } from "../../src/config.ts";
import type { JsonObject } from "../../src/json.ts";
import { chooseFreePort } from "../../src/supervisor/ports.ts";
import { request, type Answer } from "../api/gateway.ts";
import { createTestDatabase } from "../support/database.ts";
import { createTestWorkspace } from "../support/engine.ts";
import { createTestKey, testMasterKeyText } from "../support/vault.ts";
import { until } from "../support/until.ts";

const { pool, url: databaseUrl } = await createTestDatabase();
const { workspace, objects } = await createTestWorkspace(pool);
const { key } = await createTestKey(pool, { workspaceId: workspace.id, name: "Tester" });
const company = objects.find("company")!;

const rows = 12_000;
const file = ["name,employees", ...Array.from({ length: rows }, (_, i) => `Company ${i},${i}`), ""].join("\n");

test(
  "a gateway that is killed in the middle of a file loses no row and doubles none",
  { timeout: 180_000 },
  async () => {
    const port = await chooseFreePort();
    const base = `http://127.0.0.1:${port}`;
    let gateway = await startGatewayProcess(port);
    const made = await request(base, "POST", "/api/imports", { key, body: { object: "company" } });
    const path = `/api/imports/${String(made.body["id"])}`;
    const state = async (): Promise<JsonObject> => (await request(base, "GET", path, { key })).body;
    for (const kill of [1, 2]) {
      const before = await state();
      // Once from its beginning, once from where it goes on.
      const offset = kill === 1 ? 0 : (before["offset"] as number);
      const sending = sendSlowly(`${base}${path}/data`, offset);
      await until("rows to be written", async () => ((await state())["created"] as number) > kill * 3_000, 60_000);
      gateway.kill("SIGKILL");
      await expect(sending).rejects.toThrow("fetch failed");
      gateway = await startGatewayProcess(port);
      expect((await state())["created"]).toBeLessThan(rows);
      // The dead sender's claim runs out by itself.
      await until("the import to wait", async () => (await state())["status"] === "waiting", 30_000);
    }
    const done: Answer = await request(base, "PUT", `${path}/data`, { key, raw: file });
    expect(done.body).toMatchObject({ status: "completed", created: rows, updated: 0, unchanged: 0, refused: 0 });
    const { rows: counted } = await pool.query(
      `select count(*) as records, count(distinct name) as names,
       (select count(*) from tandem.outbox where object = 'company' and kind = 'created') as events from ${company.table}`,
    );
    expect(counted).toEqual([{ records: rows, names: rows, events: rows }]);
  },
);

/** A piece at a time, for as long as the gateway lives. */
async function sendSlowly(url: string, offset: number): Promise<unknown> {
  const bytes = Buffer.from(file).subarray(offset, file.length - 50);
  async function* pieces(): AsyncGenerator<Buffer> {
    for (let from = 0; from < bytes.length; from += 4_096) yield bytes.subarray(from, from + 4_096);
    await new Promise(() => {});
  }
  return fetch(url, {
    method: "PUT",
    headers: { authorization: `Bearer ${key}`, "upload-offset": String(offset) },
    body: Readable.toWeb(Readable.from(pieces())),
    duplex: "half",
  } as RequestInit);
}

async function startGatewayProcess(port: number): Promise<ChildProcess> {
  const child = spawn(process.execPath, [join(projectRoot, "dist/src/api/main.js")], {
    env: {
      PATH: process.env["PATH"],
      LOG_LEVEL: "fatal",
      DATABASE_URL: databaseUrl,
      MASTER_KEY: testMasterKeyText(),
      PORT: String(port),
    },
    stdio: "ignore",
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const isUp = async (): Promise<boolean> => (await fetch(`http://127.0.0.1:${port}/health`)).ok;
  await until("the gateway to be up", () => isUp().catch(() => false), 30_000);
  return child;
}
