import { setTimeout as pause } from "node:timers/promises";
import { StepError } from "../errors.ts";
import type { Sql } from "../sql.ts";
import type { Connection } from "../vault/connections.ts";
import { takePlace, type Place } from "./places.ts";
import { lateMs, longestWaitMs, takeTurn, type Rate } from "./rates.ts";

const lookAgainMs = 100;
/** Who found no place comes again after this, and up to as long again by chance. */
const returnMs = 1_000;

export interface Admission {
  /** Says that the call is over. */
  release(): Promise<void>;
}

const free: Admission = { release: async () => {} };

/**
 * Waits until a connection's rate lets a call go: for one of its places, then for a moment. What takes more
 * than two seconds is not waited for: StepError `rate-limited`, which is no try of the target's and says
 * when to come `again`.
 */
export async function admitCall(
  { sql, signal }: { sql: Sql; signal: AbortSignal },
  { id, key, rate }: Pick<Connection, "id" | "key" | "rate">,
  again: boolean,
): Promise<Admission> {
  if (rate === undefined) return free;
  const place =
    rate.concurrent === undefined ? free : await waitForPlace({ sql, signal }, { id, key, most: rate.concurrent });
  try {
    await waitForTurn({ sql, signal }, { id, key, rate, again });
    return place;
  } catch (error) {
    await place.release();
    throw error;
  }
}

async function waitForPlace(
  { sql, signal }: { sql: Sql; signal: AbortSignal },
  { id, key, most }: { id: string; key: string; most: number },
): Promise<Place> {
  const end = performance.now() + longestWaitMs;
  for (;;) {
    const place = await takePlace(sql, { connectionId: id, most });
    if (place !== undefined) return place;
    if (performance.now() > end) throw comeAgain(key, returnMs * (1 + Math.random()));
    await pause(lookAgainMs, undefined, { signal });
  }
}

async function waitForTurn(
  { sql, signal }: { sql: Sql; signal: AbortSignal },
  { id, key, rate, again }: { id: string; key: string; rate: Rate; again: boolean },
): Promise<void> {
  for (let waited = again; ; waited = true) {
    const turn = await takeTurn(sql, { connectionId: id, rate, again: waited });
    if (turn.kind === "return") throw comeAgain(key, turn.inMs);
    const due = performance.now() + turn.inMs;
    if (turn.inMs > 0) await pause(turn.inMs, undefined, { signal });
    // Who slept past the moment, in a busy process, would fall together with those after it.
    if (performance.now() - due <= lateMs(rate)) return;
  }
}

function comeAgain(key: string, afterMs: number): StepError {
  return new StepError("rate-limited", `The connection "${key}" is called as often as it allows: the call waits.`, {
    retryable: true,
    details: { counts: false, afterMs: Math.ceil(afterMs) },
  });
}
