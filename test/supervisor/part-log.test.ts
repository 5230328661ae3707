import { readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createPartLog } from "../../src/supervisor/part-log.ts";
import { createTestFolder } from "../support/folder.ts";
import { until } from "../support/until.ts";

test("all output goes to the file, and a warning in it is said once as a sentence", async () => {
  const directory = await createTestFolder();
  const said: string[] = [];
  const log = createPartLog({ directory, name: "worker", say: (sentence) => said.push(sentence) });
  const line = (level: number, msg: string) => `${JSON.stringify({ level, msg })}\n`;
  const text = `not JSON\n${line(30, "all is well")}${line(50, "the mail server refuses us")}`;
  // Pipes break lines anywhere.
  log.write(text.slice(0, 60));
  log.write(text.slice(60));
  log.write(line(50, "the mail server refuses us"));
  expect(said).toEqual([`worker: the mail server refuses us (more in ${log.file})`]);
  await until("the file holds it", async () => (await readFile(log.file, "utf8")).startsWith(text));
});

test("a log that has grown large is put aside, and three such are kept", async () => {
  const directory = await createTestFolder();
  for (const suffix of ["", ".1", ".2", ".3"])
    await writeFile(join(directory, `worker.log${suffix}`), `old${suffix}\n`);
  await writeFile(join(directory, "worker.log"), "x".repeat(11 * 1_048_576));
  const log = createPartLog({ directory, name: "worker", say: () => {} });
  log.write("new\n");
  await until("the new file", async () => (await readFile(log.file, "utf8")) === "new\n");
  expect((await readdir(directory)).toSorted()).toEqual(["worker.log", "worker.log.1", "worker.log.2", "worker.log.3"]);
  expect(await readFile(join(directory, "worker.log.3"), "utf8")).toBe("old.2\n");
});
