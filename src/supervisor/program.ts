import { spawn, type ChildProcess } from "node:child_process";

/** How a program ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The end of what it wrote, for a sentence about why. */
  readonly lastOutput: string;
}

/** A program that runs as a child of this process, in a process group of its own. */
export interface Program {
  readonly name: string;
  readonly pid: number;
  readonly exited: Promise<Exit>;
  /** Resolves when the program says over its channel that it serves (`reportReady`). */
  readonly ready: Promise<void>;
  /** Asks it to end by `signal`, ends its whole group after `graceMs`, and waits until it is gone. */
  stop(signal: NodeJS.Signals, graceMs: number): Promise<Exit>;
}

export interface ProgramOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
  readonly directory?: string;
  /** Another user to run as (only root may). */
  readonly user?: { readonly uid: number; readonly gid: number };
  /** Whether the program keeps a channel to this process, by which it notices its death. */
  readonly channel?: "ipc" | "none";
  readonly watch?: Watch;
}

/** What whoever starts a program wants to know of it. */
export interface Watch {
  readonly onOutput?: (text: string) => void;
  /** Called with the pid before anything else happens, so that it can be recorded. */
  readonly onStart?: (pid: number) => void;
}

const keptOutput = 4_000;

/**
 * Starts a program. In its own process group a Ctrl-C in the terminal reaches this process alone,
 * which then ends its programs in order. Throws when the program cannot be started at all.
 */
export async function startProgram(options: ProgramOptions): Promise<Program> {
  const child = spawn(options.command, options.args, {
    detached: true,
    env: options.environment,
    stdio: ["ignore", "pipe", "pipe", ...(options.channel === "ipc" ? (["ipc"] as const) : [])],
    ...(options.directory === undefined ? {} : { cwd: options.directory }),
    ...options.user,
  });
  if (child.pid !== undefined) options.watch?.onStart?.(child.pid);
  const exited = observe(child, options.watch?.onOutput);
  const ready = new Promise<void>((resolve) => child.on("message", (message) => message === "ready" && resolve()));
  await new Promise((resolve, reject) => child.once("spawn", () => resolve(undefined)).once("error", reject));
  const pid = child.pid ?? 0;
  return {
    name: options.name,
    pid,
    exited,
    ready,
    async stop(signal, graceMs) {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      const limit = setTimeout(() => killGroup(pid), graceMs);
      const exit = await exited;
      clearTimeout(limit);
      return exit;
    },
  };
}

/** Ends every process of a group at once; no error when there is none. */
export function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Nobody is left in it.
  }
}

function observe(child: ChildProcess, onOutput: ((text: string) => void) | undefined): Promise<Exit> {
  let lastOutput = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      lastOutput = (lastOutput + text).slice(-keptOutput);
      onOutput?.(text);
    });
  }
  return new Promise((resolve) => {
    // Not "close": a grandchild that holds the pipe open must not keep a death unnoticed.
    child.once("exit", (code, signal) => setImmediate(() => resolve({ code, signal, lastOutput })));
    child.once("error", (error) => resolve({ code: null, signal: null, lastOutput: error.message }));
  });
}

/** `code 1`, or `SIGKILL`: how a program ended, in words. */
export function describeExit(exit: Exit): string {
  return exit.signal ?? `code ${exit.code ?? "unknown"}`;
}
