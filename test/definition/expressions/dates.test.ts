import fc from "fast-check";
import { Temporal } from "temporal-polyfill";
import { describe, expect, test } from "vitest";
import { evaluate, failureOf } from "./support.ts";

const apply = (given: string, filter: string, zone = "Europe/Berlin", now = "2026-11-24T12:00:00.000Z"): unknown =>
  evaluate(`{{ given | ${filter} }}`, { data: { given }, timeZone: zone, now });

/** Germany: forward on 2026-03-29 at 02:00 (01:00 UTC), back on 2026-10-25 at 03:00 (01:00 UTC). */
describe("dates across summer time", () => {
  test.each([
    [
      "the same time of day on the day of the change",
      "2026-03-28T11:00:00Z",
      "add_days: 1",
      "2026-03-29T10:00:00.000Z",
    ],
    [
      "into the hour that does not exist: an hour later",
      "2026-03-28T01:30:00Z",
      "add_days: 1",
      "2026-03-29T01:30:00.000Z",
    ],
    ["back out of summer time", "2026-10-24T10:00:00Z", "add_days: 1", "2026-10-25T11:00:00.000Z"],
    [
      "into the hour that comes twice: the first one",
      "2026-10-24T00:30:00Z",
      "add_days: 1",
      "2026-10-25T00:30:00.000Z",
    ],
    ["backwards", "2026-03-30T10:00:00Z", "add_days: -2", "2026-03-28T11:00:00.000Z"],
    ["hours are hours", "2026-03-29T00:30:00Z", "add_hours: 1", "2026-03-29T01:30:00.000Z"],
    [
      "a day of 24 hours is not a day of the calendar",
      "2026-03-28T11:00:00Z",
      "add_hours: 24",
      "2026-03-29T11:00:00.000Z",
    ],
    ["over the weekend of the change", "2026-03-27T11:00:00Z", "add_business_days: 1", "2026-03-30T10:00:00.000Z"],
    ["the day of 23 hours begins in winter time", "2026-03-29T12:00:00Z", "start_of_day", "2026-03-28T23:00:00.000Z"],
    ["the day after it begins in summer time", "2026-03-30T12:00:00Z", "start_of_day", "2026-03-29T22:00:00.000Z"],
    ["seen in its zone before", "2026-03-29T00:59:59Z", "to_zone: 'Europe/Berlin'", "2026-03-29T01:59:59.000+01:00"],
    ["seen in its zone after", "2026-03-29T01:00:00Z", "to_zone: 'Europe/Berlin'", "2026-03-29T03:00:00.000+02:00"],
    ["the doubled hour, first", "2026-10-25T00:30:00Z", "to_zone: 'Europe/Berlin'", "2026-10-25T02:30:00.000+02:00"],
    ["the doubled hour, second", "2026-10-25T01:30:00Z", "to_zone: 'Europe/Berlin'", "2026-10-25T02:30:00.000+01:00"],
  ])("%s", (_, given, filter, expected) => {
    expect(apply(given, filter)).toBe(expected);
  });

  test("a day may begin at one o'clock", () => {
    expect(apply("2018-11-04T12:00:00Z", "start_of_day", "America/Sao_Paulo")).toBe("2018-11-04T03:00:00.000Z");
    expect(apply("2018-11-04T12:00:00Z", "start_of_day | to_zone: 'America/Sao_Paulo'", "America/Sao_Paulo")).toBe(
      "2018-11-04T01:00:00.000-02:00",
    );
  });
});

describe("date filters", () => {
  test.each([
    ["2026-01-31", "add_days: 1", "2026-02-01"],
    ["2028-02-28", "add_days: 1", "2028-02-29"],
    ["2026-01-01", "add_days: -1", "2025-12-31"],
    ["2026-01-01", "add_days: '7'", "2026-01-08"],
    ["2026-11-24T12:00:00.123456Z", "add_days: 0", "2026-11-24T12:00:00.123Z"],
    ["2026-11-24T12:00:00+05:30", "add_days: 0", "2026-11-24T06:30:00.000Z"],
    ["2026-11-24 12:00", "add_days: 0", "2026-11-24T11:00:00.000Z"],
    ["2026-11-24T12:00:00", "add_days: 0", "2026-11-24T11:00:00.000Z"],
    ["2026-11-27", "add_business_days: 1", "2026-11-30"],
    ["2026-11-28", "add_business_days: 1", "2026-11-30"],
    ["2026-11-29", "add_business_days: 1", "2026-11-30"],
    ["2026-11-28", "add_business_days: -1", "2026-11-27"],
    ["2026-11-28", "add_business_days: 0", "2026-11-28"],
    ["2026-11-24", "add_business_days: 3", "2026-11-27"],
    ["2026-11-24", "add_business_days: 4", "2026-11-30"],
    ["2026-11-24", "add_business_days: 10", "2026-12-08"],
    ["2026-11-24", "add_hours: 1.5", "2026-11-24T00:30:00.000Z"],
    ["2026-11-24", "start_of_day", "2026-11-23T23:00:00.000Z"],
    ["2026-11-24", "start_of_day: 'America/New_York'", "2026-11-24T05:00:00.000Z"],
    ["2026-11-24T02:00:00Z", "start_of_day: 'America/New_York'", "2026-11-23T05:00:00.000Z"],
    ["2026-11-24T23:30:00Z", "add_business_days: 1", "2026-11-25T23:30:00.000Z"],
    ["2026-11-27T23:30:00Z", "add_business_days: 1", "2026-11-29T23:30:00.000Z"],
    ["2026-11-27T23:30:00Z", "add_business_days: 1, 'UTC'", "2026-11-30T23:30:00.000Z"],
    ["2026-11-30", "days_until", 6],
    ["2026-11-24", "days_until", 0],
    ["2026-11-20", "days_until", -4],
    ["2026-11-24T23:30:00Z", "days_until", 1],
    ["2026-11-24T23:30:00Z", "days_until: '2026-11-24', 'UTC'", 0],
    ["2026-03-30", "days_until: '2026-03-28'", 2],
    ["2026-11-24T23:30:05.007Z", "date: '%Y-%m-%d %H:%M:%S.%L %z'", "2026-11-25 00:30:05.007 +0100"],
    ["2026-11-24T23:30:00Z", "date: '%F %T', 'UTC'", "2026-11-24 23:30:00"],
    ["2026-07-04", "date: '%A, %e %B %Y'", "Saturday, 4 July 2026"],
    ["2026-07-04", "date: '%a %b %-d, %-m/%d/%y, day %j, %u, week %V'", "Sat Jul 4, 7/04/26, day 185, 6, week 27"],
    ["2026-07-04T12:05:00Z", "date: '%I:%M %p', 'UTC'", "12:05 PM"],
    ["2026-07-04T00:05:00Z", "date: '%I %p 100%%', 'UTC'", "12 AM 100%"],
  ])("%s | %s", (given, filter, expected) => {
    expect(apply(given, filter)).toBe(expected);
  });

  test.each([
    "2026-02-30",
    "2026-13-01",
    "26-01-01",
    "2026-1-1",
    "2026-01-01T25:00Z",
    "2026-01-01T10:00:00+99:00",
    "tomorrow",
    "2026-01-01T10:00Z trailing",
    "",
  ])("%j is no date", (given) => {
    expect(failureOf("{{ given | add_days: 1 }}", { data: { given } })).toMatch(/add_days takes a date/);
  });

  test.each(["add_days: 1000000", "add_days: -1000000", "add_hours: 10000000", "add_business_days: 1000000"])(
    "%s out of the calendar is an error",
    (filter) => {
      const given = filter.includes("-") ? "0100-01-01" : "9999-01-01";
      expect(failureOf(`{{ given | ${filter} }}`, { data: { given } })).toMatch(/outside the years 1 to 9999/);
    },
  );

  test("numbers past what is meant are refused, not reckoned", () => {
    for (const filter of [
      "add_days: 1000001",
      "add_business_days: '99999999999999999999'",
      "add_hours: '99999999999999999999'",
    ])
      expect(failureOf(`{{ now | ${filter} }}`)).toMatch(/takes (a whole number between|fewer hours)/);
  });

  test("business days are those that one finds by going day by day", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 400 }), fc.integer({ min: -60, max: 60 }), (offset, count) => {
        const start = Temporal.PlainDate.from("2026-01-01").add({ days: offset });
        let day = start;
        for (let left = Math.abs(count); left > 0;) {
          day = day.add({ days: Math.sign(count) });
          if (day.dayOfWeek <= 5) left -= 1;
        }
        expect(apply(start.toString(), `add_business_days: ${count}`)).toBe(day.toString());
      }),
      { numRuns: 300 },
    );
  });

  test("adding days and taking them away again gives the day", () => {
    const zones = fc.constantFrom("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC");
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 800 }),
        fc.integer({ min: -500, max: 500 }),
        zones,
        (offset, days, zone) => {
          const noon = Temporal.PlainDate.from("2025-06-01").add({ days: offset }).toPlainDateTime("12:00");
          const moment = noon.toZonedDateTime(zone).toInstant().toString({ fractionalSecondDigits: 3 });
          expect(apply(moment, `add_days: ${days} | add_days: ${-days}`, zone)).toBe(moment);
        },
      ),
    );
  });
});
