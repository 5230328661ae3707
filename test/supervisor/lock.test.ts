import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { findIdentity } from "../../src/supervisor/identity.ts";
import { acquireLock } from "../../src/supervisor/lock.ts";
import { createTestFolder } from "../support/folder.ts";

test("a lock is held by one at a time and is free after its release", async () => {
  const folder = await createTestFolder();
  const lock = await acquireLock(folder);
  expect(lock).toHaveProperty("release");
  expect(await acquireLock(folder)).toEqual({ heldBy: process.pid });
  if ("release" in lock) await lock.release();
  expect(await readdir(folder)).toEqual([]);
  expect(await acquireLock(folder)).toHaveProperty("release");
});

test("the lock of a dead process is taken over, and of many that try only one gets it", async () => {
  const folder = await createTestFolder();
  await leaveDeadLock(folder);
  const outcomes = await Promise.all(Array.from({ length: 20 }, () => acquireLock(folder)));
  expect(outcomes.filter((outcome) => "release" in outcome).length).toBeLessThanOrEqual(1);
  const winner = outcomes.find((outcome) => "release" in outcome) ?? (await acquireLock(folder));
  expect(winner).toHaveProperty("release");
  expect(await readdir(folder)).toHaveLength(1);
});

test("a pid that belongs to somebody else by now does not hold a lock", async () => {
  const folder = await createTestFolder();
  await writeFile(join(folder, "1.lock"), JSON.stringify({ pid: process.pid, identity: "another boot:1" }));
  expect(await acquireLock(folder)).toHaveProperty("release");
});

async function leaveDeadLock(folder: string): Promise<void> {
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
  await once(child, "spawn");
  const identity = findIdentity(child.pid ?? 0) ?? "";
  expect(identity).not.toBe("");
  child.kill("SIGKILL");
  await once(child, "exit");
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "1.lock"), JSON.stringify({ pid: child.pid, identity }));
}
