import { readFile } from "node:fs/promises";
import type { Log } from "../log.ts";
import { startChild, type Child, type Reply } from "./child.ts";
import { findLaunch, type Launch } from "./launch.ts";
import type { Answer, Request } from "./protocol.ts";

/** Something for a child to do, and how far it may go. */
export interface Task {
  readonly request: Request;
  readonly text: string;
  /** So long after it began it is killed. */
  readonly wallMs: number;
  /** Above this it is killed. */
  readonly rssBytes: number;
  readonly signal: AbortSignal;
}

/** What came of a task: an answer, or why its child was killed, or that it died by itself each time. */
export type Outcome =
  | { readonly kind: "answered"; readonly answer: Answer; readonly text: string }
  | { readonly kind: "killed"; readonly why: "timeout" | "memory" | "crashed" };

/** Child processes, made when they are needed and never more than a few. */
export interface Pool {
  /** Waits for a free child. Throws the signal's reason, and an Error when the pool stops or cannot start children. */
  run(task: Task): Promise<Outcome>;
  stop(): Promise<void>;
}

interface PoolOptions {
  /** How many children there may be. */
  readonly size: number;
  readonly log?: Log | undefined;
  /** How children are started; by default so that they run code. */
  readonly launch?: () => Promise<Launch>;
}

type Ended = Extract<Reply, { kind: "ended" }>;

interface Slot {
  child: Child | undefined;
  jobs: number;
  idle: NodeJS.Timeout | undefined;
}

/** A child is thrown away after so many jobs, or above so much memory, or idle for so long. */
const mostJobs = 50;
const keptRssBytes = 200 * 1_048_576;
const idleMs = 60_000;
/** Code that kills its child may have been unlucky with the machine, but not so often. */
const mostDeaths = 3;
const watchMs = 50;
/** How long a child may take until a run begins, however busy the machine is. */
const setUpMs = 20_000;

export function createPool({ size, log, launch = findLaunch }: PoolOptions): Pool {
  const free: Slot[] = Array.from({ length: size }, () => ({ child: undefined, jobs: 0, idle: undefined }));
  const slots = [...free];
  const waiting: Array<(slot: Slot) => void> = [];
  const busy = new Set<Promise<unknown>>();
  let isStopped = false;

  /** Whoever has run something last is warm. */
  async function acquire(signal: AbortSignal): Promise<Slot> {
    const slot = free.pop();
    if (slot !== undefined) return slot;
    return new Promise((resolve, reject) => {
      const take = (given: Slot): void => {
        signal.removeEventListener("abort", leave);
        resolve(given);
      };
      const leave = (): void => {
        waiting.splice(waiting.indexOf(take), 1);
        reject(signal.reason as Error);
      };
      signal.addEventListener("abort", leave, { once: true });
      waiting.push(take);
    });
  }

  function release(slot: Slot): void {
    const next = waiting.shift();
    if (next !== undefined) return next(slot);
    slot.idle = setTimeout(() => drop(slot), idleMs).unref();
    free.push(slot);
  }

  function drop(slot: Slot): void {
    slot.child?.kill();
    slot.child = undefined;
    slot.jobs = 0;
  }

  async function work(slot: Slot, task: Task): Promise<Outcome> {
    for (let deaths = 1; ; deaths++) {
      const done = await tryOnce(slot, task).catch((error: unknown) => {
        if (isStopped || task.signal.aborted || deaths === mostDeaths) throw error;
        return { kind: "ended", how: String(error), said: "" } as const;
      });
      if (done.kind !== "ended") return done;
      log?.debug({ how: done.how, said: done.said }, "a process for code ended by itself");
      if (/out of memory/i.test(done.said)) return { kind: "killed", why: "memory" };
      if (deaths === mostDeaths) return { kind: "killed", why: "crashed" };
    }
  }

  async function tryOnce(slot: Slot, task: Task): Promise<Outcome | Ended> {
    refuseStopped(task);
    slot.child ??= await startChild(await launch());
    refuseStopped(task);
    const done = await watch(slot.child, task);
    slot.jobs += 1;
    if (done.kind !== "answered" || isWorn(slot, done.answer)) drop(slot);
    if (done.kind === "ended") refuseStopped(task);
    return done;
  }

  function refuseStopped({ signal }: Task): void {
    if (isStopped) throw new Error("The processes for code are being stopped.");
    signal.throwIfAborted();
  }

  return {
    async run(task) {
      refuseStopped(task);
      const slot = await acquire(task.signal);
      clearTimeout(slot.idle);
      const working = work(slot, task).finally(() => release(slot));
      busy.add(working);
      try {
        return await working;
      } finally {
        busy.delete(working);
      }
    },
    async stop() {
      isStopped = true;
      for (const slot of slots) {
        clearTimeout(slot.idle);
        slot.child?.kill();
      }
      await Promise.allSettled(busy);
      for (const slot of slots) drop(slot);
    },
  };
}

function isWorn({ jobs }: Slot, answer: Answer): boolean {
  if (jobs >= mostJobs) return true;
  if ("spent" in answer && answer.spent) return true;
  return (answer.kind === "failed" || answer.kind === "done") && answer.rssBytes > keptRssBytes;
}

/** Asks a child, and kills it when it takes too long or too much, or when nobody wants the answer any more. */
async function watch(child: Child, { request, text, ...bounds }: Task): Promise<Outcome | Ended> {
  let why: "timeout" | "memory" | undefined;
  const kill = (reason: typeof why): void => {
    why ??= reason;
    child.kill();
  };
  const cancel = (): void => child.kill();
  let timer = setTimeout(() => kill("timeout"), request.kind === "run" ? setUpMs : bounds.wallMs);
  const begun = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => kill("timeout"), bounds.wallMs);
  };
  const watching = setInterval(
    () => void readRss(child.pid).then((bytes) => (bytes > bounds.rssBytes ? kill("memory") : undefined)),
    watchMs,
  );
  bounds.signal.addEventListener("abort", cancel, { once: true });
  try {
    const reply = await child.ask(request, text, begun);
    return reply.kind === "ended" && why !== undefined ? { kind: "killed", why } : reply;
  } finally {
    clearTimeout(timer);
    clearInterval(watching);
    bounds.signal.removeEventListener("abort", cancel);
  }
}

const pageBytes = 4_096;

/** Where the system does not tell, the memory is bounded by the child's own limits alone. */
async function readRss(pid: number): Promise<number> {
  if (process.platform !== "linux") return 0;
  const text = await readFile(`/proc/${pid}/statm`, "utf8").catch(() => "");
  return Number(text.split(" ")[1] ?? 0) * pageBytes;
}
