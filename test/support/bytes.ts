import pg from "pg";
import { afterAll } from "vitest";
import type { SqlPool } from "../../src/sql.ts";

/** A pool that tells how many bytes came from Postgres over it. */
export function countingPool(url: string): { readonly pool: SqlPool; bytes(): number } {
  let counted = 0;
  const pool = new pg.Pool({ connectionString: url, max: 4 });
  pool.on("connect", (client) => {
    const { connection } = client as unknown as { connection: { stream: NodeJS.ReadableStream } };
    connection.stream.on("data", (chunk: Buffer) => (counted += chunk.length));
  });
  afterAll(() => pool.end());
  return { pool, bytes: () => counted };
}
