// npm run check: format, lint, types of the whole and of the sandboxed folder, dead code. Runs all of
// them whatever fails; the last line is `N passed, N failed`.
import { prepareDependencies, programOf, run } from "./prepare.mjs";

await prepareDependencies();
const checks = [
  ["format", programOf("oxfmt"), "--check", "."],
  ["lint", programOf("oxlint"), "--type-aware", "--deny-warnings", "."],
  ["types", programOf("typescript", "tsc"), "--noEmit"],
  ["types of the workflow sandbox", programOf("typescript", "tsc"), "-p", "tsconfig.sandbox.json"],
  ["dead code", programOf("knip")],
];

let failed = 0;
for (const [what, file, ...args] of checks) {
  const started = Date.now();
  try {
    await run(process.execPath, [file, ...args]);
    console.log(`ok      ${what} (${((Date.now() - started) / 1_000).toFixed(1)} s)`);
  } catch (error) {
    failed++;
    console.log(`failed  ${what}\n${error.message}`);
  }
}
console.log(`${checks.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
