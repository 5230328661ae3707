import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Connection } from "@temporalio/client";
import { msToTs } from "@temporalio/common/lib/time.js";
import { expect, onTestFinished, test } from "vitest";
import { chooseFreePort } from "../../src/supervisor/ports.ts";
import { getTemporalBinary, serverRelease } from "../../src/supervisor/temporal-binary.ts";
import { startTemporal, stopTemporal, type TemporalServer } from "../../src/supervisor/temporal.ts";
import { createTestFolder } from "../support/folder.ts";

test("a file of another server release is set aside with a sentence, and a new one is made", async () => {
  const directory = await createTestFolder();
  await stopTemporal((await bring(directory)).server);
  await writeFile(join(directory, "server-release"), "1.28.0");
  const { said } = await bring(directory);
  expect(said).toHaveLength(1);
  expect(said[0]).toMatch(
    /made by server 1\.28\.0; this is server 1\.29\.1\. It was set aside as .*temporal\.db\.1\.28\.0\./,
  );
  expect(await readFile(join(directory, "server-release"), "utf8")).toBe(serverRelease);
  expect((await readdir(directory)).filter((name) => name.startsWith("temporal.db.1.28.0."))).not.toEqual([]);
});

test("a file that cannot be opened is set aside, and the start goes on", async () => {
  const directory = await createTestFolder();
  await writeFile(join(directory, "temporal.db"), "this is no database ".repeat(1_000));
  await writeFile(join(directory, "server-release"), serverRelease);
  const { said } = await bring(directory);
  expect(said.join(" ")).toMatch(/could not open its file: .*not a database.* set aside as /);
});

test("a start that is ended from outside leaves the file where it is", async () => {
  const directory = await createTestFolder();
  await stopTemporal((await bring(directory)).server);
  const before = await readdir(directory);
  await expect(bring(directory, (pid) => process.kill(pid, "SIGTERM"))).rejects.toThrow(/did not start/);
  expect(await readdir(directory)).toEqual(expect.arrayContaining(before));
  expect((await readdir(directory)).filter((name) => name.includes("unreadable"))).toEqual([]);
});

test("what Temporal knows survives a kill and a restart", async () => {
  const directory = await createTestFolder();
  const { server } = await bring(directory);
  await onServer(server, (connection) =>
    connection.workflowService.registerNamespace({
      namespace: "kept",
      workflowExecutionRetentionPeriod: msToTs(86_400_000),
    }),
  );
  process.kill(server.pid, "SIGKILL");
  await server.exited;
  const again = await bring(directory);
  expect(again.said).toEqual([]);
  const described = await onServer(again.server, (connection) =>
    connection.workflowService.describeNamespace({ namespace: "kept" }),
  );
  expect(described.namespaceInfo?.name).toBe("kept");
});

test("a binary that is named but is none is refused with a sentence", async () => {
  const search = { environment: { ...process.env, TEMPORAL_CLI_PATH: "/bin/cat" }, say: () => {} };
  await expect(getTemporalBinary(search)).rejects.toThrow(/TEMPORAL_CLI_PATH: \/bin\/cat is not a Temporal binary/);
});

async function bring(
  directory: string,
  onStart: (pid: number) => void = () => {},
): Promise<{ server: TemporalServer; said: string[] }> {
  const said: string[] = [];
  const say = (sentence: string) => said.push(sentence);
  const port = await chooseFreePort();
  const server = await startTemporal({
    binary: await getTemporalBinary({ environment: process.env, say }),
    directory,
    port,
    uiPort: await chooseFreePort([port]),
    namespace: "default",
    say,
    watch: { onStart },
  });
  onTestFinished(() => stopTemporal(server));
  return { server, said };
}

async function onServer<T>(server: TemporalServer, ask: (connection: Connection) => Promise<T>): Promise<T> {
  const connection = await Connection.connect({ address: server.address });
  try {
    return await ask(connection);
  } finally {
    await connection.close();
  }
}
