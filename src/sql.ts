import { createHash } from "node:crypto";
import pg from "pg";
import { createRecent } from "./recent.ts";

/** Anything that runs a statement: a pool, or one client inside a transaction. */
export type Sql = Pick<pg.ClientBase, "query">;

/** A pool that can also lend a client for a transaction. */
export type SqlPool = pg.Pool;

// Counts and sequence numbers are far below 2^53: read them as numbers.
pg.types.setTypeParser(pg.types.builtins.INT8, Number);

/** Connection pool to `url` (a postgres:// URL), of at most `max` connections. */
export function createPool({ url, max, name }: { url: string; max: number; name: string }): SqlPool {
  const pool = new pg.Pool({
    connectionString: url,
    max,
    application_name: name,
    connectionTimeoutMillis: 5_000,
    idleTimeoutMillis: 30_000,
    // What was prepared on a connection, and what Postgres learnt of tables, goes with it.
    maxLifetimeSeconds: 900,
    keepAlive: true,
  });
  // A connection that breaks while idle, or between two statements of a transaction, says so by an
  // event that would end the process. Whoever uses it next gets the error; the pool replaces it.
  pool.on("error", () => {});
  pool.on("connect", (client) => client.on("error", () => {}));
  return pool;
}

/** How long a transaction that holds a run's row waits for a lock: so long a cancel waits for it at most. */
export const stepLockMs = 2_000;

/**
 * Runs `work` in one transaction. Rolls back and rethrows on any error. A session that stops in the
 * middle (a worker under SIGSTOP) is rolled back by Postgres after two seconds (DURABILITY.md §2).
 * `lockMs`: a lock that takes longer ends it, with 55P03; by default it is waited for.
 */
export async function inTransaction<T>(
  pool: SqlPool,
  work: (sql: Sql) => Promise<T>,
  { lockMs = 0 }: { lockMs?: number | undefined } = {},
): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    const locks = lockMs === 0 ? "" : `; set local lock_timeout = ${lockMs}`;
    await client.query(`begin; set local idle_in_transaction_session_timeout = 2000${locks}`);
    const result = await work(client);
    await client.query("commit");
    return result;
  } catch (error) {
    await client.query("rollback").catch((failure: Error) => {
      broken = failure;
    });
    throw error;
  } finally {
    client.release(broken);
  }
}

/**
 * A statement that grows by common table expressions, so that an effect, its record events and the
 * ledger's row commit as one (DURABILITY.md §1). The text depends on the shape only, never on the
 * values, which makes it a named prepared statement where it comes again and again.
 */
export interface Statement {
  /** Adds a parameter; gives its placeholder with a cast: `$3::uuid`. Objects are sent as JSON text. */
  param(value: unknown, type: string): string;
  /** Adds `name as (body)`. Names are unique within a statement. */
  with(name: string, body: string): void;
  /** The finished query, ready for `sql.query`; `select` is the final select. */
  query(select: string): Query;
}

/** What a pool or client runs; with a name it is prepared, once a connection. */
export interface Query {
  readonly name?: string | undefined;
  readonly text: string;
  readonly values: unknown[];
}

export function createStatement(): Statement {
  const values: unknown[] = [];
  const parts: string[] = [];
  return {
    param(value, type) {
      const isJson = type === "jsonb" || type === "json";
      values.push(isJson && value !== null && value !== undefined ? JSON.stringify(value) : (value ?? null));
      return `$${values.length}::${type}`;
    },
    with(name, body) {
      parts.push(`${name} as (${body})`);
    },
    query(select) {
      const text = parts.length > 0 ? `with ${parts.join(",\n")}\n${select}` : select;
      return { name: statementName(text), text, values };
    },
  };
}

/**
 * Statements with a name, at most. Each keeps some 100 kB in every connection that runs it, and each
 * workspace has statements of its own: hundreds of workspaces must not fill the server's memory.
 */
const mostNames = 256;

const names = createRecent<string, string>(mostNames);
/** Names of the texts that were seen once. */
const seenOnce = createRecent<string, true>(mostNames);

/**
 * A stable name for a prepared statement, so that one text is parsed once a connection. Undefined for a
 * text that has not been seen lately: what comes once would be prepared for nothing.
 */
export function statementName(text: string): string | undefined {
  const known = names.get(text);
  if (known !== undefined) return known;
  const name = `t_${createHash("sha1").update(text).digest("hex").slice(0, 24)}`;
  if (seenOnce.delete(name)) {
    names.set(text, name);
    return name;
  }
  seenOnce.set(name, true);
  return undefined;
}

/** A quoted identifier: the only way a name from metadata enters a statement. */
export function identifier(name: string): string {
  return pg.escapeIdentifier(name);
}

/** A quoted text literal, for names known from metadata (never for values: those are parameters). */
export function literal(text: string): string {
  return pg.escapeLiteral(text);
}

/** What Postgres said, where an error is its answer: the five-character code and, if any, the table. */
export function sqlState(
  error: unknown,
): { code: string; table?: string; constraint?: string; schema?: string } | undefined {
  if (!(error instanceof pg.DatabaseError) || error.code === undefined) return undefined;
  return {
    code: error.code,
    ...(error.table === undefined ? {} : { table: error.table }),
    ...(error.constraint === undefined ? {} : { constraint: error.constraint }),
    ...(error.schema === undefined ? {} : { schema: error.schema }),
  };
}

/** Whether the error says that Postgres could not be reached or is going down, not that it refused. */
export function isUnavailable(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code === "string" && (/^(08|57P0|53)/.test(code) || networkCodes.has(code))) return true;
  const message = error instanceof Error ? error.message : "";
  return /Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|not queryable|server closed the connection/.test(
    message,
  );
}

const networkCodes = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "ENOTFOUND",
  "ENOENT",
  "EHOSTUNREACH",
  "25P03",
]);
