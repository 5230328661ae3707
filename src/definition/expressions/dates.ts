import { Temporal } from "temporal-polyfill";
import type { Filter, FilterContext } from "./filters.ts";
import { kindOf, number, text, ValueFault, type Value } from "./values.ts";

/** A calendar day, or a moment in a zone. */
export type DateValue = { readonly day: Temporal.PlainDate } | { readonly moment: Temporal.ZonedDateTime };

const dayPattern = /^\d{4}-\d{2}-\d{2}$/;
const momentPattern = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?$/;

/** Reads ISO 8601 text as a day or a moment; undefined when it is neither. A moment without offset is in `zone`. */
export function readDate(written: string, zone: string): DateValue | undefined {
  try {
    if (dayPattern.test(written)) return { day: Temporal.PlainDate.from(written) };
    const parts = momentPattern.exec(written);
    if (parts === null) return undefined;
    const iso = written.replace(" ", "T").replace(",", ".");
    if (parts[3] === undefined) return { moment: Temporal.PlainDateTime.from(iso).toZonedDateTime(zone) };
    return { moment: Temporal.Instant.from(iso).toZonedDateTimeISO(zone) };
  } catch {
    return undefined;
  }
}

function read(value: Value, filter: string, { timeZone }: FilterContext): DateValue {
  const date = typeof value === "string" ? readDate(value, timeZone) : undefined;
  if (date !== undefined) return date;
  const got = typeof value === "string" ? JSON.stringify(value.slice(0, 40)) : kindOf(value);
  throw new ValueFault(`${filter} takes a date such as 2026-03-29 or 2026-03-29T10:00:00Z, but got ${got}`);
}

function write(date: DateValue): string {
  return "day" in date ? date.day.toString() : date.moment.toInstant().toString({ fractionalSecondDigits: 3 });
}

function whole(value: Value, filter: string): number {
  const count = number(value, filter);
  if (typeof count === "bigint" || !Number.isInteger(count) || Math.abs(count) > 1_000_000) {
    throw new ValueFault(`${filter} takes a whole number up to a million`);
  }
  return count;
}

/** Adds calendar days: the same time of day, also across a change to summer time. */
function addDays(date: DateValue, days: number): DateValue {
  return "day" in date ? { day: date.day.add({ days }) } : { moment: date.moment.add({ days }) };
}

function addBusinessDays(date: DateValue, count: number): DateValue {
  const step = count < 0 ? -1 : 1;
  let left = Math.abs(count);
  if (left > 10_000) throw new ValueFault("add_business_days takes up to 10,000 days");
  let result = date;
  while (left > 0) {
    result = addDays(result, step);
    if (("day" in result ? result.day : result.moment).dayOfWeek <= 5) left -= 1;
  }
  return result;
}

function inZone(date: DateValue, zone: string, filter: string): Temporal.ZonedDateTime {
  try {
    return "day" in date ? date.day.toZonedDateTime(zone) : date.moment.withTimeZone(zone);
  } catch {
    throw new ValueFault(
      `${filter} does not know the time zone ${JSON.stringify(zone)}; write its IANA name, such as "Europe/Berlin"`,
    );
  }
}

const letters: Readonly<Record<string, (moment: Temporal.ZonedDateTime) => string>> = {
  Y: (moment) => String(moment.year).padStart(4, "0"),
  m: (moment) => pad(moment.month),
  d: (moment) => pad(moment.day),
  e: (moment) => String(moment.day),
  H: (moment) => pad(moment.hour),
  I: (moment) => pad(moment.hour % 12 || 12),
  M: (moment) => pad(moment.minute),
  S: (moment) => pad(moment.second),
  L: (moment) => String(moment.millisecond).padStart(3, "0"),
  p: (moment) => (moment.hour < 12 ? "AM" : "PM"),
  y: (moment) => pad(moment.year % 100),
  j: (moment) => String(moment.dayOfYear).padStart(3, "0"),
  u: (moment) => String(moment.dayOfWeek),
  V: (moment) => pad(moment.weekOfYear ?? 0),
  z: (moment) => moment.offset.replace(":", ""),
  F: (moment) => moment.toPlainDate().toString(),
  T: (moment) => moment.toPlainTime().toString({ smallestUnit: "second" }),
  B: (moment) => moment.toLocaleString("en", { month: "long" }),
  b: (moment) => moment.toLocaleString("en", { month: "short" }),
  A: (moment) => moment.toLocaleString("en", { weekday: "long" }),
  a: (moment) => moment.toLocaleString("en", { weekday: "short" }),
  "%": () => "%",
};

function pad(value: number): string {
  return String(value).padStart(2, "0");
}

function format(moment: Temporal.ZonedDateTime, pattern: string): string {
  return pattern.replace(/%(.)/g, (_, letter: string) => {
    const write = letters[letter];
    if (write === undefined)
      throw new ValueFault(
        `date does not know %${letter}; it knows ${Object.keys(letters)
          .map((known) => `%${known}`)
          .join(" ")}`,
      );
    return write(moment);
  });
}

export const dateFilters: Readonly<Record<string, Filter>> = {
  add_days: {
    takes: [1, 1],
    run: (value, [count], context) => write(addDays(read(value, "add_days", context), whole(count, "add_days"))),
  },
  add_business_days: {
    takes: [1, 1],
    run: (value, [count], context) =>
      write(addBusinessDays(read(value, "add_business_days", context), whole(count, "add_business_days"))),
  },
  add_hours: {
    takes: [1, 1],
    run(value, [count], context) {
      const date = read(value, "add_hours", context);
      const hours = Number(number(count, "add_hours"));
      const start = "day" in date ? date.day.toZonedDateTime(context.timeZone) : date.moment;
      return write({ moment: start.add({ milliseconds: Math.round(hours * 3_600_000) }) });
    },
  },
  start_of_day: {
    takes: [0, 1],
    run(value, [zone], context) {
      const name = zone === undefined ? context.timeZone : text(zone, "start_of_day");
      return write({ moment: inZone(read(value, "start_of_day", context), name, "start_of_day").startOfDay() });
    },
  },
  to_zone: {
    takes: [1, 1],
    run: (value, [zone], context) =>
      inZone(read(value, "to_zone", context), text(zone, "to_zone"), "to_zone").toString({
        timeZoneName: "never",
        fractionalSecondDigits: 3,
      }),
  },
  days_until: {
    takes: [0, 1],
    run(value, [other], context) {
      const from = other === undefined ? context.now.toISOString() : text(other, "days_until");
      const day = (date: DateValue): Temporal.PlainDate => ("day" in date ? date.day : date.moment.toPlainDate());
      return day(read(from, "days_until", context)).until(day(read(value, "days_until", context)), {
        largestUnit: "days",
      }).days;
    },
  },
  date: {
    takes: [1, 2],
    run(value, [pattern, zone], context) {
      const name = zone === undefined ? context.timeZone : text(zone, "date");
      return format(inZone(read(value, "date", context), name, "date"), text(pattern, "date"));
    },
  },
};
