import { Temporal } from "temporal-polyfill";
import type { CalendarFields } from "../../definition/cron.ts";
import { parseCron } from "../../definition/cron.ts";
import { durationMs } from "../../definition/schema.ts";
import { findTimeZone } from "../../definition/time-zones.ts";
import { beatOf, type Beat } from "./every.ts";
import type { ScheduleSettings } from "./settings.ts";

/** When a schedule fires. All of its moments are whole minutes. */
export interface Timing {
  /** IANA zone in which its calendar is read. */
  readonly timeZone: string;
  readonly beat: Beat;
  readonly startAt?: Date | undefined;
  readonly endAt?: Date | undefined;
  /** How late a firing may be and still count, in milliseconds. */
  readonly catchUpMs: number;
}

/** The Monday that weeks and days are counted from where a schedule has no `startAt`. */
const firstMonday = "1970-01-05";
const minuteMs = 60_000;

/** What a schedule's settings come to; `timeZone` is the workspace's, for where they name none. */
export function timingOf(settings: ScheduleSettings, { timeZone }: { timeZone: string }): Timing {
  const zone = findTimeZone(settings.timeZone ?? timeZone) ?? "UTC";
  return {
    timeZone: zone,
    beat: settings.cron === undefined ? beatOf(settings.every ?? "1d") : beatOfCron(settings.cron),
    startAt: settings.startAt === undefined ? undefined : new Date(settings.startAt),
    endAt: settings.endAt === undefined ? undefined : new Date(settings.endAt),
    catchUpMs: durationMs(settings.catchUp),
  };
}

function beatOfCron(cron: string): Beat {
  const { fields, fault } = { fields: undefined, ...parseCron(cron) };
  if (fields === undefined) throw new Error(`The cron "${cron}" was not checked: ${fault}`);
  return { kind: "calendar", calendars: [fields] };
}

/** How far an interval's first moment lies after the epoch's, in milliseconds. */
export function phaseOf({ startAt }: Timing, intervalMinutes: number): number {
  if (startAt === undefined) return 0;
  const start = Math.ceil(startAt.getTime() / minuteMs) * minuteMs;
  const everyMs = intervalMinutes * minuteMs;
  return ((start % everyMs) + everyMs) % everyMs;
}

/**
 * Whether the schedule means this moment. Temporal says when the moments come; this says no to what it
 * rings for beside them: another week of an "every two weeks", times of before a change, and the hour
 * that it is out by in some zones when a summer ends.
 */
export function fallsOn(timing: Timing, moment: Date): boolean {
  const { beat, startAt, endAt } = timing;
  if ((startAt !== undefined && moment < startAt) || (endAt !== undefined && moment > endAt)) return false;
  if (moment.getTime() % minuteMs !== 0) return false;
  if (beat.kind === "interval")
    return (moment.getTime() - phaseOf(timing, beat.minutes)) % (beat.minutes * minuteMs) === 0;
  const local = localTime(moment, timing.timeZone);
  return beat.calendars.some((fields) => matches(fields, local)) && isTurn(timing, local.toPlainDate());
}

/** Whether a local time matches every field. */
export function matches(fields: CalendarFields, local: Temporal.PlainDateTime | Temporal.ZonedDateTime): boolean {
  return (
    fields.minute.includes(local.minute) &&
    fields.hour.includes(local.hour) &&
    fields.dayOfMonth.includes(local.day) &&
    fields.month.includes(local.month) &&
    fields.dayOfWeek.includes(local.dayOfWeek % 7)
  );
}

/** Whether a day lies within the schedule's time, and it or its week is one of those that count. */
export function meansDay(timing: Timing, day: Temporal.PlainDate): boolean {
  const { startAt, endAt, timeZone } = timing;
  const early = startAt !== undefined && Temporal.PlainDate.compare(day, localTime(startAt, timeZone)) < 0;
  const late = endAt !== undefined && Temporal.PlainDate.compare(day, localTime(endAt, timeZone)) > 0;
  return !early && !late && isTurn(timing, day);
}

function isTurn({ beat, startAt, timeZone }: Timing, day: Temporal.PlainDate): boolean {
  if (beat.kind === "interval" || beat.turn === undefined) return true;
  const { unit, each } = beat.turn;
  const first =
    startAt === undefined ? Temporal.PlainDate.from(firstMonday) : localTime(startAt, timeZone).toPlainDate();
  const days =
    unit === "day" ? first.until(day).days : mondayOf(first).until(mondayOf(day), { largestUnit: "days" }).days / 7;
  return days % each === 0;
}

function mondayOf(day: Temporal.PlainDate): Temporal.PlainDate {
  return day.subtract({ days: day.dayOfWeek - 1 });
}

function localTime(moment: Date, timeZone: string): Temporal.ZonedDateTime {
  return Temporal.Instant.fromEpochMilliseconds(moment.getTime()).toZonedDateTimeISO(timeZone);
}
