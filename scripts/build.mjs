// npm run build: dist/ from src/ and bench/, with the workflows in one bundle that workers load.
import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build, prepareDependencies, programOf, root, run } from "./prepare.mjs";

// `--now`: by whoever holds the folder's lock. A child of `npm run build` cannot tell it by the environment.
if (process.argv.includes("--now")) {
  await compile().catch(fail);
} else {
  await prepareDependencies().then(build).catch(fail);
}

async function compile() {
  rmSync(join(root, "dist", ".built-from"), { force: true });
  await run(process.execPath, [programOf("typescript", "tsc"), "-p", "tsconfig.build.json"]);
  removeStale();
  await bundleWorkflows();
}

/** What was built from a source that is gone would still be found. */
function removeStale() {
  for (const folder of ["src", "bench"]) {
    const built = join(root, "dist", folder);
    if (!existsSync(built)) continue;
    for (const name of readdirSync(built, { recursive: true })) {
      const source = join(root, folder, name.replace(/\.js(\.map)?$/, ".ts"));
      if (/\.js(\.map)?$/.test(name) && !existsSync(source)) rmSync(join(built, name), { force: true });
    }
  }
}

async function bundleWorkflows() {
  const workflowsPath = join(root, "dist", "src", "workflows", "index.js");
  const { bundleWorkflowCode } = await import("@temporalio/worker");
  const logger = { ...console, log() {}, trace() {}, debug() {}, info() {} };
  const { code } = await bundleWorkflowCode({ workflowsPath, logger });
  writeFileSync(join(root, "dist", "workflow-bundle.js"), code);
}

function fail(error) {
  console.error(error.message);
  process.exit(1);
}
