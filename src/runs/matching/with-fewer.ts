import { isUnavailable, sqlState } from "../../sql.ts";

/** How much of the work an attempt is to do. */
export interface Attempt {
  readonly most: number;
  /** One that cannot be done as it is: it is done without what may be in the way. */
  readonly isPlain: boolean;
}

/**
 * Does work of up to `most`; where that fails, ever less of it, so that one that cannot be done keeps
 * nobody: in the end it is alone, and done plainly. What is wrong with Postgres itself is thrown.
 */
export async function withFewer<T>(most: number, work: (attempt: Attempt) => Promise<T>): Promise<T> {
  for (let size = most; ; size = Math.floor(size / 2)) {
    try {
      return await work({ most: size, isPlain: false });
    } catch (error) {
      if (isUnavailable(error) || isContention(error)) throw error;
      if (size <= 1) return work({ most: 1, isPlain: true });
    }
  }
}

/** A deadlock, or a transaction that has to be done again: by the next round. */
function isContention(error: unknown): boolean {
  return sqlState(error)?.code.startsWith("40") === true;
}
