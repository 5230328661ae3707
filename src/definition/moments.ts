import { Temporal } from "temporal-polyfill";
import { readDate } from "./expressions/dates.ts";
import { durationMs, durationSchema } from "./schema.ts";

/**
 * The moment a duration after `start`. Days are days of the calendar: the same time of day in the zone, also
 * across a change to summer time; hours and less are as long as they are.
 */
export function momentAfter(start: Date, duration: string, zone: string): Date {
  if (!duration.endsWith("d")) return new Date(start.getTime() + durationMs(duration));
  const days = Number(duration.slice(0, -1));
  const zoned = Temporal.Instant.fromEpochMilliseconds(start.getTime()).toZonedDateTimeISO(zone);
  return new Date(zoned.add({ days }).epochMilliseconds);
}

/**
 * The moment that ISO 8601 text names: a date-time with an offset by itself, one without in the zone, a day
 * as its beginning there. A time that a change to summer time skips is as much later. Undefined: it names none.
 */
export function readMoment(text: string, zone: string): Date | undefined {
  const date = readDate(text.trim(), zone);
  if (date === undefined) return undefined;
  return new Date(("day" in date ? date.day.toZonedDateTime(zone) : date.moment).epochMilliseconds);
}

/** A duration from `start` on, or a moment; undefined: the text is neither. */
export function readLimit(text: string, { start, zone }: { start: Date; zone: string }): Date | undefined {
  return durationSchema.safeParse(text).success ? momentAfter(start, text, zone) : readMoment(text, zone);
}
