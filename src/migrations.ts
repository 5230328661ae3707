import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import knexFactory, { type Knex } from "knex";
import pg from "pg";
import { projectRoot } from "./config.ts";
import { firstIdAt } from "./ids.ts";
import { identifier, literal, type Sql } from "./sql.ts";

const directory = join(projectRoot, "migrations");
const oneMigratorAtATime = 7_203_485_911;
const dayMs = 86_400_000;

/** Tables cut by the time in their run id (DURABILITY.md §8). */
export const partitionedTables = ["step_results", "step_attempts", "step_lists", "outside_calls"] as const;

/**
 * Brings the core schema up to date, forward only, each file in a transaction of its own. Two at once
 * wait for each other; one that was killed leaves nothing that stops the next. `databaseUrl` must
 * reach Postgres without a pooler. Throws when the database is newer than this code.
 */
export async function migrate(databaseUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl, application_name: "tandem-migrate" });
  await client.connect();
  try {
    await client.query("select pg_advisory_lock($1)", [oneMigratorAtATime]);
    await refuseNewer(client);
    await runFiles(databaseUrl);
    await createPartitions(client, new Date());
  } finally {
    await client.end();
  }
}

/** Makes the partitions of the next seven days; run at start and daily. Safe to run at any time. */
export async function createPartitions(sql: Sql, now: Date): Promise<void> {
  const today = Math.floor(now.getTime() / dayMs) * dayMs;
  for (const table of partitionedTables) {
    for (let day = 0; day <= 7; day++) {
      await createPartition(sql, table, new Date(today + day * dayMs));
    }
  }
}

/** The quoted name of a table's partition for a day. */
export function partitionName(table: string, day: Date): string {
  return `tandem.${identifier(`${table}_${day.toISOString().slice(0, 10).replaceAll("-", "")}`)}`;
}

async function createPartition(sql: Sql, table: string, day: Date): Promise<void> {
  const name = partitionName(table, day);
  const { rows } = await sql.query<{ present: boolean }>("select to_regclass($1) is not null as present", [name]);
  if (rows[0]?.present === true) return;
  const [from, to] = [firstIdAt(day), firstIdAt(new Date(day.getTime() + dayMs))];
  try {
    await sql.query(
      `create table ${name} partition of tandem.${table} for values from (${literal(from)}) to (${literal(to)})`,
    );
  } catch (error) {
    // 42P07: another process made it. 23514: rows of that day already lie in the default partition,
    // which keeps serving them.
    const code = (error as { code?: string }).code;
    if (code !== "42P07" && code !== "23514") throw error;
  }
}

async function refuseNewer(sql: Sql): Promise<void> {
  const known = new Set((await migrationFiles()).map(migrationName));
  const { rows } = await sql.query<{ present: boolean }>(
    "select to_regclass('public.knex_migrations') is not null as present",
  );
  if (rows[0]?.present !== true) return;
  const done = await sql.query<{ name: string }>("select name from public.knex_migrations order by id");
  const unknown = done.rows.find((row) => !known.has(row.name));
  if (unknown !== undefined) {
    throw new Error(
      `The database was made by a newer Tandem (it knows migration ${unknown.name}). Start that version, or point DATABASE_URL at another database. Nothing was changed.`,
    );
  }
}

async function runFiles(databaseUrl: string): Promise<void> {
  // knex would print the whole file beside the error that it throws as well.
  const log = { error() {}, warn() {}, debug() {}, deprecate() {} };
  const knex = knexFactory({ client: "pg", connection: databaseUrl, pool: { min: 0, max: 2 }, log });
  try {
    const options: Knex.MigratorConfig = { migrationSource: sqlFiles, schemaName: "public" };
    // We hold the advisory lock: whatever row knex finds locked was left by a killed migrator.
    await knex.migrate.forceFreeMigrationsLock(options);
    await knex.migrate.latest(options);
  } finally {
    await knex.destroy();
  }
}

/** migrations/NNNN-name.sql, known by their names without the extension. */
const sqlFiles: Knex.MigrationSource<string> = {
  getMigrations: migrationFiles,
  getMigrationName: migrationName,
  async getMigration(file) {
    const text = await readFile(join(directory, file), "utf8");
    return {
      up: async (knex) => {
        try {
          await knex.raw(text.replaceAll("?", "\\?"));
        } catch (cause) {
          // The driver's message repeats the whole file; what Postgres said stands at its end.
          const said = cause instanceof Error ? cause.message.slice(-300) : String(cause);
          throw new Error(`Migration ${file} failed, and nothing of it was kept: ${said}`, { cause });
        }
      },
      down: () => Promise.reject(new Error("Migrations go forward only.")),
    };
  },
};

async function migrationFiles(): Promise<string[]> {
  return (await readdir(directory)).filter((file) => /^\d{4}-[a-z0-9-]+\.sql$/.test(file)).sort();
}

function migrationName(file: string): string {
  return file.replace(/\.sql$/, "");
}
