import { Temporal } from "temporal-polyfill";
import type { CalendarFields } from "../../definition/cron.ts";
import { matches, meansDay, type Timing } from "./timing.ts";

/** The next hour that a zone leaves out, or goes through twice: local times, the end not among them. */
export interface ClockChange {
  readonly kind: "left-out" | "doubled";
  readonly from: Temporal.PlainDateTime;
  readonly to: Temporal.PlainDateTime;
}

/** A zone that changes its clocks does so twice a year; one that has just given it up, never again. */
const mostTransitions = 6;

/** The next change of each kind after `now`; none where a zone keeps its offset. */
export function nextClockChanges(timeZone: string, now: Date): ClockChange[] {
  const changes = new Map<ClockChange["kind"], ClockChange>();
  let moment: Temporal.ZonedDateTime | null = Temporal.Instant.fromEpochMilliseconds(now.getTime()).toZonedDateTimeISO(
    timeZone,
  );
  for (let count = 0; count < mostTransitions && changes.size < 2; count += 1) {
    moment = moment.getTimeZoneTransition("next");
    if (moment === null) break;
    const change = changeAt(moment);
    if (change !== undefined && !changes.has(change.kind)) changes.set(change.kind, change);
  }
  return [...changes.values()];
}

function changeAt(moment: Temporal.ZonedDateTime): ClockChange | undefined {
  const before = moment.subtract({ nanoseconds: 1 });
  const gained = moment.offsetNanoseconds - before.offsetNanoseconds;
  const after = moment.toPlainDateTime();
  const old = after.subtract({ nanoseconds: gained });
  if (gained > 0) return { kind: "left-out", from: old, to: after };
  return gained < 0 ? { kind: "doubled", from: after, to: old } : undefined;
}

/** What people should know of the next clock changes: only of those in which the schedule could fire. */
export function warnOfClockChanges(timing: Timing, now: Date): string[] {
  const { beat, timeZone } = timing;
  if (beat.kind === "interval") return [];
  return nextClockChanges(timeZone, now)
    .filter((change) => meansDay(timing, change.from.toPlainDate()))
    .filter((change) => beat.calendars.some((fields) => fallsWithin(fields, change)))
    .map((change) => sentenceOf(change, timeZone));
}

function fallsWithin(fields: CalendarFields, { from, to }: ClockChange): boolean {
  for (let local = from; Temporal.PlainDateTime.compare(local, to) < 0; local = local.add({ minutes: 1 }))
    if (matches(fields, local)) return true;
  return false;
}

function sentenceOf({ kind, from, to }: ClockChange, timeZone: string): string {
  const [day, begin, end] = [from.toPlainDate().toString(), timeOf(from), timeOf(to)];
  if (kind === "left-out")
    return `on ${day} the clocks of ${timeZone} leave out ${begin} to ${end}: nothing is fired for times in it`;
  return `on ${day} the clocks of ${timeZone} go through ${begin} to ${end} twice: a time in it is fired once or twice, and of several some may be left out`;
}

function timeOf(local: Temporal.PlainDateTime): string {
  return local.toPlainTime().toString({ smallestUnit: "minute" });
}
