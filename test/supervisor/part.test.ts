import { onTestFinished, expect, test } from "vitest";
import { findIdentity } from "../../src/supervisor/identity.ts";
import { keepRunning, type Part } from "../../src/supervisor/part.ts";
import { startProgram, type Program } from "../../src/supervisor/program.ts";
import { until } from "../support/until.ts";

test("a part that dies is started again, with a sentence, and stays down once it is stopped", async () => {
  const { part, pids, said } = keepNode("setInterval(() => {}, 1000)");
  const first = await part.started;
  process.kill(first.pid, "SIGKILL");
  await until("a second process", () => pids.length === 2);
  await until("it is said", () => said.includes("Sleeper is up again."));
  expect(said).toContain("Sleeper ended (SIGKILL) and is started again.");
  await part.stop();
  expect(pids.map(findIdentity)).toEqual([undefined, undefined]);
});

test("a part that cannot start at first rejects with the reason", async () => {
  const { part } = keepNode("", { command: "/no/such/program" });
  await expect(part.started).rejects.toThrow(/ENOENT/);
  await part.stop();
});

test("a part that ignores the signal is ended by force after its grace", async () => {
  const { part, pids } = keepNode(
    "process.on('SIGTERM', () => {}); process.send('ready'); setInterval(() => {}, 1000)",
  );
  const program = await part.started;
  await program.ready;
  await part.stop();
  expect(pids.map(findIdentity)).toEqual([undefined]);
});

test("what a start brings after the stop came is ended too", async () => {
  let goOn = () => {};
  const gate = new Promise<void>((resolve) => (goOn = resolve));
  const { part, pids } = keepNode("setInterval(() => {}, 1000)", { before: () => gate });
  const stopping = part.stop();
  goOn();
  await stopping;
  expect(pids).toHaveLength(1);
  await until("it is gone", () => findIdentity(pids[0] ?? 0) === undefined);
});

test("a part that dies over and over is started again with growing pauses", async () => {
  const starts: number[] = [];
  const { part } = keepNode("", { onStart: () => starts.push(Date.now()) });
  await part.started;
  await until("four starts", () => starts.length >= 4);
  await part.stop();
  const pauses = starts.slice(1).map((time, index) => time - (starts[index] ?? 0));
  // A busy machine makes them longer, never shorter; a timer may be a few milliseconds early.
  for (const [index, atLeast] of [200, 400, 800].entries()) expect(pauses[index]).toBeGreaterThan(atLeast - 10);
});

function keepNode(
  script: string,
  {
    command = process.execPath,
    before = async () => {},
    onStart = () => {},
  }: { command?: string; before?: () => Promise<void>; onStart?: () => void } = {},
): { part: Part; pids: number[]; said: string[] } {
  const pids: number[] = [];
  const said: string[] = [];
  const part = keepRunning<Program>({
    name: "Sleeper",
    signal: "SIGTERM",
    graceMs: 500,
    say: (sentence) => said.push(sentence),
    start: async (tell) => {
      await before();
      const program = await startProgram({
        name: "Sleeper",
        command,
        args: ["-e", script],
        environment: process.env,
        channel: "ipc",
        watch: {
          onStart: (pid) => {
            pids.push(pid);
            tell(pid);
          },
        },
      });
      onStart();
      return program;
    },
  });
  onTestFinished(() => part.stop());
  return { part, pids, said };
}
