import type { SqlPool } from "../../../src/sql.ts";

/** A pool whose process dies at a statement. */
export interface DyingPool {
  readonly pool: SqlPool;
  /** Whether it came as far as that. */
  died(): boolean;
}

/**
 * The pool of a process that dies at its `at`-th statement: before it reaches Postgres, or after Postgres
 * did it and before the process hears so.
 */
export function createDyingPool(pool: SqlPool, { at, heard }: { at: number; heard: boolean }): DyingPool {
  let [count, dead] = [0, false];
  const dying = <Answer>(ask: () => Promise<Answer>): Promise<Answer> => {
    count += 1;
    if (dead) return Promise.reject(new Error("It is dead."));
    if (count < at) return ask();
    dead = true;
    return (heard ? ask() : Promise.resolve()).then(() => Promise.reject(new Error("It died.")));
  };
  const connect = async () => {
    const client = await pool.connect();
    return {
      query: (...query: Parameters<typeof client.query>) => dying(() => client.query(...query) as never),
      // Postgres rolls back what a dead process has open.
      release: () => client.release(dead),
    };
  };
  const query = (...asked: Parameters<SqlPool["query"]>) => dying(() => pool.query(...asked) as never);
  return { pool: { connect, query } as unknown as SqlPool, died: () => dead };
}
