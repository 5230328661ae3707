import { createServer } from "node:net";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openState } from "../../src/supervisor/state.ts";
import { createTestFolder } from "../support/folder.ts";

const silent = () => {};

test("ports are chosen at the first start and kept", async () => {
  const folder = await createTestFolder();
  const first = await openState(folder, silent);
  expect(new Set(Object.values(first.ports)).size).toBe(4);
  expect(await openState(folder, silent)).toEqual(first);
});

test("a port that another program has taken is replaced with a sentence", async () => {
  const folder = await createTestFolder();
  const { ports } = await openState(folder, silent);
  const server = createServer().listen(ports.mailbox, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const said: string[] = [];
  const again = await openState(folder, (sentence) => said.push(sentence));
  expect(again.ports).toEqual({ ...ports, mailbox: again.ports.mailbox });
  expect(said).toEqual([
    `Port ${ports.mailbox} (mailbox) is used by another program by now; ${again.ports.mailbox} takes its place.`,
  ]);
});

test.each([
  { format: 2, tandem: "0.1.0" },
  { format: 1, tandem: "99.0.0" },
])("a data folder of a newer Tandem is refused and left alone: %o", async (change) => {
  const folder = await createTestFolder();
  const file = join(folder, "state.json");
  const newer = JSON.stringify({ ...(await openState(folder, silent)), ...change });
  await writeFile(file, newer);
  await expect(openState(folder, silent)).rejects.toThrow(/was made by a newer Tandem .*Nothing was changed/);
  expect(await readFile(file, "utf8")).toBe(newer);
});
