import { setTimeout as sleep } from "node:timers/promises";
import { identifier, inTransaction, sqlState, type Sql, type SqlPool } from "../../sql.ts";
import { createIndexSql, qualified, type IndexDefinition, type Table } from "../ddl.ts";

/** How long a change waits in a table's queue: behind it everybody else waits (DURABILITY.md §12). */
const lockMs = 500;
const mostTries = 120;
/** What takes long takes it: the driver's own limit is for requests. */
const longMs = 24 * 3_600_000;

/**
 * Changes tables that others use, in one transaction: waits a moment for its locks, lets the others go
 * on, and tries again.
 */
export async function changeTables<T>(pool: SqlPool, work: (sql: Sql) => Promise<T>): Promise<T> {
  return again(() =>
    inTransaction(pool, async (sql) => {
      await sql.query(`set local lock_timeout = ${lockMs}`);
      return work(sql);
    }),
  );
}

/** Tries again what could not get its locks, or stood in a circle with others. */
async function again<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await work();
    } catch (error) {
      const code = sqlState(error)?.code ?? "";
      if (!["55P03", "40P01"].includes(code) || tries === mostTries) throw error;
    }
    // Longer each time, so that the others get through what has queued up.
    await sleep(Math.min(50 * tries, 1_000) * (0.5 + Math.random()));
  }
}

/** Makes an index while others write. One that a killed build left unusable is made anew. */
export async function ensureIndex(pool: SqlPool, table: Table, index: IndexDefinition): Promise<void> {
  await again(async () => {
    const state = await findIndex(pool, table, index.name);
    if (state === "valid") return;
    if (state === "invalid") await dropIndex(pool, table, index.name);
    try {
      await runLong(pool, createIndexSql(table, index, true));
    } catch (error) {
      await dropIndex(pool, table, index.name).catch(() => {});
      throw error;
    }
  });
}

/** Drops an index while others work; one that is not there is no failure. */
export async function dropIndex(pool: SqlPool, { schemaName }: Table, name: string): Promise<void> {
  await again(() => runLong(pool, `drop index concurrently if exists ${identifier(schemaName)}.${identifier(name)}`));
}

/** Checks that every row keeps a constraint that was added `not valid`; nobody waits for it. */
export async function validateConstraint(pool: SqlPool, table: Table, name: string): Promise<void> {
  await again(() => runLong(pool, `alter table ${qualified(table)} validate constraint ${identifier(name)}`));
}

/** Adds a constraint for what is written from now on, unless it is there. `sql`: `constraint … check (…)`. */
export async function addConstraint(
  pool: SqlPool,
  table: Table,
  constraint: { name: string; sql: string },
): Promise<void> {
  await changeTables(pool, async (sql) => {
    if (await hasConstraint(sql, table, constraint.name)) return;
    await sql.query(`alter table ${qualified(table)} add ${constraint.sql} not valid`);
  });
}

export async function dropConstraint(pool: SqlPool, table: Table, name: string): Promise<void> {
  await changeTables(pool, async (sql) => {
    if (await hasConstraint(sql, table, name))
      await sql.query(`alter table ${qualified(table)} drop constraint ${identifier(name)}`);
  });
}

async function hasConstraint(sql: Sql, table: Table, name: string): Promise<boolean> {
  const { rows } = await sql.query("select 1 from pg_constraint where conrelid = $1::regclass and conname = $2", [
    qualified(table),
    name,
  ]);
  return rows.length > 0;
}

/** Names of a table's indexes that end with a suffix. */
export async function listIndexes(sql: Sql, table: Table, suffix: string): Promise<string[]> {
  const { rows } = await sql.query<{ name: string }>(
    `select c.relname as name from pg_index i join pg_class c on c.oid = i.indexrelid
     where i.indrelid = $1::regclass and c.relname like $2`,
    [qualified(table), `%\\_${suffix}`],
  );
  return rows.map(({ name }) => name);
}

/** Waits while another session is still building it: a client may die before its build does. */
async function findIndex(pool: SqlPool, { schemaName }: Table, name: string): Promise<"valid" | "invalid" | undefined> {
  for (;;) {
    const { rows } = await pool.query<{ valid: boolean; building: boolean }>(
      `select i.indisvalid as valid, exists (select 1 from pg_stat_progress_create_index p where p.index_relid = c.oid) as building
       from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_index i on i.indexrelid = c.oid
       where n.nspname = $1 and c.relname = $2`,
      [schemaName, name],
    );
    const [found] = rows;
    if (found === undefined) return undefined;
    if (!found.building) return found.valid ? "valid" : "invalid";
    await sleep(200);
  }
}

async function runLong(pool: SqlPool, text: string): Promise<void> {
  const query = { text, query_timeout: longMs };
  await pool.query(query);
}
