import { createHmac } from "node:crypto";
import { readdir, readFile, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { JsonObject } from "../../src/json.ts";
import { chooseFreePort } from "../../src/supervisor/ports.ts";
import { hookDefinition, request } from "../api/gateway.ts";
import { createTestFolder } from "../support/folder.ts";
import { startTandem, untilUp, type Tandem } from "../support/tandem.ts";

const secret = "canary-9e1b7c44";

test(
  "a webhook knows its sender after a restart; without the key of its secrets nothing starts, and no other is made",
  { timeout: 240_000 },
  async () => {
    const directory = await createTestFolder();
    const file = join(directory, "master-key");
    const first = await start(directory);
    await untilUp(first);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const hook = await installHook(first, directory);
    expect(await post(first, hook)).toBe(202);
    expect(await first.stop()).toBe(0);

    const away = join(directory, "master-key.away");
    await rename(file, away);
    const without = await start(directory);
    expect(await without.exited).toBe(1);
    expect(without.output()).toContain(`there is none now. Put that key back into ${file}`);
    const withAnother = await start(directory, { MASTER_KEY: Buffer.alloc(32, 1).toString("base64") });
    expect(await withAnother.exited).toBe(1);
    expect(withAnother.output()).toContain("Put that key back into MASTER_KEY");
    expect(await readdir(directory)).not.toContain("master-key");

    // Moved into the environment, it is the same key.
    const moved = await start(directory, { MASTER_KEY: (await readFile(away, "utf8")).trim() });
    await untilUp(moved);
    expect(await post(moved, hook)).toBe(202);
    expect(await moved.stop()).toBe(0);
    for (const { output } of [first, without, withAnother, moved]) expect(output()).not.toContain(secret);
    for (const name of await readdir(join(directory, "logs")))
      expect(await readFile(join(directory, "logs", name), "utf8")).not.toContain(secret);
  },
);

async function start(directory: string, environment: Record<string, string> = {}): Promise<Tandem> {
  const tandem = startTandem({ directory, port: await chooseFreePort(), environment });
  onTestFinished(() => tandem.killAll());
  return tandem;
}

/** Keeps the secret, and makes a webhook that is signed with it. */
async function installHook({ url }: Tandem, directory: string): Promise<string> {
  const key = (await readFile(join(directory, "api-key"), "utf8")).trim();
  await request(url, "POST", "/api/secrets", { key, body: { name: "GITHUB", value: secret } });
  const definition = hookDefinition("signed", { authentication: { kind: "github", secret: "GITHUB" } });
  const { body: made } = await request(url, "POST", "/api/workflows", { key, body: definition });
  const { body: active } = await request(url, "POST", `/api/workflows/${String(made["id"])}/activate`, { key });
  const [trigger] = active["triggers"] as JsonObject[];
  return new URL(String(trigger?.["url"])).pathname;
}

async function post({ url }: Tandem, hook: string): Promise<number> {
  const signature = createHmac("sha256", secret).update("{}").digest("hex");
  const headers = { "content-type": "application/json", "x-hub-signature-256": `sha256=${signature}` };
  return (await request(url, "POST", hook, { raw: "{}", headers })).status;
}
