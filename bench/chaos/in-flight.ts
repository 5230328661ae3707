import { readRun, type Run } from "../api.ts";
import type { Product } from "../product.ts";
import type { Kill } from "./killer.ts";

/** A run of the template takes about a tenth of a second: one that moved this lately is not standing still. */
const movingMs = 250;

/** The last step of the template: once it has come out there is none left to be in flight. */
const lastStep = "tell";

/** Whether a run has just done something and has more to do. */
export function isDoingAStep(run: Run | undefined, now: number): boolean {
  if (run === undefined || run.steps.some(({ path, endedAt }) => path === lastStep && endedAt !== null)) return false;
  return movesOf(run).some((move) => move <= now && now - move < movingMs);
}

/**
 * Whether a step was in flight at the kill, told by what the runs wrote down: a step or an attempt that
 * had begun and not ended; or, since a step of the quick lane that a kill undid leaves no trace, a run
 * that had just moved and sealed its next step only after the kill. A run that stood still, because
 * another part was down or its mail had to wait, is no flight.
 */
export async function metStepInFlight(product: Product, { at, runIds }: Kill): Promise<boolean> {
  for (const id of runIds) if (wasInFlight(await readRun(product, id), at)) return true;
  return false;
}

function wasInFlight(run: Run, at: number): boolean {
  if (spansOf(run).some(({ from, to }) => from <= at && at < to)) return true;
  const moves = movesOf(run);
  return moves.some((move) => move <= at && at - move < movingMs) && moves.some((move) => move > at);
}

interface Span {
  readonly from: number;
  /** Not a number where the attempt was broken off. */
  readonly to: number;
}

function spansOf(run: Run): Span[] {
  return run.steps
    .flatMap((step) => [step, ...step.attempts])
    .map(({ startedAt, endedAt }) => ({
      from: Date.parse(startedAt),
      to: endedAt === null ? Number.NaN : Date.parse(endedAt),
    }));
}

/** Every moment at which the run is known to have done something. */
function movesOf(run: Run): number[] {
  return [Date.parse(run.startedAt ?? ""), ...spansOf(run).flatMap(({ from, to }) => [from, to])];
}
