// Makes the clone ready, then runs a built program in this process, if one is named:
// node scripts/prepared.mjs [dist/… [arguments]]
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { prepare, root } from "./prepare.mjs";

const [program, ...args] = process.argv.slice(2);
await runPrepared(program, args);

/** Becomes `program`: it finds its arguments where it would if it had been started by itself. */
async function runPrepared(program, args) {
  try {
    await prepare();
  } catch (error) {
    console.error(error.message);
    process.exit(1);
  }
  if (program === undefined) return;
  const file = join(root, program);
  process.argv = [process.execPath, file, ...args];
  await import(pathToFileURL(file).href);
}
