import type { ScheduleSpec } from "@temporalio/client";
import type { CalendarFields } from "../../definition/cron.ts";
import { phaseOf, type Timing } from "../../triggers/schedule/timing.ts";

type Calendar = NonNullable<ScheduleSpec["calendars"]>[number];

const months = [
  "JANUARY",
  "FEBRUARY",
  "MARCH",
  "APRIL",
  "MAY",
  "JUNE",
  "JULY",
  "AUGUST",
  "SEPTEMBER",
  "OCTOBER",
  "NOVEMBER",
  "DECEMBER",
] as const;
const days = ["SUNDAY", "MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY"] as const;

/** A schedule's times as Temporal takes them. Of an "every n-th" it is told all; the others start nothing. */
export function specOf(timing: Timing): ScheduleSpec {
  const { beat, timeZone, startAt, endAt } = timing;
  return {
    timezone: timeZone,
    ...(startAt === undefined ? {} : { startAt }),
    ...(endAt === undefined ? {} : { endAt }),
    ...(beat.kind === "interval"
      ? { intervals: [{ every: beat.minutes * 60_000, offset: phaseOf(timing, beat.minutes) }] }
      : { calendars: beat.calendars.map(calendarOf) }),
  };
}

function calendarOf(fields: CalendarFields): Calendar {
  return {
    minute: rangesOf(fields.minute),
    hour: rangesOf(fields.hour),
    dayOfMonth: rangesOf(fields.dayOfMonth),
    month: rangesOf(fields.month).map(({ start, end }) => ({ start: months[start - 1]!, end: months[end - 1]! })),
    dayOfWeek: rangesOf(fields.dayOfWeek).map(({ start, end }) => ({ start: days[start]!, end: days[end]! })),
  };
}

/** Neighbours become one range, which is what people read in the Web UI. */
function rangesOf(values: readonly number[]): { start: number; end: number }[] {
  const ranges: { start: number; end: number }[] = [];
  for (const value of values) {
    const last = ranges.at(-1);
    if (last !== undefined && last.end === value - 1) last.end = value;
    else ranges.push({ start: value, end: value });
  }
  return ranges;
}
