import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { chooseFreePort } from "../../src/supervisor/ports.ts";
import { startPostgres, stopPostgres } from "../../src/supervisor/postgres.ts";
import { withProduct, type Product } from "../product.ts";

/** An instance with records in it, and its database, for what no API is measured against. */
export interface Instance {
  readonly product: Product;
  readonly sql: pg.Client;
  /** The workspace's schema, quoted. */
  readonly schema: string;
}

/** Gives `work` an instance whose Postgres can be asked directly. */
export async function withInstance<T>(work: (instance: Instance) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), "tandem-records-"));
  const postgres = await startPostgres({ directory: join(directory, "postgres"), port: await chooseFreePort() });
  try {
    return await withProduct({ DATABASE_URL: postgres.url }, async (product) => {
      const sql = new pg.Client({ connectionString: postgres.url });
      await sql.connect();
      try {
        return await work({ product, sql, schema: await findSchema(sql) });
      } finally {
        await sql.end();
      }
    });
  } finally {
    await stopPostgres(postgres);
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function findSchema(sql: pg.Client): Promise<string> {
  const { rows } = await sql.query<{ name: string }>("select schema_name as name from tandem.workspaces limit 1");
  if (rows[0] === undefined) throw new Error("The instance has no workspace.");
  return pg.escapeIdentifier(rows[0].name);
}
