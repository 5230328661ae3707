import type { SqlPool } from "../../src/sql.ts";

/** What becomes of a statement: it is carried out by `ask`, or is not, or nobody hears that it was. */
export type Disturb = <Answer>(ask: () => Promise<Answer>) => Promise<Answer>;

/** Before it is carried out, or after that and before anybody hears so. */
export async function breakOff<Answer>(
  ask: () => Promise<Answer>,
  { heard, failure }: { heard: boolean; failure: Error },
): Promise<never> {
  if (heard) await ask();
  throw failure;
}

/** What a process says that is gone: to be caught by nobody. */
export function createDeath(): Error {
  return disturbance(new Error("The process is dead."));
}

/** What a process hears whose line to Postgres broke. */
export function createBrokenLine(): Error {
  return disturbance(Object.assign(new Error("Connection terminated unexpectedly"), { code: "08006" }));
}

const disturbances = new WeakSet<object>();

function disturbance(error: Error): Error {
  disturbances.add(error);
  return error;
}

/**
 * A pool some of whose statements are disturbed: `current` says how, or that they are not. A connection on
 * which that happened is of no use any more: Postgres rolls back what is open on it.
 */
export function createDisturbedPool(pool: SqlPool, current: () => Disturb | undefined): SqlPool {
  const through: Disturb = (ask) => {
    const disturb = current();
    return disturb === undefined ? ask() : disturb(ask);
  };
  const connect = async () => {
    const client = await pool.connect();
    let broken = false;
    return {
      async query(...asked: Parameters<typeof client.query>) {
        if (broken) throw createBrokenLine();
        try {
          return await through(() => client.query(...asked) as never);
        } catch (error) {
          broken ||= disturbances.has(Object(error));
          throw error;
        }
      },
      release: (error?: Error | boolean) => client.release(broken || error),
    };
  };
  const query = (...asked: Parameters<SqlPool["query"]>) => through(() => pool.query(...asked) as never);
  return { connect, query } as unknown as SqlPool;
}

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
  const disturb: Disturb = (ask) => {
    count += 1;
    if (dead) return Promise.reject(createDeath());
    if (count < at) return ask();
    dead = true;
    return breakOff(ask, { heard, failure: createDeath() });
  };
  return { pool: createDisturbedPool(pool, () => disturb), died: () => dead };
}
