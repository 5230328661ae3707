import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { chown, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { commandLine, findIdentity } from "./identity.ts";
import { findPostgres, type PostgresBinaries } from "./postgres-binaries.ts";
import { describeExit, startProgram, type Program, type Watch } from "./program.ts";

/** A Postgres that runs and answers. */
export interface Postgres extends Program {
  /** postgres:// address of the database `tandem` in it. */
  readonly url: string;
}

export interface PostgresOptions {
  /** Where its data lies; made at the first start. */
  readonly directory: string;
  readonly port: number;
  readonly watch?: Watch;
  /** Settings beside ours, for tests. */
  readonly settings?: Readonly<Record<string, string | number>>;
}

/** What was accepted is on disk before it is answered; the rest suits a small machine. */
const settings = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  fsync: "on",
  synchronous_commit: "on",
  full_page_writes: "on",
  max_connections: 200,
  shared_buffers: "256MB",
  wal_buffers: "16MB",
  max_wal_size: "2GB",
  checkpoint_timeout: "10min",
  checkpoint_completion_target: 0.9,
  wal_compression: "on",
  random_page_cost: 1.1,
  autovacuum_naptime: "15s",
  timezone: "UTC",
  log_timezone: "UTC",
  log_min_messages: "warning",
  log_min_error_statement: "panic",
} as const;

/**
 * Makes the data folder if there is none, starts Postgres on it and waits until it answers. Throws an
 * Error with a plain sentence when it cannot.
 */
export async function startPostgres(options: PostgresOptions): Promise<Postgres> {
  const binaries = await findPostgres();
  await ensureCluster(options, binaries);
  const data = join(options.directory, "data");
  await refuseOtherVersion(data, binaries);
  await disownStalePid(data);
  const program = await startProgram({
    ...command(binaries, binaries.postgres, ["-D", data, "-p", String(options.port), ...settingArguments(options)]),
    name: "Postgres",
    watch: options.watch ?? {},
  });
  const password = (await readFile(join(options.directory, "password"), "utf8")).trim();
  const address = `postgres://tandem:${password}@127.0.0.1:${options.port}`;
  try {
    await waitUntilAnswers(`${address}/postgres`, program);
    await ensureDatabase(`${address}/postgres`);
  } catch (error) {
    await stopPostgres(program);
    throw error;
  }
  return { ...program, url: `${address}/tandem` };
}

/** Ends sessions, writes a checkpoint and stops. */
export async function stopPostgres(program: Program): Promise<void> {
  await program.stop("SIGINT", 30_000);
}

/**
 * The cluster is made beside its place and moved there when it is whole, together with its password:
 * a kill in the middle leaves nothing that the next start would take for one.
 */
async function ensureCluster(options: PostgresOptions, binaries: PostgresBinaries): Promise<void> {
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
    ...command(binaries, binaries.initdb, [...cluster, ...owner, ...locale]),
    name: "initdb",
    watch: options.watch ?? {},
  });
  const exit = await initdb.exited;
  if (exit.code !== 0)
    throw new Error(`Postgres could not make its data folder ${directory}: ${exit.lastOutput.trim()}`);
  await rename(making, directory);
}

async function refuseOtherVersion(data: string, binaries: PostgresBinaries): Promise<void> {
  const major = Number.parseInt(await readFile(join(data, "PG_VERSION"), "utf8"), 10);
  if (major === binaries.major) return;
  const age = major > binaries.major ? "a newer" : "an older";
  throw new Error(
    `The database in ${data} was made by ${age} Postgres (${major}; this Tandem brings ${binaries.major}). Start the Tandem that made it, or set DATABASE_URL to a Postgres ${major} that serves it, or choose another DATA_DIR. Nothing was changed.`,
  );
}

/**
 * After a crash postmaster.pid names a dead pid, which by now may be anybody's (in a restarted
 * container it is). Postgres would then refuse to start. It never minds its own parent's pid, so that
 * is written instead; the rest of the file, by which it checks for old backends, stays.
 */
async function disownStalePid(data: string): Promise<void> {
  const file = join(data, "postmaster.pid");
  const lines = await readFile(file, "utf8").then(
    (text) => text.split("\n"),
    () => undefined,
  );
  const pid = Number(lines?.[0]);
  if (lines === undefined || !Number.isInteger(pid) || pid <= 1 || findIdentity(pid) === undefined) return;
  if (commandLine(pid).includes(data)) {
    throw new Error(`Another Postgres (process ${pid}) runs on ${data}. Stop it, or choose another DATA_DIR.`);
  }
  await writeFile(file, [String(process.pid), ...lines.slice(1)].join("\n"));
}

async function waitUntilAnswers(url: string, program: Program): Promise<void> {
  const exit = program.exited.then((ended) => ({ ended }));
  for (;;) {
    if (await answers(url)) return;
    const outcome = await Promise.race([exit, delay(50)]);
    if (outcome !== undefined) {
      const { ended } = outcome;
      throw new Error(`Postgres ended with ${describeExit(ended)} while it started: ${lastLine(ended.lastOutput)}`);
    }
  }
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on("error", () => {});
  try {
    await client.connect();
    await client.query("select 1");
    return true;
  } catch (error) {
    // 28xxx: it answers, and refuses us; waiting will not help.
    if (error instanceof pg.DatabaseError && error.code?.startsWith("28") === true) throw error;
    return false;
  } finally {
    await client.end().catch(() => {});
  }
}

async function ensureDatabase(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rowCount } = await client.query("select 1 from pg_catalog.pg_database where datname = 'tandem'");
    if (rowCount === 0) await client.query("create database tandem");
  } finally {
    await client.end();
  }
}

function settingArguments(options: PostgresOptions): string[] {
  return Object.entries({ ...settings, ...options.settings }).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
}

function command(binaries: PostgresBinaries, program: string, args: readonly string[]) {
  const [first = program, ...rest] = [...binaries.prefix, program, ...args];
  // Nothing of this process's environment but what finds programs: PGDATA and its like would be heard.
  const environment = { PATH: process.env["PATH"], LC_ALL: "C", TZ: "UTC" };
  return { command: first, args: rest, environment, ...(binaries.user === undefined ? {} : { user: binaries.user }) };
}

function lastLine(output: string): string {
  return output.trim().split("\n").at(-1) ?? "it said nothing";
}
