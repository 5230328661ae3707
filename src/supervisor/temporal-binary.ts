import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { projectRoot } from "../config.ts";
import { acquireLock, type Lock } from "./lock.ts";
import { startProgram, type Watch } from "./program.ts";
import { withProgress, type Say } from "./progress.ts";

const run = promisify(execFile);

/** The server inside the binary that Tandem is made for, and the release of the binary that holds it. */
export const serverRelease = "1.29.1";
const cliRelease = "v1.5.1";

const downloadLimitMs = 10_000;
const program = process.platform === "win32" ? "temporal.exe" : "temporal";

/** A Temporal binary and the release of the server in it. */
export interface TemporalBinary {
  readonly path: string;
  readonly release: string;
}

export interface TemporalSearch {
  readonly environment: NodeJS.ProcessEnv;
  readonly say: Say;
  readonly watch?: Watch;
}

/**
 * Finds the Temporal binary (TEMPORAL_CLI_PATH, PATH, the cache) or brings it into the cache: by the
 * SDK's download, else by building it with Go. Throws an Error that says what was tried.
 */
export async function getTemporalBinary(search: TemporalSearch): Promise<TemporalBinary> {
  const given = search.environment["TEMPORAL_CLI_PATH"];
  if (given !== undefined && given !== "") return getGivenBinary(given);
  const cache = cacheDirectory(search.environment);
  const onPath = (search.environment["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  return (
    (await findBinary([...onPath.map((folder) => join(folder, program)), join(cache, program)])) ??
    bringBinary(cache, search)
  );
}

/** A binary that was named is taken as it is; its release decides whether an older file is kept. */
async function getGivenBinary(path: string): Promise<TemporalBinary> {
  const release = await readRelease(path);
  if (release !== undefined) return { path, release };
  throw new Error(
    `TEMPORAL_CLI_PATH: ${path} is not a Temporal binary that runs here. Correct it, or remove it to let Tandem find one.`,
  );
}

async function findBinary(paths: readonly string[]): Promise<TemporalBinary | undefined> {
  for (const path of paths) {
    const release = await readRelease(path);
    if (release === serverRelease) return { path, release };
  }
  return undefined;
}

/** `1.29.1`: what `temporal --version` says about its server; undefined when it does not run. */
async function readRelease(path: string): Promise<string | undefined> {
  const { stdout } = await run(path, ["--version"], { timeout: 20_000 }).catch(() => ({ stdout: "" }));
  return /\(Server (\d+\.\d+\.\d+)/.exec(stdout)?.[1];
}

function cacheDirectory(environment: NodeJS.ProcessEnv): string {
  const base = environment["XDG_CACHE_HOME"] || join(environment["HOME"] || homedir(), ".cache");
  return join(base, "tandem", "temporal");
}

async function bringBinary(cache: string, search: TemporalSearch): Promise<TemporalBinary> {
  await mkdir(cache, { recursive: true });
  const lock = await waitForLock(cache, search.say);
  try {
    const cached = await findBinary([join(cache, program)]);
    if (cached !== undefined) return cached;
    await removeLeftovers(cache);
    const downloaded = await download(cache, search);
    if (downloaded !== undefined) return downloaded;
    return await build(cache, search);
  } finally {
    await lock.release();
  }
}

async function waitForLock(cache: string, say: Say): Promise<Lock> {
  return withProgress(say, "Waiting for another start that brings Temporal", async () => {
    for (;;) {
      const lock = await acquireLock(join(cache, "lock"));
      if (!("heldBy" in lock)) return lock;
      await delay(500);
    }
  });
}

/** What a killed start left: gigabytes of build cache. */
async function removeLeftovers(cache: string): Promise<void> {
  const left = (await readdir(cache)).filter((name) => name.startsWith("bringing-"));
  for (const name of left) await rm(join(cache, name), { recursive: true, force: true });
}

/** The SDK downloads inside its native part, which cannot be interrupted: so in a process that can. */
async function download(cache: string, search: TemporalSearch): Promise<TemporalBinary | undefined> {
  search.say("Downloading Temporal, which takes up to 10 seconds.");
  const folder = await mkdtemp(join(cache, "bringing-"));
  try {
    const child = await startProgram({
      name: "download",
      watch: search.watch ?? {},
      environment: search.environment,
      command: process.execPath,
      args: [join(projectRoot, "dist", "src", "supervisor", "download-main.js"), cliRelease, folder],
    });
    const limit = setTimeout(() => void child.stop("SIGKILL", 0), downloadLimitMs);
    await child.exited;
    clearTimeout(limit);
    await child.stop("SIGKILL", 0);
    const files = await readdir(folder);
    return await keep(await findBinary(files.map((name) => join(folder, name))), cache);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function build(cache: string, search: TemporalSearch): Promise<TemporalBinary> {
  await run("go", ["version"], { env: search.environment }).catch(() => {
    throw cannotHave("Go is not there to build it");
  });
  search.say(
    "The download is out of reach from here. Building Temporal from its source with Go: 3 to 6 minutes, once.",
  );
  const folder = await mkdtemp(join(cache, "bringing-"));
  const environment = {
    ...search.environment,
    GOPATH: join(folder, "go"),
    GOMODCACHE: join(folder, "modules"),
    GOCACHE: join(folder, "cache"),
    GOBIN: join(folder, "bin"),
    GOTMPDIR: folder,
    // Go marks its module cache read-only, which would keep us from deleting it.
    GOFLAGS: "-modcacherw",
    CGO_ENABLED: "0",
  };
  const module = `github.com/temporalio/cli/cmd/temporal@${cliRelease}`;
  try {
    const child = await startProgram({
      name: "go",
      watch: search.watch ?? {},
      command: "go",
      args: ["install", "-trimpath", "-ldflags=-s -w", module],
      environment,
    });
    const exit = await withProgress(search.say, "Building Temporal", () => child.exited);
    const built = await keep(await findBinary([join(folder, "bin", program)]), cache);
    if (built !== undefined) return built;
    throw cannotHave(`building it with Go failed: ${exit.lastOutput.trim().split("\n").slice(-3).join(" ")}`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Moves a binary to its place in the cache; a rename, so that nobody ever finds half of one. */
async function keep(found: TemporalBinary | undefined, cache: string): Promise<TemporalBinary | undefined> {
  if (found === undefined) return undefined;
  const path = join(cache, program);
  await chmod(found.path, 0o755);
  await rename(found.path, path);
  return { path, release: found.release };
}

function cannotHave(reason: string): Error {
  return new Error(
    `Temporal is not here and cannot be brought: there is none with server ${serverRelease} in TEMPORAL_CLI_PATH, PATH or the cache, its download is out of reach, and ${reason}. Set TEMPORAL_ADDRESS to a Temporal server, or TEMPORAL_CLI_PATH to the binary of the CLI ${cliRelease}, or install Go.`,
  );
}
