import type { StepKinds } from "../../activities/step-kind.ts";
import { findArmedTriggers, startingOf, type ArmedTrigger } from "../../catalog/triggers.ts";
import { ProblemError } from "../../errors.ts";
import type { SqlPool } from "../../sql.ts";
import { scheduleSettings } from "../../triggers/schedule/settings.ts";
import { fallsOn, timingOf, type Timing } from "../../triggers/schedule/timing.ts";
import { describeRun, type Start } from "../describe-run.ts";
import { enqueueFirings, type ScheduleKey } from "./firings.ts";
import { findPauseAsked } from "./store.ts";

/** That Temporal rang. */
export interface Ring extends ScheduleKey {
  /** The moment that it rang for. */
  readonly at: Date;
  /** When it did. */
  readonly rangAt: Date;
}

/** Why a ring started nothing. */
export type NoRun = "not-active" | "no-such-time" | "paused" | "too-late" | "fired-before";

/** What came of a ring. */
export type Fired = { readonly runId: string } | { readonly nothing: NoRun };

/** What an armed schedule's settings come to. */
export function timingOfArmed({ trigger, workspace }: ArmedTrigger): Timing {
  return timingOf(scheduleSettings.parse(trigger), workspace);
}

/** The schedule, if its workflow is active and has it still. */
export async function findArmedSchedule(
  pool: SqlPool,
  { workflowId, triggerId }: ScheduleKey,
): Promise<ArmedTrigger | undefined> {
  const [armed] = await findArmedTriggers(pool, { kind: "schedule", workflowId, triggerId });
  return armed;
}

/**
 * Enqueues the run of the moment that Temporal rang for: once, however often it rings, and only if the
 * schedule as it is now means it. Throws where the trigger is being changed: then ring again.
 */
export async function fire(
  parts: { pool: SqlPool; kinds: StepKinds },
  ring: Ring,
  now: Date = new Date(),
): Promise<Fired> {
  const armed = await findArmedSchedule(parts.pool, ring);
  if (armed === undefined) return { nothing: "not-active" };
  const timing = timingOfArmed(armed);
  const byHand = isByHand(ring.at);
  if (!byHand && !fallsOn(timing, ring.at)) return { nothing: "no-such-time" };
  if (!byHand && (await findPauseAsked(parts.pool, ring))) return { nothing: "paused" };
  if (isTooLate(timing, ring, now)) return { nothing: "too-late" };
  const start: Omit<Start, "trigger"> = byHand ? { priority: "manual" } : {};
  const wait = isOfThePast(timing, ring) ? "each" : "as-told";
  const fired = await enqueueMoments(parts, armed, { moments: [ring.at], start, wait });
  if (fired === undefined) throw new Error("The trigger was changed while it fired. It is looked at again.");
  const [runId] = fired;
  return runId === undefined ? { nothing: "fired-before" } : { runId };
}

/**
 * Enqueues runs of moments that have none yet; gives their ids. With `wait: "each"` a run whose key has
 * no room waits for it, whatever the workflow says: somebody asked for each of them. Undefined: the
 * trigger was changed in between.
 */
export async function enqueueMoments(
  { pool, kinds }: { pool: SqlPool; kinds: StepKinds },
  armed: ArmedTrigger,
  {
    moments,
    start = {},
    wait = "as-told",
  }: { moments: readonly Date[]; start?: Omit<Start, "trigger">; wait?: "as-told" | "each" },
): Promise<string[] | undefined> {
  const starting = await startingOf(pool, { kinds }, armed);
  const trigger = { id: armed.triggerId, kind: "schedule" };
  const firings = moments.map((at) => {
    const run = describeRun(starting, { ...start, trigger, scheduledAt: at });
    if (wait === "as-told" || run.concurrency === undefined) return { at, run };
    return { at, run: { ...run, concurrency: { ...run.concurrency, whenBusy: "queue" as const } } };
  });
  return enqueueFirings(pool, armed, firings);
}

/** A run of the schedule now; gives its id. Throws ProblemError 409: the workflow is not active. */
export async function runNow(
  parts: { pool: SqlPool; kinds: StepKinds },
  key: ScheduleKey,
  { launchedBy, now = new Date() }: { launchedBy: NonNullable<Start["launchedBy"]>; now?: Date },
): Promise<string> {
  const start = { priority: "manual", launchedBy } as const;
  // Two in the same millisecond are two runs; and a trigger that is changed meanwhile is read again.
  for (let at = now; ; at = new Date(at.getTime() + 1)) {
    const armed = await findArmedSchedule(parts.pool, key);
    if (armed === undefined) throw notActive();
    const [runId] = (await enqueueMoments(parts, armed, { moments: [at], start })) ?? [];
    if (runId !== undefined) return runId;
  }
}

export function notActive(): ProblemError {
  return new ProblemError(409, "not-active", "The workflow is not active: its schedule starts nothing. Activate it.");
}

/** A schedule's own moments are whole minutes; those of the Web UI's "Trigger" have seconds. */
function isByHand(at: Date): boolean {
  return at.getTime() % 60_000 !== 0;
}

/** It rang in time, but nobody listened. */
function isTooLate(timing: Timing, ring: Ring, now: Date): boolean {
  return !isOfThePast(timing, ring) && now.getTime() - ring.at.getTime() > timing.catchUpMs;
}

/** Temporal rings so late only where somebody asks for it: by "Backfill" in the Web UI. */
function isOfThePast({ catchUpMs }: Timing, { at, rangAt }: Ring): boolean {
  return rangAt.getTime() - at.getTime() > catchUpMs;
}
