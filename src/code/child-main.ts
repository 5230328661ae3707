import { createFrameReader, writeFrame, type Answer, type Request } from "./protocol.ts";
import { checkSource } from "./sandbox/check-source.ts";
import { createEngine } from "./sandbox/engine.ts";
import { readOwnModules } from "./sandbox/modules.ts";
import { prepare, runCode, type Prepared, type Tools } from "./sandbox/run-code.ts";

/**
 * The process in which code runs: its parent writes jobs to its standard input, one after the other, and
 * reads answers from its standard output. It ends with its parent, and whenever that wants.
 */
const stackKiB = Number(process.argv[2]);
const parent = process.ppid;
const engine = createEngine();
const modules = readOwnModules();

const tools: Tools = {
  engine,
  modules,
  stackKiB,
  pulse() {
    if (process.ppid !== parent) process.exit(0);
  },
};
/** The interpreter for the next job, made while there is none. */
let next: Promise<Prepared> | undefined;

function say(answer: Answer, text = ""): void {
  process.stdout.write(writeFrame(answer, text));
}

async function check(source: string, timeMs: number): Promise<void> {
  const end = performance.now() + timeMs;
  const isOver = (): boolean => performance.now() > end;
  try {
    const checked = await checkSource(engine, source, { stackKiB, isOver });
    say({ kind: "checked", faults: [...checked.faults], spent: false }, checked.source);
  } catch {
    // A parser's own stack overflowed, and left it unsound.
    say({ kind: "checked", faults: [{ message: "it is nested too deeply to be read" }], spent: true });
  }
}

async function run(job: Extract<Request, { kind: "run" }>, input: string): Promise<void> {
  const waiting = await next;
  next = undefined;
  const prepared = waiting?.memoryMiB === job.memoryMiB ? waiting : await prepare(tools, job.memoryMiB);
  say({ kind: "begun" });
  const ran = runCode(prepared, job, input);
  const rssBytes = process.memoryUsage.rss();
  if (ran.kind === "failed") say({ ...ran, rssBytes });
  else say({ kind: "done", log: ran.log, rssBytes }, ran.output);
  setImmediate(() => (next = prepare(tools, job.memoryMiB)));
}

const read = createFrameReader(({ header, text }) => {
  // Written by the parent, in this very version.
  const request = header as Request;
  void (request.kind === "check" ? check(text, request.timeMs) : run(request, text));
});
process.stdin.on("data", read);
process.stdin.on("end", () => process.exit(0));
say({ kind: "ready" });
