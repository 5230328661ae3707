import { z } from "zod";
import { weekdays, type CalendarFields } from "../../definition/cron.ts";

/** A weekday as definitions write it. */
type Weekday = (typeof weekdays)[number];

const text = z
  .string()
  .regex(/^\d{1,4}(m|h|d|w)$/, "a number and a unit: 15m, 2h, 1d, 2w; at least a minute")
  .regex(/^0*[1-9]/, "at least 1")
  .meta({ examples: ["15m", "2h", "1d", "2w"] });

const time = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, "a time of day: 07:30, 18:00");
const times = z.array(time).min(1).max(48).refine(distinct, "each time once");
const at = z
  .union([time, times])
  .default("00:00")
  .meta({ description: "Time of day in the schedule's zone, or several" });
const count = z.int().min(1).max(1_000);

/** How a schedule repeats: by minutes and hours that pass, or by days and weeks of the calendar. */
export const everySchema = z.union([
  text,
  z.strictObject({ minutes: z.int().min(1).max(9_999) }),
  z.strictObject({ hours: z.int().min(1).max(9_999) }),
  z.strictObject({ days: count, at }),
  z.strictObject({
    weeks: count,
    on: z
      .array(z.enum(weekdays.toSorted(byMonday)))
      .min(1)
      .max(7)
      .refine(distinct, "each day once")
      .default(["monday"]),
    at,
  }),
]);

export type Every = z.output<typeof everySchema>;

/** What an `every` comes to. */
export type Beat =
  /** So many minutes after one another, whatever the clock says. */
  | { readonly kind: "interval"; readonly minutes: number }
  /** Times of the calendar; of the days or weeks that it names only each n-th counts. */
  | {
      readonly kind: "calendar";
      readonly calendars: readonly CalendarFields[];
      readonly turn?: { readonly unit: "day" | "week"; readonly each: number } | undefined;
    };

export function beatOf(every: Every): Beat {
  if (typeof every === "string") return beatOfText(every);
  if ("minutes" in every) return { kind: "interval", minutes: every.minutes };
  if ("hours" in every) return { kind: "interval", minutes: every.hours * 60 };
  if ("days" in every) return calendarBeat({ unit: "day", each: every.days }, every.at);
  return calendarBeat({ unit: "week", each: every.weeks }, every.at, every.on);
}

function beatOfText(every: string): Beat {
  const number = Number.parseInt(every, 10);
  if (every.endsWith("m")) return { kind: "interval", minutes: number };
  if (every.endsWith("h")) return { kind: "interval", minutes: number * 60 };
  if (every.endsWith("d")) return calendarBeat({ unit: "day", each: number }, "00:00");
  return calendarBeat({ unit: "week", each: number }, "00:00", ["monday"]);
}

function calendarBeat(
  turn: { unit: "day" | "week"; each: number },
  at: string | readonly string[],
  on: readonly Weekday[] = weekdays,
): Beat {
  const dayOfWeek = on.map((day) => weekdays.indexOf(day)).toSorted((a, b) => a - b);
  const calendars = [at].flat().map((written) => ({
    minute: [Number(written.slice(3))],
    hour: [Number(written.slice(0, 2))],
    dayOfMonth: numbers(1, 31),
    month: numbers(1, 12),
    dayOfWeek,
  }));
  return { kind: "calendar", calendars, ...(turn.each === 1 ? {} : { turn }) };
}

function numbers(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, position) => first + position);
}

function distinct(values: readonly string[]): boolean {
  return new Set(values).size === values.length;
}

/** Weeks begin on Monday where people read them. */
function byMonday(a: Weekday, b: Weekday): number {
  return ((weekdays.indexOf(a) + 6) % 7) - ((weekdays.indexOf(b) + 6) % 7);
}
