import { setTimeout as pause } from "node:timers/promises";
import { StepError } from "../errors.ts";
import type { Sql } from "../sql.ts";
import type { Connection } from "../vault/connections.ts";
import { takePlace, type Place, type WantedPlace } from "./places.ts";
import { longestWaitMs, takeTurn, type Rate } from "./rates.ts";

const lookAgainMs = 25;
/** So long before a call may go it is made ready. */
const readyMs = 100;
/** Who found no place comes again after this, and up to as long again by chance. */
const returnMs = 1_000;

/** Up to this many calls in its interval a rate is kept to the call; of more, by their distance alone. */
const mostCounted = 1_000;

/** What waiting needs. */
export interface AdmissionParts {
  readonly sql: Sql;
  readonly signal: AbortSignal;
  /** Done shortly before the call may go, so that nothing but the call is left to do then. */
  ready(): Promise<void>;
}

/**
 * Waits until a connection's rate lets a call go: for one of its places, then for a moment. What takes more
 * than two seconds is not waited for: StepError `rate-limited`, which is no try of the target's and says
 * when to come `again`. The place that is given back is released when the call is over.
 *
 * Besides the distance between calls, their number is kept: a call counts from before it is sent until its
 * interval after it was answered. So however late each of them comes to the target, there are never more in
 * any stretch of that time than the target takes.
 */
export async function admitCall(
  parts: AdmissionParts,
  { id, key, rate }: Pick<Connection, "id" | "key" | "rate">,
  again: boolean,
): Promise<Place> {
  if (rate === undefined) {
    await parts.ready();
    return { release: async () => {} };
  }
  const held: Place[] = [];
  const release = async (): Promise<void> => {
    for (const place of held.splice(0)) await place.release();
  };
  try {
    const { concurrent, requests, perMs } = rate;
    if (concurrent !== undefined)
      held.push(await waitForPlace(parts, key, { connectionId: id, kind: "call", most: concurrent, restMs: 0 }));
    await waitForTurn(parts, { id, key, rate, again });
    if (requests <= mostCounted)
      held.push(await waitForPlace(parts, key, { connectionId: id, kind: "rate", most: requests, restMs: perMs }));
    return { release };
  } catch (error) {
    await release();
    throw error;
  }
}

async function waitForPlace({ sql, signal }: AdmissionParts, key: string, wanted: WantedPlace): Promise<Place> {
  const end = performance.now() + longestWaitMs;
  for (;;) {
    const place = await takePlace(sql, wanted);
    if (place !== undefined) return place;
    if (performance.now() > end) throw comeAgain(key, returnMs * (1 + Math.random()));
    await pause(lookAgainMs, undefined, { signal });
  }
}

async function waitForTurn(
  { sql, signal, ready }: AdmissionParts,
  { id, key, rate, again }: { id: string; key: string; rate: Rate; again: boolean },
): Promise<void> {
  const turn = await takeTurn(sql, { connectionId: id, rate, again });
  if (turn.kind === "return") throw comeAgain(key, turn.inMs);
  const due = performance.now() + turn.inMs;
  await pauseUntil(due - readyMs, signal);
  await ready();
  await pauseUntil(due, signal);
}

async function pauseUntil(moment: number, signal: AbortSignal): Promise<void> {
  const leftMs = moment - performance.now();
  if (leftMs > 0) await pause(leftMs, undefined, { signal });
}

function comeAgain(key: string, afterMs: number): StepError {
  return new StepError("rate-limited", `The connection "${key}" is called as often as it allows: the call waits.`, {
    retryable: true,
    details: { counts: false, afterMs: Math.ceil(afterMs) },
  });
}
