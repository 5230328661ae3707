import { createFrameReader, writeFrame, type Answer, type Request } from "./protocol.ts";
import { checkSource } from "./sandbox/check-source.ts";
import { createEngine } from "./sandbox/engine.ts";
import { readOwnModules } from "./sandbox/modules.ts";
import { runCode } from "./sandbox/run-code.ts";
import { checkTimeMs } from "./limits.ts";

/**
 * The process in which code runs: its parent writes jobs to its standard input, one after the other, and
 * reads answers from its standard output. It ends with its parent, and whenever that wants.
 */
const stackKiB = Number(process.argv[2]);
const parent = process.ppid;
const engine = createEngine();
const modules = readOwnModules();

function endIfAlone(): void {
  if (process.ppid !== parent) process.exit(0);
}

function say(answer: Answer, text = ""): void {
  process.stdout.write(writeFrame(answer, text));
}

async function check(source: string): Promise<void> {
  const end = performance.now() + checkTimeMs;
  const isOver = (): boolean => performance.now() > end;
  const checked = await checkSource(engine, source, { stackKiB, isOver });
  say({ kind: "checked", faults: [...checked.faults] }, checked.source);
}

async function run(job: Extract<Request, { kind: "run" }>, input: string): Promise<void> {
  const ran = await runCode({ engine, modules, stackKiB, gone: endIfAlone }, job, input);
  const rssBytes = process.memoryUsage.rss();
  if (ran.kind === "failed") return say({ ...ran, rssBytes });
  say({ kind: "done", log: ran.log, rssBytes }, ran.output);
}

const read = createFrameReader(({ header, text }) => {
  // Written by the parent, in this very version.
  const request = header as Request;
  void (request.kind === "check" ? check(text) : run(request, text));
});
process.stdin.on("data", read);
process.stdin.on("end", () => process.exit(0));
say({ kind: "ready" });
