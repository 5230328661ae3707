import { spawn } from "node:child_process";
import { readlink } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, expect, onTestFinished, test } from "vitest";
import { createPool, type Pool, type Task } from "../../src/code/pool.ts";
import { checkTimeMs } from "../../src/code/limits.ts";
import { createFrameReader, writeFrame } from "../../src/code/protocol.ts";
import { projectRoot } from "../../src/config.ts";
import { until } from "../support/until.ts";
import { isBusy, livingChildren, lives } from "./children.ts";
import { createTestCode, giving } from "./support.ts";

const pool = createPool({ size: 1 });
afterAll(() => pool.stop());

function task(source: string, rest: Partial<Task> = {}): Task {
  return {
    request: { kind: "run", source, timeZone: "UTC", now: new Date(0).toISOString(), timeMs: 20_000, memoryMiB: 32 },
    text: "{}",
    wallMs: 20_300,
    rssBytes: 2 ** 31,
    signal: new AbortController().signal,
    ...rest,
  };
}

const endless = "export default () => { for (;;); };";
const answered = (output: string) => ({ kind: "answered", answer: { kind: "done" }, text: output });

/** The one child of the pool, at work. */
function working(): Promise<number> {
  return until("a child", () => livingChildren()[0]);
}

test(
  "children are started when they are needed, kept, and replaced after fifty jobs",
  { timeout: 120_000 },
  async () => {
    expect(livingChildren()).toEqual([]);
    const seen = new Set<number>();
    for (let job = 0; job < 60; job++) {
      expect(await pool.run(task(giving("7")))).toMatchObject(answered("7"));
      for (const pid of livingChildren()) seen.add(pid);
    }
    expect(seen.size).toBeGreaterThan(1);
    expect(seen.size).toBeLessThan(10);
  },
);

test("what is cancelled is killed, and what waits for its turn leaves the line", async () => {
  const [first, second] = [new AbortController(), new AbortController()];
  const running = pool.run(task(endless, { signal: first.signal }));
  const waiting = pool.run(task(giving("1"), { signal: second.signal }));
  const pid = await working();
  second.abort(new Error("the second is not wanted"));
  await expect(waiting).rejects.toThrow("the second is not wanted");
  first.abort(new Error("the first is not wanted"));
  await expect(running).rejects.toThrow("the first is not wanted");
  await until("its process is gone", () => !lives(pid));
  expect(await pool.run(task(giving("2")))).toMatchObject(answered("2"));
});

test("a child that uses more memory than it may is killed", async () => {
  expect(await pool.run(task(endless, { rssBytes: 1 }))).toEqual({ kind: "killed", why: "memory" });
});

test("a child that is past its time is killed, wherever it is", async () => {
  expect(await pool.run(task(endless, { wallMs: 200 }))).toEqual({ kind: "killed", why: "timeout" });
});

/** A pool of children that say they are ready, and then do as the script says when they are asked. */
function poolOf(script: string): Pool {
  const ready = JSON.stringify([...writeFrame({ kind: "ready" }, "")]);
  const program = `process.stdout.write(Buffer.from(${ready})); process.stdin.on("data", () => { ${script} });`;
  const own = createPool({
    size: 1,
    launch: () => Promise.resolve({ command: process.execPath, args: ["-e", program], stackKiB: 64 }),
  });
  onTestFinished(() => own.stop());
  return own;
}

test.each([
  ["dies each time", "process.kill(process.pid, 'SIGKILL')", "crashed"],
  ["ends each time", "process.exit(0)", "crashed"],
  [
    "runs out of memory",
    "process.stderr.write('FATAL ERROR: JavaScript heap out of memory', () => process.abort())",
    "memory",
  ],
  ["says what no child says", "process.stdout.write(Buffer.alloc(64, 255))", "crashed"],
  [
    "says something else than its program",
    "process.stdout.write(Buffer.from([0, 0, 0, 2, 0, 0, 0, 0, 123, 125]))",
    "crashed",
  ],
  [
    "begins again and again",
    `setInterval(() => process.stdout.write(Buffer.from(${JSON.stringify([...writeFrame({ kind: "begun" }, "")])})), 10)`,
    "timeout",
  ],
])("code whose child %s is given up", async (_, script, why) => {
  expect(await poolOf(script).run(task(giving("1"), { wallMs: 500 }))).toEqual({ kind: "killed", why });
});

test("a job is done again where its child was ended from outside", async () => {
  const running = pool.run(
    task("export default () => { const end = Date.now() + 3_000; while (Date.now() < end); return 4; };"),
  );
  process.kill(await until("a child at work", () => livingChildren().find((one) => isBusy(one))), "SIGKILL");
  expect(await running).toMatchObject(answered("4"));
});

test("a pool that stops ends its children and refuses what comes", async () => {
  const own = createPool({ size: 2 });
  const running = Promise.allSettled([own.run(task(endless)), own.run(task(endless)), own.run(task(endless))]);
  await until("one is at work", () => livingChildren().some((pid) => isBusy(pid)));
  await own.stop();
  for (const outcome of await running) expect(outcome).toMatchObject({ status: "rejected" });
  await expect(own.run(task(giving("1")))).rejects.toThrow("being stopped");
});

test(
  "children end with their parent, also when it is killed while they are deep in the interpreter",
  { timeout: 120_000 },
  async () => {
    const program = `
    const { createPool } = await import("./src/code/pool.ts");
    const pool = createPool({ size: 2 });
    const request = { kind: "run", source: ${JSON.stringify(endless)}, timeZone: "UTC", now: "2026-01-01T00:00:00Z", timeMs: 600_000, memoryMiB: 32 };
    await pool.run({ request, text: "{}", wallMs: 600_000, rssBytes: 2 ** 31, signal: new AbortController().signal });`;
    const parent = spawn(
      process.execPath,
      ["--import", join(projectRoot, "scripts", "typescript.mjs"), "--input-type=module", "-e", program],
      { cwd: projectRoot, stdio: "ignore" },
    );
    onTestFinished(() => void parent.kill("SIGKILL"));
    const child = await until("its child", () => livingChildren(parent.pid)[0], 60_000);
    parent.kill("SIGKILL");
    expect(await until("the child is gone", () => !lives(child))).toBe(true);
  },
);

test.runIf(process.platform === "linux")(
  "children have a network of their own, where the kernel lets them",
  async () => {
    await pool.run(task(giving("1")));
    const pid = await working();
    const own = await readlink(`/proc/${pid}/ns/net`);
    const isApart = own !== (await readlink("/proc/self/ns/net"));
    const { command } = await (await import("../../src/code/launch.ts")).findLaunch();
    expect(isApart).toBe(command.endsWith("unshare"));
  },
);

test("frames come whole however they are cut, and what is too long to be one is refused", () => {
  const bytes = Buffer.concat([
    writeFrame({ kind: "ready" }, "é🙂"),
    writeFrame({ kind: "begun" }, ""),
    writeFrame({ kind: "ready" }, "x".repeat(70_000)),
  ]);
  for (const size of [1, 3, 7, 1_000, bytes.length]) {
    const texts: string[] = [];
    const read = createFrameReader(({ text }) => texts.push(text));
    for (let from = 0; from < bytes.length; from += size) read(bytes.subarray(from, from + size));
    expect(texts.map((text) => text.length)).toEqual([3, 0, 70_000]);
  }
  const read = createFrameReader(() => {});
  expect(() => read(Buffer.from([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]))).toThrow("too long");
});

test("a source is looked at once, however often it runs", async () => {
  const code = createTestCode({ WORKER_CODE_CONCURRENCY: "1" });
  expect(await code.value("export default (n: number): number => n + 1;", 1)).toBe(2);
  // Who looks at sources is gone as well: it would have to be started again.
  for (const pid of livingChildren()) process.kill(pid, "SIGKILL");
  await until("all of them are gone", () => livingChildren().length === 0);
  expect(await code.value("export default (n: number): number => n + 1;", 2)).toBe(3);
  expect(livingChildren()).toHaveLength(1);
});

test("a source that could be read before is no fault of its own where the machine is busy", async () => {
  const code = createTestCode();
  const others = livingChildren();
  expect(await code.check(giving("1"))).toEqual([]);
  const [looking] = livingChildren().filter((pid) => !others.includes(pid));
  const standStill = async <T>(work: () => Promise<T>): Promise<T> => {
    process.kill(looking!, "SIGSTOP");
    const begun = performance.now();
    const working = work();
    await until("longer than looking may take", () => performance.now() - begun > checkTimeMs + 1_000);
    if (lives(looking!)) process.kill(looking!, "SIGCONT");
    return working;
  };
  expect(await standStill(() => code.value(giving("2")))).toBe(2);
  expect(await standStill(() => code.check(giving("3")))).toMatchObject([
    { message: expect.stringContaining("long") as string },
  ]);
});
