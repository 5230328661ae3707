// Makes a clone ready to run: dependencies as package-lock.json says, dist/ as the sources say. Needs
// nothing installed; the second time it only looks.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { withLock } from "./lock.mjs";

/** The folder of the project. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

const stamp = join(root, "dist", ".built-from");
const lock = join(root, "dist", ".lock");

/** Installs and builds what is missing or out of date. Throws when that fails. */
export async function prepare() {
  endWithNpm();
  if (isInstalled() && isBuilt()) return;
  // Two starts of a fresh clone at once: the second waits, then finds everything done.
  await withLock(lock, async () => {
    if (!isInstalled()) await installDependencies();
    if (!isBuilt()) await buildNow();
  });
}

/** SIGTERM to npm ends the shell between npm and us, which tells us nothing: then we end as by SIGTERM. */
function endWithNpm() {
  if (process.env["npm_lifecycle_event"] === undefined) return;
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    process.kill(process.pid, "SIGTERM");
  }, 250);
  watch.unref();
}

/** Installs the dependencies when they are not what package-lock.json says. */
export async function prepareDependencies() {
  if (isInstalled()) return;
  await withLock(lock, async () => {
    if (!isInstalled()) await installDependencies();
  });
}

/** Builds dist/ from the sources whether or not it is up to date; waits for a build under way. */
export async function build() {
  await withLock(lock, buildNow);
}

async function buildNow() {
  const sources = hashSources();
  await report("Building Tandem", () => run(process.execPath, [join(root, "scripts", "build.mjs"), "--now"]));
  writeFileSync(stamp, sources);
}

/** Whether dist/ was built from the present sources. */
export function isBuilt() {
  return existsSync(stamp) && readFileSync(stamp, "utf8") === hashSources();
}

/** The file of the program `name` of an installed package. */
export function programOf(packageName, name = packageName) {
  const folder = join(root, "node_modules", packageName);
  const { bin } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  return join(folder, typeof bin === "string" ? bin : bin[name]);
}

/** Runs a command to its end, its output kept for the error that is thrown when it fails. */
export async function run(command, args) {
  const child = spawn(command, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (output += data));
  const forward = (signal) => {
    child.kill(signal);
    process.exit(signal === "SIGINT" ? 130 : 143);
  };
  process.once("SIGINT", forward).once("SIGTERM", forward);
  const code = await new Promise((resolve) => child.once("close", resolve).once("error", (error) => resolve(error)));
  process.off("SIGINT", forward).off("SIGTERM", forward);
  if (code !== 0) throw new Error(`${[command, ...args].join(" ")} failed (${code}):\n${output.slice(-4_000)}`);
  return output;
}

/** npm writes what it installed into node_modules/.package-lock.json, last of all. */
function isInstalled() {
  const wanted = readPackages("package-lock.json");
  const present = readPackages("node_modules/.package-lock.json");
  if (wanted === undefined || present === undefined) return false;
  return Object.entries(wanted).every(([path, { version, optional, devOptional }]) => {
    if (path === "") return true;
    if (present[path] === undefined) return optional === true || devOptional === true;
    return present[path].version === version;
  });
}

function readPackages(file) {
  try {
    return JSON.parse(readFileSync(join(root, file), "utf8")).packages;
  } catch {
    return undefined;
  }
}

async function installDependencies() {
  const npm = process.env["npm_execpath"];
  const [command, ...before] = npm?.endsWith(".js") ? [process.execPath, npm] : ["npm"];
  // The build needs the development dependencies even where NODE_ENV is production.
  await report("Installing dependencies", () =>
    run(command, [...before, "ci", "--include=dev", "--no-fund", "--no-audit"]),
  );
}

async function report(what, work) {
  const started = Date.now();
  const seconds = () => Math.round((Date.now() - started) / 1_000);
  console.error(`${what}…`);
  const again = setInterval(() => console.error(`${what}… (${seconds()} s)`), 15_000);
  try {
    await work();
    console.error(`${what}: done in ${seconds()} s.`);
  } finally {
    clearInterval(again);
  }
}

function hashSources() {
  const hash = createHash("sha256");
  const files = ["src", "bench"].flatMap((folder) => listFiles(join(root, folder)));
  for (const name of ["tsconfig.json", "tsconfig.build.json", "package-lock.json", "scripts/build.mjs"]) {
    files.push(join(root, name));
  }
  for (const file of files) hash.update(file.slice(root.length)).update("\0").update(readFileSync(file)).update("\0");
  return hash.digest("hex");
}

function listFiles(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}
