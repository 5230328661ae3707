import { execFileSync } from "node:child_process";

/** The processes for code that a process has started and that live. */
export function livingChildren(parent = process.pid): number[] {
  const listed = execFileSync("ps", ["-A", "-o", "pid=,ppid=,stat=,args="], { encoding: "utf8" });
  return listed.split("\n").flatMap((line) => {
    const [, pid, ppid, state, command = ""] = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line) ?? [];
    const isOne = Number(ppid) === parent && state?.startsWith("Z") === false && command.includes("child-main");
    return isOne ? [Number(pid)] : [];
  });
}

/** Whether it is reckoning just now, as one that runs code is. */
export function isBusy(pid: number): boolean {
  return execFileSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" }).startsWith("R");
}

/** Whether a process is there. */
export function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
