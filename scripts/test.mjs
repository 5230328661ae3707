// npm test [-- files, options of vitest]: makes the clone ready and runs the tests; the last line is
// `N passed, N failed`.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { prepare, programOf, root } from "./prepare.mjs";

try {
  await prepare();
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
const folder = mkdtempSync(join(tmpdir(), "tandem-report-"));
const report = join(folder, "report.json");
const child = spawn(process.execPath, [programOf("vitest"), "run", ...process.argv.slice(2)], {
  cwd: root,
  // In a group of its own: the runner ends what it brought at the first signal and dies of a second, and
  // Ctrl-C would come both from the terminal and from us.
  detached: true,
  stdio: ["ignore", "inherit", "inherit"],
  env: { ...process.env, TANDEM_TEST_REPORT: report },
});
let asked = false;
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => {
    if (!asked) child.kill("SIGINT");
    asked = true;
  });
}
const code = await new Promise((resolve) => child.once("close", (exitCode) => resolve(exitCode ?? 1)));
console.log(countTests(code));
rmSync(folder, { recursive: true, force: true });
process.exitCode = code;

/** A run that ends badly without a failed test (a file that does not load, no report) counts as one. */
function countTests(code) {
  try {
    const { numPassedTests, numFailedTests } = JSON.parse(readFileSync(report, "utf8"));
    return `${numPassedTests} passed, ${code === 0 ? numFailedTests : Math.max(1, numFailedTests)} failed`;
  } catch {
    return `0 passed, ${code === 0 ? 0 : 1} failed`;
  }
}
