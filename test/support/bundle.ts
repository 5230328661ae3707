import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile, rename, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundleWorkflowCode } from "@temporalio/worker";
import { projectRoot } from "../../src/config.ts";

const sources = [
  "src/workflows/run.ts",
  "src/workflows/index.ts",
  "src/definition/interpret.ts",
  "src/definition/plan.ts",
  "package-lock.json",
];

/** The bundle of today's workflows; built once, whichever test file asks first. */
export function workflowBundlePath(): Promise<string> {
  return (path ??= buildBundle());
}

let path: Promise<string> | undefined;

async function buildBundle(): Promise<string> {
  const hash = createHash("sha256");
  for (const source of sources) hash.update(await readFile(join(projectRoot, source)));
  const file = join(tmpdir(), `tandem-workflows-${hash.digest("hex").slice(0, 16)}.js`);
  if (existsSync(file)) return file;
  const { code } = await bundleWorkflowCode({
    workflowsPath: join(projectRoot, "src/workflows/index.ts"),
    logger: { trace() {}, debug() {}, info() {}, warn() {}, error() {}, log() {} },
  });
  await writeFile(`${file}.${process.pid}`, code);
  await rename(`${file}.${process.pid}`, file);
  return file;
}
