import { existsSync, readdirSync, readFileSync } from "node:fs";

/**
 * Ends by force every process that was started with something in `directory` among its arguments or
 * in its environment: what tests that were broken off (Ctrl-C, a crash) could not stop. Does nothing
 * where there is no /proc. Synchronous, for the last moment of a process.
 */
export function endStrays(directory: string): void {
  if (!existsSync("/proc/self/cmdline")) return;
  // Again, as a supervisor may just have started what was ended before it.
  for (let found = true; found;) {
    const strays = readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && worksOn(pid, directory));
    for (const pid of strays) kill(Number(pid));
    found = strays.length > 0;
  }
}

function worksOn(pid: string, directory: string): boolean {
  try {
    if (/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"))) return false;
    return ["cmdline", "environ"].some((file) => readFileSync(`/proc/${pid}/${file}`, "utf8").includes(directory));
  } catch {
    // It ended meanwhile, or belongs to somebody else.
    return false;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended meanwhile.
  }
}
