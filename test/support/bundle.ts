import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, readFile, rename, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundleWorkflowCode } from "@temporalio/worker";
import { projectRoot } from "../../src/config.ts";

const others = ["src/definition/interpret.ts", "src/definition/plan.ts", "package-lock.json"];

/** The bundle of today's workflows; built once, whichever test file asks first. */
export function workflowBundlePath(): Promise<string> {
  return (path ??= buildBundle());
}

let path: Promise<string> | undefined;

async function buildBundle(): Promise<string> {
  const hash = createHash("sha256");
  const workflows = (await readdir(join(projectRoot, "src/workflows")))
    .toSorted()
    .map((name) => `src/workflows/${name}`);
  const sources = [...workflows, ...others];
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
