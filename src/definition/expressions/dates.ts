import { Temporal } from "temporal-polyfill";
import { decimalOf, times, writeDecimal } from "./decimals.ts";
import type { Filter, FilterContext } from "./filters.ts";
import { wholeNumber } from "./numbers.ts";
import { checkLength, kindOf, text, ValueFault, type Value } from "./values.ts";

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

/** What reading a filter's value needs: its name, for sentences, and the zone. */
interface Reading {
  readonly filter: string;
  readonly context: FilterContext;
}

function read(value: Value, { filter, context }: Reading): DateValue {
  const date = typeof value === "string" ? readDate(value, context.timeZone) : undefined;
  if (date !== undefined) return date;
  const got = typeof value === "string" ? `the text ${JSON.stringify(value.slice(0, 40))}` : kindOf(value);
  throw new ValueFault(`${filter} takes a date such as 2026-03-29 or 2026-03-29T10:00:00Z, but got ${got}`);
}

/** ISO text: a day as it is, a moment in UTC to the millisecond. */
function write(date: DateValue): string {
  return "day" in date ? date.day.toString() : date.moment.toInstant().toString({ fractionalSecondDigits: 3 });
}

const firstMoment = Date.parse("0001-01-01T00:00:00Z");
const lastMoment = Date.parse("9999-12-31T00:00:00Z");

/** Refuses what ISO text of four-digit years cannot say. */
function inRange(date: DateValue, filter: string): DateValue {
  const moment = "day" in date ? Date.parse(`${date.day.toString()}T00:00:00Z`) : date.moment.epochMilliseconds;
  if (moment >= firstMoment && moment <= lastMoment) return date;
  throw new ValueFault(`${filter} gives a date outside the years 1 to 9999`);
}

const anyCount = [-1_000_000, 1_000_000] as const;

/** Adds calendar days: the same time of day, also across a change to summer time. */
function addDays(date: DateValue, days: number): DateValue {
  return "day" in date ? { day: date.day.add({ days }) } : { moment: date.moment.add({ days }) };
}

/** Adds days from Monday to Friday. From a weekend the first one is the Monday after it, or the Friday before. */
function addBusinessDays(date: DateValue, count: number): DateValue {
  if (count === 0) return date;
  const sign = Math.sign(count);
  const weekday = ("day" in date ? date.day : date.moment).dayOfWeek;
  const weekend = weekday - 5;
  const start = weekend <= 0 ? 0 : sign > 0 ? -weekend : 3 - weekend;
  const from = weekend <= 0 ? weekday : sign > 0 ? 5 : 1;
  const [weeks, rest] = [Math.trunc(count / 5), count % 5];
  const isOverWeekend = from + rest > 5 || from + rest < 1;
  return addDays(date, start + weeks * 7 + rest + (isOverWeekend ? sign * 2 : 0));
}

/** The date seen in a zone; a moment that was written without one is already in the workspace's. */
function inZone(date: DateValue, zone: Value, { filter, context }: Reading): Temporal.ZonedDateTime {
  const name = zone === undefined ? context.timeZone : text(zone, filter);
  try {
    return "day" in date ? date.day.toZonedDateTime(name) : date.moment.withTimeZone(name);
  } catch {
    throw new ValueFault(
      `${filter} does not know the time zone ${JSON.stringify(name.slice(0, 60))}; write its IANA name, such as "Europe/Berlin"`,
    );
  }
}

/** Days stay days, whatever the zone; moments are reckoned in it. */
function reckonedIn(date: DateValue, zone: Value, reading: Reading): DateValue {
  return "day" in date ? date : { moment: inZone(date, zone, reading) };
}

const millisecondsAnHour = { digits: 3_600_000n, scale: 0 };

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

/** As strftime writes it; `%-d` leaves out leading zeros. */
function format(moment: Temporal.ZonedDateTime, pattern: string): string {
  checkLength(pattern.length * 8);
  return pattern.replace(/%(-?)(.)/gs, (_, short: string, letter: string) => {
    const write = Object.hasOwn(letters, letter) ? letters[letter] : undefined;
    if (write === undefined)
      throw new ValueFault(
        `date does not know ${JSON.stringify(`%${letter}`)}; it knows ${Object.keys(letters)
          .map((known) => `%${known}`)
          .join(" ")}`,
      );
    return short === "" ? write(moment) : write(moment).replace(/^0+(?=\d)/, "");
  });
}

/** A filter from a date to a date: an amount, and the zone to reckon in. */
function adding(filter: string, add: (date: DateValue, amount: Value) => DateValue): Filter {
  return {
    takes: [1, 2],
    run(value, [amount, zone], context) {
      const reading = { filter, context };
      return write(inRange(add(reckonedIn(read(value, reading), zone, reading), amount), filter));
    },
  };
}

export const dateFilters: Readonly<Record<string, Filter>> = {
  add_days: adding("add_days", (date, days) => addDays(date, wholeNumber(days, "add_days", anyCount))),
  add_business_days: adding("add_business_days", (date, days) =>
    addBusinessDays(date, wholeNumber(days, "add_business_days", anyCount)),
  ),
  add_hours: {
    takes: [1, 1],
    run(value, [hours], context) {
      const reading = { filter: "add_hours", context };
      const start = inZone(read(value, reading), undefined, reading);
      const added = writeDecimal(times(decimalOf(hours, "add_hours"), millisecondsAnHour), "add_hours");
      const milliseconds = Math.round(Number(added));
      if (Math.abs(milliseconds) > 1e14) throw new ValueFault("add_hours takes fewer hours");
      return write(inRange({ moment: start.add({ milliseconds }) }, "add_hours"));
    },
  },
  start_of_day: {
    takes: [0, 1],
    run(value, [zone], context) {
      const reading = { filter: "start_of_day", context };
      return write({ moment: inZone(read(value, reading), zone, reading).startOfDay() });
    },
  },
  to_zone: {
    takes: [1, 1],
    run(value, [zone], context) {
      const reading = { filter: "to_zone", context };
      return inZone(read(value, reading), zone, reading).toString({ timeZoneName: "never", fractionalSecondDigits: 3 });
    },
  },
  /** Calendar days from the argument, or else from today, until the value. */
  days_until: {
    takes: [0, 2],
    run(value, [start, zone], context) {
      const reading = { filter: "days_until", context };
      const dayOf = (written: Value): Temporal.PlainDate => {
        const date = reckonedIn(read(written, reading), zone, reading);
        return "day" in date ? date.day : date.moment.toPlainDate();
      };
      return dayOf(start ?? context.now.toISOString()).until(dayOf(value), { largestUnit: "days" }).days;
    },
  },
  date: {
    takes: [1, 2],
    run(value, [pattern, zone], context) {
      const reading = { filter: "date", context };
      return format(inZone(read(value, reading), zone, reading), text(pattern, "date"));
    },
  },
};
