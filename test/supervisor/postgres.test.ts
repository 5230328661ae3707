import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { findIdentity } from "../../src/supervisor/identity.ts";
import { chooseFreePort } from "../../src/supervisor/ports.ts";
import { startPostgres, stopPostgres, type Postgres } from "../../src/supervisor/postgres.ts";
import { createTestFolder } from "../support/folder.ts";

test("Postgres is made, answers, is killed, recovers what was committed, and leaves no process", async () => {
  const directory = join(await createTestFolder(), "postgres");
  const first = await bring(directory);
  await query(first, "create table kept as select 1 as one");
  process.kill(first.pid, "SIGKILL");
  await first.exited;
  const second = await bring(directory);
  expect(await query(second, "select one from kept")).toEqual([{ one: 1 }]);
  await stopPostgres(second);
  expect(findIdentity(second.pid)).toBeUndefined();
});

test("a kill in the middle of making the data folder heals at the next start", async () => {
  const directory = join(await createTestFolder(), "postgres");
  await mkdir(join(`${directory}.making`, "data"), { recursive: true });
  await writeFile(join(`${directory}.making`, "data", "PG_VERSION"), "18\n");
  const postgres = await bring(directory);
  expect(await query(postgres, "select 1 as one")).toEqual([{ one: 1 }]);
  expect(existsSync(`${directory}.making`)).toBe(false);
});

test("a data folder made by a newer Postgres is refused with a sentence and left alone", async () => {
  const directory = join(await createTestFolder(), "postgres");
  await stopPostgres(await bring(directory));
  const version = join(directory, "data", "PG_VERSION");
  await writeFile(version, "99\n");
  await expect(bring(directory)).rejects.toThrow(/made by a newer Postgres \(99; .*Nothing was changed/);
  expect(await readFile(version, "utf8")).toBe("99\n");
});

test("a stale pid file that names a living stranger does not keep Postgres from starting", async () => {
  const directory = join(await createTestFolder(), "postgres");
  const first = await bring(directory);
  process.kill(first.pid, "SIGKILL");
  await first.exited;
  const file = join(directory, "data", "postmaster.pid");
  const lines = (await readFile(file, "utf8")).split("\n");
  // The test runner lives, and is not the parent of the new Postgres.
  await writeFile(file, [String(process.ppid), ...lines.slice(1)].join("\n"));
  const second = await bring(directory);
  expect(await query(second, "select 1 as one")).toEqual([{ one: 1 }]);
});

test("a second Postgres on a folder in use is refused with a sentence", async () => {
  const directory = join(await createTestFolder(), "postgres");
  await bring(directory);
  await expect(bring(directory)).rejects.toThrow(/Another Postgres \(process \d+\) runs on/);
});

test("what was answered is on disk, and only this machine can connect", async () => {
  const postgres = await bring(join(await createTestFolder(), "postgres"));
  const names = "'fsync', 'synchronous_commit', 'listen_addresses'";
  const text = `select name, setting from pg_catalog.pg_settings where name in (${names}) order by name`;
  expect(await query(postgres, text)).toEqual([
    { name: "fsync", setting: "on" },
    { name: "listen_addresses", setting: "127.0.0.1" },
    { name: "synchronous_commit", setting: "on" },
  ]);
  const stranger = new pg.Client({ connectionString: postgres.url.replace(/tandem:[^@]+@/, "tandem:guess@") });
  await expect(stranger.connect()).rejects.toThrow(/password authentication failed/);
});

async function bring(directory: string): Promise<Postgres> {
  const postgres = await startPostgres({ directory, port: await chooseFreePort() });
  onTestFinished(() => stopPostgres(postgres));
  return postgres;
}

async function query(postgres: Postgres, text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}
