// A lock between processes that need not know each other: a file that its holder touches every second.
import { mkdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

const staleMs = 15_000;

/** Runs `work` while holding the lock `file`; waits for whoever holds it, and takes over a dead one's. */
export async function withLock(file, work) {
  mkdirSync(dirname(file), { recursive: true });
  for (let waited = 0; !take(file); waited++) {
    if (waited === 4) console.error("Waiting for another start that prepares this folder…");
    await delay(500);
    dropStale(file);
  }
  const alive = setInterval(() => utimesSync(file, new Date(), new Date()), 1_000);
  const release = () => rmSync(file, { force: true });
  process.once("exit", release);
  try {
    return await work();
  } finally {
    clearInterval(alive);
    process.off("exit", release);
    release();
  }
}

function take(file) {
  try {
    writeFileSync(file, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if (error.code === "EEXIST") return false;
    throw error;
  }
}

function dropStale(file) {
  const aside = `${file}.${process.pid}`;
  try {
    if (Date.now() - statSync(file).mtimeMs < staleMs) return;
    // Only one can move a given file away; whoever moved a living one by mistake moves it back.
    renameSync(file, aside);
    if (Date.now() - statSync(aside).mtimeMs < staleMs) renameSync(aside, file);
    else rmSync(aside, { force: true });
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
  }
}
