import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { projectRoot } from "../../src/config.ts";
import { findIdentity } from "../../src/supervisor/identity.ts";
import { until } from "./until.ts";

/** The built product, started as `npm start` starts it. */
export interface Tandem {
  readonly url: string;
  readonly pid: number;
  /** All that it said so far. */
  output(): string;
  /** Resolves with the exit code, or the signal's name, when it has ended. */
  readonly exited: Promise<number | string>;
  /** The living processes that it started, by name: Postgres, Temporal, gateway, worker. */
  processes(): Promise<ReadonlyMap<string, number>>;
  /** Ends it as Ctrl-C does. */
  stop(): Promise<number | string>;
  /** Ends it and all that it started as a power failure does. */
  killAll(): Promise<void>;
}

/** Starts dist/ on a data folder and port; does not wait until it is up. */
export function startTandem({
  directory,
  port,
  environment = {},
}: {
  directory: string;
  port: number;
  environment?: Record<string, string>;
}): Tandem {
  const child = spawn(process.execPath, [join(projectRoot, "dist", "src", "supervisor", "main.js")], {
    // A clean environment: nothing of the test runner's, nothing configured.
    env: {
      PATH: process.env["PATH"],
      HOME: process.env["HOME"],
      DATA_DIR: directory,
      PORT: String(port),
      ...environment,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  const exited = new Promise<number | string>((resolve) => {
    child.once("close", (code, signal) => resolve(code ?? signal ?? "unknown"));
  });
  const processes = () => livingProcesses(directory);
  return {
    url: `http://127.0.0.1:${port}`,
    pid: child.pid ?? 0,
    output: () => output,
    exited,
    processes,
    async stop() {
      child.kill("SIGINT");
      return exited;
    },
    async killAll() {
      const started = await processes();
      child.kill("SIGKILL");
      for (const pid of started.values()) killGroup(pid);
      await exited;
    },
  };
}

/** Waits until everything is up; throws with what it said when it ends instead. */
export async function untilUp(tandem: Tandem): Promise<void> {
  let ended: number | string | undefined;
  void tandem.exited.then((code) => (ended = code));
  await until("Tandem is up", () => ended !== undefined || tandem.output().includes("Tandem is up."), 120_000);
  if (ended !== undefined) throw new Error(`It ended with ${ended}:\n${tandem.output()}`);
}

async function livingProcesses(directory: string): Promise<Map<string, number>> {
  const text = await readFile(join(directory, "processes.json"), "utf8");
  const records: Array<{ name: string; pid: number; identity: string }> = JSON.parse(text);
  return new Map(
    records.filter(({ pid, identity }) => findIdentity(pid) === identity).map(({ name, pid }) => [name, pid]),
  );
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It is gone already.
  }
}
