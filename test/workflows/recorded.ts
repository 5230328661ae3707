import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { temporal } from "@temporalio/proto";
import { Worker } from "@temporalio/worker";
import { projectRoot } from "../../src/config.ts";

/**
 * Histories of released workflows must replay for as long as a workflow may be open under them. They are
 * recorded at a release by RECORD_HISTORIES=true npm test -- test/workflows, and then never changed.
 */
export const historiesFolder = join(projectRoot, "test/workflows/histories");
export const recordHistories = process.env["RECORD_HISTORIES"] === "true";

const { History } = temporal.api.history.v1;
type History = Parameters<typeof History.encode>[0];

/** Rejects when the history and the workflow do not fit. */
export async function replay(codePath: string, history: History, workflowId: string): Promise<void> {
  await Worker.runReplayHistory({ workflowBundle: { codePath } }, history, workflowId);
}

/** As protobuf, the form in which the server keeps them. One that was recorded before stays as it is. */
export async function keepHistory(name: string, history: History): Promise<void> {
  const kept = await readdir(historiesFolder);
  if (kept.some((file) => file.endsWith(`-${name}.binpb`))) return;

  const { version } = JSON.parse(await readFile(join(projectRoot, "package.json"), "utf8")) as { version: string };
  const recorded = History.decode(History.encode(history).finish());
  forgetMachine(recorded);
  await writeFile(join(historiesFolder, `${version}-${name}.binpb`), History.encode(recorded).finish());
}

/** Takes out what tells of the machine that recorded it: who worked there, and where its files lay. */
function forgetMachine(node: object): void {
  for (const [key, value] of Object.entries(node) as Array<[string, unknown]>) {
    if (typeof value === "string")
      Object.assign(node, { [key]: key === "stackTrace" ? "" : value.replace(/^\d+@[\w.]+/, "worker") });
    else if (typeof value === "object" && value !== null && !(value instanceof Uint8Array)) forgetMachine(value);
  }
}

export async function readHistory(file: string): Promise<History> {
  return History.decode(await readFile(join(historiesFolder, file)));
}
