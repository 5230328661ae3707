import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { findPostgres, postgresCommand, type PostgresBinaries } from "./postgres-binaries.ts";
import { disownStalePid, ensureCluster, refuseOtherVersion } from "./postgres-cluster.ts";
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

/** They notice the death of their parent within moments; one that was writing to a slow disk ends that first. */
const oldBackendsLimitMs = 60_000;
/** The last checkpoint syncs a file for each table and index that changed: hundreds of workspaces have thousands. */
export const postgresStopMs = 120_000;

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
  const end = Date.now() + oldBackendsLimitMs;
  for (;;) {
    try {
      await disownStalePid(data);
      return await launch(options, binaries);
    } catch (error) {
      if (!(error instanceof OldBackendsError) || Date.now() > end) throw error;
      await delay(200);
    }
  }
}

/** After a kill the backends of the old Postgres still held its memory. */
class OldBackendsError extends Error {}

async function launch(options: PostgresOptions, binaries: PostgresBinaries): Promise<Postgres> {
  const data = join(options.directory, "data");
  const program = await startProgram({
    ...postgresCommand(binaries, binaries.postgres, [
      "-D",
      data,
      "-p",
      String(options.port),
      ...settingArguments(options),
    ]),
    name: "Postgres",
    watch: options.watch ?? {},
  });
  const address = await postgresAddress(options);
  try {
    await waitUntilAnswers(`${address}/postgres`, program);
    await ensureDatabase(`${address}/postgres`);
  } catch (error) {
    await stopPostgres(program);
    throw error;
  }
  return { ...program, url: `${address}/tandem` };
}

/** How the Postgres in a folder is reached, without the name of a database. */
export async function postgresAddress({
  directory,
  port,
}: Pick<PostgresOptions, "directory" | "port">): Promise<string> {
  const password = (await readFile(join(directory, "password"), "utf8")).trim();
  return `postgres://tandem:${password}@127.0.0.1:${port}`;
}

/** Ends sessions, writes a checkpoint and stops. */
export async function stopPostgres(program: Program): Promise<void> {
  await program.stop("SIGINT", postgresStopMs);
}

async function waitUntilAnswers(url: string, program: Program): Promise<void> {
  const exit = program.exited.then((ended) => ({ ended }));
  for (;;) {
    if (await answers(url)) return;
    const outcome = await Promise.race([exit, delay(50)]);
    if (outcome !== undefined) {
      const { ended } = outcome;
      const Reason = /pre-existing shared memory block/.test(ended.lastOutput) ? OldBackendsError : Error;
      throw new Reason(`Postgres ended with ${describeExit(ended)} while it started: ${lastLine(ended.lastOutput)}`);
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
    // Not awaited: where the server hung up during the handshake, the driver waits for ever.
    client.end().catch(() => {});
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

function lastLine(output: string): string {
  return output.trim().split("\n").at(-1) ?? "it said nothing";
}
