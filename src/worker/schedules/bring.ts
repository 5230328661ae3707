import type { ArmedTrigger } from "../../catalog/triggers.ts";
import { timingOfArmed } from "../../runs/schedules/fire.ts";
import { addMissed } from "../../runs/schedules/firings.ts";
import { saveStanding, type ScheduleRow } from "../../runs/schedules/store.ts";
import type { SqlPool } from "../../sql.ts";
import { fallsOn, type Timing } from "../../triggers/schedule/timing.ts";
import { scheduleSettings } from "../../triggers/schedule/settings.ts";
import { describeSchedule } from "../../triggers/schedule/words.ts";
import { nextMoments } from "./moments.ts";
import { specOf } from "./spec.ts";
import { digestOf, mostMoments, type FoundSchedule, type Schedules, type WantedSchedule } from "./temporal.ts";

/** What bringing a schedule about needs. */
export interface BringParts {
  readonly pool: SqlPool;
  readonly schedules: Schedules;
  readonly installation: string;
}

/** A firing that is later than its catch-up time by this has not come, and does not come any more. */
const missedAfterMs = 60_000;

/** The Schedule that an armed trigger is to have: one a trigger, in the whole namespace. */
export function wantedOf(armed: ArmedTrigger, installation: string): WantedSchedule & { readonly timing: Timing } {
  const { workspace, workflowId, workflowKey, workflowName, triggerId } = armed;
  const timing = timingOfArmed(armed);
  return {
    id: `${installation}-${workspace.id.slice(-10)}-${workflowKey}-${triggerId}`,
    timing,
    spec: specOf(timing),
    catchUpMs: timing.catchUpMs,
    input: { workflowId, triggerId },
    note: `${workflowName}: ${describeSchedule(scheduleSettings.parse(armed.trigger), timing.timeZone)}`,
    memo: { workspace: workspace.id, workflow: workflowKey, trigger: triggerId },
  };
}

/** What tells one wanted Schedule from another: a change of it is brought to Temporal. */
export function digestOfWanted({ id, spec, catchUpMs, input }: WantedSchedule): string {
  return digestOf({ id, spec, catchUpMs, input });
}

/**
 * Brings a trigger's Schedule about as it is to be: makes it, puts it right, pauses or resumes it as was
 * asked for, takes over a pause of the Web UI, and counts what was missed.
 */
export async function bring(parts: BringParts, armed: ArmedTrigger, row: ScheduleRow): Promise<void> {
  const { pool, schedules, installation } = parts;
  const wanted = wantedOf(armed, installation);
  const digest = digestOfWanted(wanted);
  // One that was there stays the same schedule, also where Temporal has lost it.
  const since = row.temporalId === wanted.id && row.wanted === digest ? row.accountedUntil : new Date();
  const found = await putRight(schedules, wanted, { row, current: row.wanted === digest });
  const { paused, note } = await carryPause(schedules, wanted, { row, found });
  const accountedUntil = await account(parts, armed, { wanted, since, paused });
  await saveStanding(pool, row, {
    temporalId: wanted.id,
    wanted: digest,
    described: found.digest,
    nextAt: await nextMoments(schedules, { id: wanted.id, timing: wanted.timing, listed: found.nextAt }),
    accountedUntil,
    paused,
    note,
    asked: row.asked,
  });
}

async function putRight(
  schedules: Schedules,
  wanted: WantedSchedule,
  { row, current }: { row: ScheduleRow; current: boolean },
): Promise<FoundSchedule> {
  const found = await schedules.find(wanted.id);
  if (found !== undefined && current && found.digest === row.described) return found;
  if (found === undefined)
    await schedules.create(wanted, { paused: row.paused, note: row.paused ? (row.note ?? "") : wanted.note });
  else await schedules.replace(wanted);
  const made = await schedules.find(wanted.id);
  if (made === undefined) throw new Error(`The Schedule ${wanted.id} was removed while it was made.`);
  return made;
}

/** What was asked for here goes to Temporal; else what Temporal says was asked for there. */
async function carryPause(
  schedules: Schedules,
  wanted: WantedSchedule,
  { row, found }: { row: ScheduleRow; found: FoundSchedule },
): Promise<{ paused: boolean; note: string | null }> {
  if (row.asked === row.brought) return { paused: found.paused, note: found.paused ? found.note : null };
  const note = row.note ?? (row.paused ? "Paused by the API." : wanted.note);
  if (found.paused !== row.paused || (row.paused && found.note !== note))
    await schedules.setPaused(wanted.id, row.paused, row.paused ? note : wanted.note);
  return { paused: row.paused, note: row.paused ? note : null };
}

/**
 * Keeps as missed what the schedule meant and nobody fired in time, whoever was away: Temporal, the
 * workers or Postgres. What is paused misses nothing. Gives up to when this was looked after.
 */
async function account(
  { pool, schedules }: BringParts,
  armed: ArmedTrigger,
  { wanted, since, paused }: { wanted: WantedSchedule & { timing: Timing }; since: Date; paused: boolean },
): Promise<Date> {
  if (paused) return new Date();
  const until = new Date(Date.now() - wanted.catchUpMs - missedAfterMs);
  let from = since;
  while (from < until) {
    const moments = await schedules.moments(wanted.id, from, until);
    await addMissed(
      pool,
      armed,
      moments.filter((moment) => fallsOn(wanted.timing, moment)),
    );
    const last = moments.at(-1);
    if (last === undefined || moments.length < mostMoments) return until;
    from = new Date(last.getTime() + 1_000);
  }
  return since;
}
