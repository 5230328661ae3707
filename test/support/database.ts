import { randomBytes } from "node:crypto";
import pg from "pg";
import { afterAll, inject } from "vitest";
import { createPool, type SqlPool } from "../../src/sql.ts";
import { templateDatabase } from "./template.ts";

/** A migrated database of its own for one test file. */
export interface TestDatabase {
  readonly url: string;
  readonly pool: SqlPool;
  /** Ends the pool and drops the database; runs by itself after the file. */
  drop(): Promise<void>;
}

/** Makes a database from the migrated template. Call it at the top of a test file: it goes with the file. */
export async function createTestDatabase({ connections = 20 } = {}): Promise<TestDatabase> {
  const name = `test_${randomBytes(6).toString("hex")}`;
  await onServer(`create database ${name} template ${templateDatabase} strategy file_copy`);
  const url = `${inject("postgresUrl")}/${name}`;
  const pool = createPool({ url, max: connections, name: "test" });
  let dropped: Promise<void> | undefined;
  const drop = () => {
    dropped ??= pool.end().then(() => onServer(`drop database ${name} with (force)`));
    return dropped;
  };
  afterAll(drop);
  return { url, pool, drop };
}

/** Makes an empty database, without any migration, and gives its address. */
export async function createEmptyDatabase(): Promise<string> {
  const name = `test_${randomBytes(6).toString("hex")}`;
  await onServer(`create database ${name}`);
  afterAll(() => onServer(`drop database ${name} with (force)`));
  return `${inject("postgresUrl")}/${name}`;
}

async function onServer(statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: `${inject("postgresUrl")}/postgres` });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
