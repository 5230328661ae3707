// npm run dev: npm start, built again at every change of the sources; the gateway and the worker are
// started again on what was built.
import { spawn } from "node:child_process";
import { watch } from "node:fs";
import { join } from "node:path";
import { build, isBuilt, prepare, root } from "./prepare.mjs";

try {
  await prepare();
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
const supervisor = spawn(process.execPath, [join(root, "dist", "src", "supervisor", "main.js")], {
  cwd: root,
  stdio: "inherit",
});
supervisor.once("exit", (code) => process.exit(code ?? 1));
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => supervisor.kill(signal));

let timer;
let building = Promise.resolve();
watch(join(root, "src"), { recursive: true }, () => {
  clearTimeout(timer);
  timer = setTimeout(() => (building = building.then(rebuild)), 200);
});

async function rebuild() {
  if (isBuilt()) return;
  try {
    await build();
    supervisor.kill("SIGUSR2");
  } catch (error) {
    console.error(error.message);
  }
}
