import { spawn, type ChildProcess } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { setPriority } from "node:os";
import { parse } from "node:path";
import { answerSchema, createFrameReader, writeFrame, type Answer, type Request } from "./protocol.ts";
import type { Launch } from "./launch.ts";

/** What came of asking a child. */
export type Reply =
  | { readonly kind: "answered"; readonly answer: Answer; readonly text: string }
  /** It ended meanwhile, and why nobody knows but whoever killed it; `said` is the last of its standard error. */
  | { readonly kind: "ended"; readonly how: string; readonly said: string };

/** A process that runs one piece of code after the other. */
export interface Child {
  readonly pid: number;
  /** One at a time. `begun` is called when a run's time begins. */
  ask(request: Request, text: string, begun?: () => void): Promise<Reply>;
  kill(): void;
}

const startMs = 30_000;
const mostSaid = 4_000;
/** Enough to give way, and not so much that code on a busy machine runs out of its time. */
const niceness = 5;

/** Starts a child and waits until it is ready. Throws an Error when it does not come up. */
export async function startChild({ command, args, stackKiB }: Launch): Promise<Child> {
  const child = spawn(command, [...args, String(stackKiB)], {
    // Nothing of the parent's is there: neither its environment nor its folder.
    env: { TZ: "UTC" },
    cwd: parse(process.execPath).root,
    stdio: ["pipe", "pipe", "pipe"],
  });
  const { next, kill } = listen(child);
  const timer = setTimeout(kill, startMs);
  const first = await next();
  clearTimeout(timer);
  if (first.kind === "ended" || child.pid === undefined)
    throw new Error(`A process for code could not be started: ${describe(first)}`);
  giveWay(child.pid);
  return {
    pid: child.pid,
    ask(request, text, begun) {
      const reply = next(begun);
      child.stdin?.write(writeFrame(request, text));
      return reply;
    },
    kill,
  };
}

/** Where the processor is busy others go first, and where memory runs out the kernel takes this one, not the worker. */
function giveWay(pid: number): void {
  try {
    setPriority(pid, niceness);
  } catch {
    // It has ended already, which is told otherwise.
  }
  if (process.platform === "linux") void writeFile(`/proc/${pid}/oom_score_adj`, "1000").catch(() => {});
}

function describe(reply: Reply): string {
  return reply.kind === "ended" ? `${reply.how} ${reply.said}`.trim() : "it has no process";
}

function listen(child: ChildProcess): { next(begun?: () => void): Promise<Reply>; kill(): void } {
  let said = "";
  let ended: Reply | undefined;
  let take: ((reply: Reply) => void) | undefined;
  let hearBegun: (() => void) | undefined;
  const kill = (): void => void child.kill("SIGKILL");
  const give = (reply: Reply): void => {
    take?.(reply);
    take = undefined;
  };
  const end = (how: string): void => {
    ended ??= { kind: "ended", how, said };
    give(ended);
  };
  const read = createFrameReader(({ header, text }) => {
    const answer = answerSchema.parse(header);
    if (answer.kind !== "begun") return give({ kind: "answered", answer, text });
    // Once: nobody begins again to have more time.
    hearBegun?.();
    hearBegun = undefined;
  });
  child.stdout?.on("data", (chunk: Buffer) => {
    try {
      read(chunk);
    } catch {
      // It does not speak as our program does: it is not our program any more.
      kill();
    }
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (said = (said + text).slice(-mostSaid)));
  // A broken pipe is told by the process's end.
  child.stdin?.on("error", () => {});
  child.once("error", (error) => end(error.message));
  child.once("close", (code, signal) => end(signal ?? `exit code ${code}`));
  return {
    next(begun) {
      hearBegun = begun;
      return ended === undefined ? new Promise((resolve) => (take = resolve)) : Promise.resolve(ended);
    },
    kill,
  };
}
