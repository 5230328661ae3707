import { expect, test } from "vitest";
import { checkTimeMs } from "../../src/code/limits.ts";
import { denials } from "./denials.ts";
import { createTestCode, giving } from "./support.ts";

const code = createTestCode();
const limits = { timeMs: 500, memoryMiB: 32 };
/** Beyond its time and that of looking at the source: half a second until it is killed, and what a busy machine needs to say so. */
const slackMs = 3_000;

test("what wears a machine out is stopped: each in its time, each with a reason", { timeout: 240_000 }, async () => {
  const ends = [];
  for (const { name, source, ends: expected } of denials) {
    // Warm, so that what is measured is the job.
    await code.value(giving("1"));
    const begun = performance.now();
    const result = await code.call(source, {}, limits);
    const took = performance.now() - begun;
    const end = result.kind === "done" ? "done" : result.why;
    ends.push({
      name,
      end: [...expected, "timeout"].includes(end) ? "as expected" : end,
      late: took > limits.timeMs + checkTimeMs + slackMs ? took : 0,
    });
  }
  expect(ends.filter(({ end, late }) => end !== "as expected" || late > 0)).toEqual([]);
  expect(ends.length).toBeGreaterThanOrEqual(20);
});

test("two hundred of them at once end too, and others have their turn after them", { timeout: 240_000 }, async () => {
  const bombs = Array.from({ length: 200 }, () => code.call("export default () => { for (;;); }", {}, { timeMs: 20 }));
  const last = code.value(giving("input.a"), { a: 1 });
  const results = await Promise.all(bombs);
  expect(new Set(results.map((result) => (result.kind === "failed" ? result.why : "done")))).toEqual(
    new Set(["timeout"]),
  );
  expect(await last).toBe(1);
});

test("what one job leaves behind is not there for the next", async () => {
  const source =
    "globalThis.left = (globalThis.left ?? 0) + 1;\nArray.prototype.map = null;\nexport default () => globalThis.left;";
  for (let time = 0; time < 4; time++) expect(await code.value(source)).toBe(1);
  expect(await code.value(giving("[1].map((n) => n + 1)"))).toEqual([2]);
});

test("the memory of the parent does not grow with what hostile jobs use", { timeout: 120_000 }, async () => {
  const hostile = denials.filter(({ ends }) => ends.includes("result") || ends.includes("threw"));
  const round = async (): Promise<void> => {
    for (const { source } of hostile) await code.call(source, {}, limits);
  };
  await round();
  const before = process.memoryUsage.rss();
  await round();
  expect((process.memoryUsage.rss() - before) / 1_048_576).toBeLessThan(60);
});
