import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { chooseFreePort } from "../../src/supervisor/ports.ts";
import { createTestFolder } from "../support/folder.ts";
import { startTandem, untilUp, type Tandem } from "../support/tandem.ts";
import { until } from "../support/until.ts";

const parts = ["Postgres", "Temporal", "gateway", "worker"];

test(
  "a first start brings everything, a second finds it as it was, and Ctrl-C leaves nothing",
  { timeout: 240_000 },
  async () => {
    const directory = await createTestFolder();
    const first = await start(directory);
    await untilUp(first);
    const key = (await readFile(join(directory, "api-key"), "utf8")).trim();
    expect((await stat(join(directory, "api-key"))).mode & 0o777).toBe(0o600);
    expect(first.output()).toContain(`${key}  (also in `);
    expect(first.output()).toContain(`${first.url}/mailbox`);
    expect(first.output()).toMatch(
      /curl -X POST http:\/\/127\.0\.0\.1:\d+\/hooks\/\S+ -H 'content-type: application\/json'/,
    );
    await fetchUi(first);

    const pids = await first.processes();
    expect([...pids.keys()].toSorted()).toEqual(parts.toSorted());
    expect(await first.stop()).toBe(0);
    expect([...(await first.processes()).keys()]).toEqual([]);
    expect(await readdir(join(directory, "lock"))).toEqual([]);

    const began = Date.now();
    const second = await start(directory);
    await untilUp(second);
    // The goal is ten seconds on a machine that does nothing else.
    expect(Date.now() - began).toBeLessThan(60_000);
    expect(second.output()).not.toContain(key);
    expect(await fetch(`${second.url}/api/workflows`, { headers: { authorization: `Bearer ${key}` } })).toHaveProperty(
      "status",
      200,
    );
    expect(await second.stop()).toBe(0);
  },
);

test(
  "a second start on a data folder or port in use is refused with a sentence and harms nothing",
  { timeout: 240_000 },
  async () => {
    const directory = await createTestFolder();
    const first = await start(directory);
    await untilUp(first);

    const sameFolder = await start(directory);
    expect(await sameFolder.exited).toBe(1);
    expect(sameFolder.output().trim()).toBe(
      `Tandem runs already on ${directory} (process ${first.pid}). Stop it, or give this one another PORT and DATA_DIR.`,
    );
    const port = Number(new URL(first.url).port);
    const otherFolder = await createTestFolder();
    const samePort = await start(otherFolder, port);
    expect(await samePort.exited).toBe(1);
    expect(samePort.output().trim()).toBe(
      `Port ${port} on 127.0.0.1 is used by another program. Stop that, or choose another port: PORT=${port + 1} npm start.`,
    );
    expect(await readdir(otherFolder)).toEqual(["lock"]);
    expect([...(await first.processes()).keys()].toSorted()).toEqual(parts.toSorted());
    expect((await fetch(`${first.url}/ready`)).status).toBe(200);
  },
);

test(
  "each part that is killed is started again with a sentence while the rest goes on",
  { timeout: 240_000 },
  async () => {
    const tandem = await start(await createTestFolder());
    await untilUp(tandem);
    const before = await tandem.processes();
    for (const name of parts) {
      const pid = before.get(name) ?? 0;
      process.kill(pid, "SIGKILL");
      const sentence = new RegExp(`${name} ended \\(SIGKILL\\) and is started again\\.`);
      await until(`${name} is missed`, () => sentence.test(tandem.output()));
      await until(
        `${name} is back`,
        async () => {
          const again = (await tandem.processes()).get(name);
          return again !== undefined && again !== pid && new RegExp(`${name} is up again\\.`).test(tandem.output());
        },
        60_000,
      );
    }
    await until("all is well again", async () => (await fetch(`${tandem.url}/ready`)).status === 200, 60_000);
    expect(await tandem.stop()).toBe(0);
  },
);

test("after everything was killed at once the next start recovers by itself", { timeout: 240_000 }, async () => {
  const directory = await createTestFolder();
  const killed = await start(directory);
  await untilUp(killed);
  await killed.killAll();
  const next = await start(directory);
  await untilUp(next);
  expect(await next.stop()).toBe(0);
});

test(
  "when only the supervisor is killed its programs end, and the next start ends what is left",
  { timeout: 240_000 },
  async () => {
    const directory = await createTestFolder();
    const killed = await start(directory);
    await untilUp(killed);
    process.kill(killed.pid, "SIGKILL");
    await until("the gateway and the worker notice", async () => {
      const left = await killed.processes();
      return !left.has("gateway") && !left.has("worker");
    });
    const next = await start(directory);
    await untilUp(next);
    expect(next.output()).toMatch(
      /Ending what an earlier start left running: (Postgres, Temporal|Temporal, Postgres)\./,
    );
    expect(await next.stop()).toBe(0);
  },
);

test("a data folder made by a newer version is refused with a sentence and left alone", async () => {
  const directory = await createTestFolder();
  const newer = JSON.stringify({ format: 2, tandem: "9.0.0" });
  await writeFile(join(directory, "state.json"), newer);
  const refused = await start(directory);
  expect(await refused.exited).toBe(1);
  expect(refused.output()).toMatch(/was made by a newer Tandem \(9\.0\.0\).*Nothing was changed\./);
  expect(await readFile(join(directory, "state.json"), "utf8")).toBe(newer);
  expect((await readdir(directory)).toSorted()).toEqual(["lock", "state.json"]);
});

test("a stop while everything is still starting leaves nothing", { timeout: 120_000 }, async () => {
  const directory = await createTestFolder();
  const tandem = await start(directory);
  await until("something was started", async () => (await tandem.processes()).size > 0);
  expect(await tandem.stop()).toBe(0);
  expect([...(await tandem.processes()).keys()]).toEqual([]);
  expect(await readdir(join(directory, "lock"))).toEqual([]);
});

test("what is wrong in the environment is said, with its name", async () => {
  const directory = await createTestFolder();
  const refused = startTandem({ directory, port: 1, environment: { PORT: "many" } });
  expect(await refused.exited).toBe(1);
  expect(refused.output()).toMatch(/PORT: .*\.env\.example/);
});

async function start(directory: string, port?: number): Promise<Tandem> {
  const tandem = startTandem({ directory, port: port ?? (await chooseFreePort()) });
  onTestFinished(async () => {
    await tandem.stop();
  });
  return tandem;
}

async function fetchUi(tandem: Tandem): Promise<void> {
  const address = /Temporal UI\s+(\S+)/.exec(tandem.output())?.[1] ?? "";
  expect((await fetch(address)).headers.get("content-type")).toMatch(/text\/html/);
}
