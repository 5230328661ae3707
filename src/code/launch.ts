import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { projectRoot } from "../config.ts";

/** A command and its arguments. */
export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  /** Stack that is safe for the interpreter in a child that is started so, in KiB (measured). */
  readonly stackKiB: number;
}

const run = promisify(execFile);
const folders = ["/usr/bin", "/bin", "/usr/sbin", "/sbin", "/usr/local/bin"];

let launch: Promise<Launch> | undefined;

/**
 * How children are started on this machine: in a network of their own, which leads nowhere, and ended by
 * the kernel when their parent ends, as far as it lets; else without. Found out once.
 */
export function findLaunch(): Promise<Launch> {
  launch ??= findWrapper().then((wrapper) => {
    const [command, ...args] = [...wrapper, process.execPath, ...nodeArguments(), childFile];
    return { command, args, stackKiB: hasLargeStack() ? 320 : 64 };
  });
  return launch;
}

async function findWrapper(): Promise<[string, ...string[]] | []> {
  const unshare = find("unshare");
  const setpriv = find("setpriv");
  const apart = unshare === undefined ? undefined : [unshare, "--map-root-user", "--net"];
  const bound = setpriv === undefined ? undefined : [setpriv, "--pdeathsig", "KILL"];
  for (const parts of [apart && bound ? [...apart, ...bound] : undefined, bound, apart]) {
    const [command, ...args] = parts ?? [];
    if (command === undefined) continue;
    const works = await run(command, [...args, process.execPath, "--version"], { env: {}, timeout: 10_000 }).then(
      () => true,
      () => false,
    );
    if (works) return [command, ...args];
  }
  return [];
}

function find(name: string): string | undefined {
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

const isFromSource = extname(import.meta.url) === ".ts";
const childFile = fileURLToPath(new URL(`child-main${extname(import.meta.url)}`, import.meta.url));

/** A small heap, a large stack, and all that Node itself can forbid. */
function nodeArguments(): string[] {
  return [
    ...(hasLargeStack() ? ["--stack-size=4000"] : []),
    "--max-old-space-size=128",
    "--disallow-code-generation-from-strings",
    "--no-warnings",
    ...(isFromSource ? ["--import", join(projectRoot, "scripts", "typescript.mjs")] : permissions()),
  ];
}

/** Node's permission model, from 22 on: no files but the program's own, no processes, no threads. A seat-belt. */
function permissions(): string[] {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major < 22) return [];
  const isStable = major > 22 || minor >= 13;
  const readable = ["dist", "node_modules", "package.json"].map((name) => join(projectRoot, name));
  return [
    isStable ? "--permission" : "--experimental-permission",
    ...readable.map((path) => `--allow-fs-read=${path}`),
  ];
}

/** Whether the main thread's stack has the eight megabytes that systems give by default. */
function hasLargeStack(): boolean {
  if (process.platform === "darwin") return true;
  if (process.platform !== "linux") return false;
  const [, soft] = /^Max stack size\s+(\S+)/m.exec(readFileSync("/proc/self/limits", "utf8")) ?? [];
  return soft === "unlimited" || Number(soft) >= 8_000_000;
}
