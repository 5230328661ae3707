import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { chown, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { commandLine, findIdentity } from "./identity.ts";
import { postgresCommand, type PostgresBinaries } from "./postgres-binaries.ts";
import { startProgram, type Watch } from "./program.ts";

/**
 * The cluster is made beside its place and moved there when it is whole, together with its password:
 * a kill in the middle leaves nothing that the next start would take for one.
 */
export async function ensureCluster(
  options: { readonly directory: string; readonly watch?: Watch },
  binaries: PostgresBinaries,
): Promise<void> {
  const { directory } = options;
  if (existsSync(join(directory, "data", "PG_VERSION"))) return;
  const making = `${directory}.making`;
  await rm(making, { recursive: true, force: true });
  await mkdir(making, { recursive: true, mode: 0o700 });
  const passwordFile = join(making, "password");
  await writeFile(passwordFile, randomBytes(24).toString("hex"), { mode: 0o600 });
  if (binaries.user !== undefined) {
    await chown(making, binaries.user.uid, binaries.user.gid);
    await chown(passwordFile, binaries.user.uid, binaries.user.gid);
  }
  const cluster = ["--pgdata", join(making, "data"), "--encoding", "UTF8"];
  const owner = ["--username", "tandem", "--pwfile", passwordFile, "--auth", "scram-sha-256"];
  // Postgres's own collation, which sorts alike on every machine and after every upgrade of its libraries.
  const locale = ["--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"];
  const initdb = await startProgram({
    ...postgresCommand(binaries, binaries.initdb, [...cluster, ...owner, ...locale]),
    name: "initdb",
    watch: options.watch ?? {},
  });
  const exit = await initdb.exited;
  if (exit.code !== 0)
    throw new Error(`Postgres could not make its data folder ${directory}: ${exit.lastOutput.trim()}`);
  await rename(making, directory);
}

/** Throws when the data was made by another major version of Postgres; nothing is changed then. */
export async function refuseOtherVersion(data: string, binaries: PostgresBinaries): Promise<void> {
  const major = Number.parseInt(await readFile(join(data, "PG_VERSION"), "utf8"), 10);
  if (major === binaries.major) return;
  const age = major > binaries.major ? "a newer" : "an older";
  throw new Error(
    `The database in ${data} was made by ${age} Postgres (${major}; this Tandem brings ${binaries.major}). Start the Tandem that made it, or set DATABASE_URL to a Postgres ${major} that serves it, or choose another DATA_DIR. Nothing was changed.`,
  );
}

/**
 * After a crash postmaster.pid names a dead process, whose pid by now may be anybody's (in a restarted
 * container it is) or that nobody has collected (where init does not). Postgres would then refuse to
 * start. It never minds its own parent's pid, so that is written instead; the rest of the file, by
 * which it checks for old backends, stays. Throws when a Postgres does run there.
 */
export async function disownStalePid(data: string): Promise<void> {
  const file = join(data, "postmaster.pid");
  const lines = await readFile(file, "utf8").then(
    (text) => text.split("\n"),
    () => undefined,
  );
  const pid = Number(lines?.[0]);
  if (lines === undefined || !Number.isInteger(pid) || pid <= 1) return;
  if (findIdentity(pid) !== undefined && commandLine(pid).includes(data)) {
    throw new Error(`Another Postgres (process ${pid}) runs on ${data}. Stop it, or choose another DATA_DIR.`);
  }
  await writeFile(file, [String(process.pid), ...lines.slice(1)].join("\n"));
}
