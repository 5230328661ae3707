import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../src/json.ts";
import { issuesOf } from "../../src/definition/issues.ts";
import { schedule } from "../../src/triggers/schedule.ts";
import { nextClockChanges } from "../../src/triggers/schedule/clock-changes.ts";
import { scheduleSettings } from "../../src/triggers/schedule/settings.ts";
import { fallsOn, timingOf } from "../../src/triggers/schedule/timing.ts";
import { describeSchedule } from "../../src/triggers/schedule/words.ts";

const timing = (settings: JsonObject, timeZone = "UTC") => timingOf(scheduleSettings.parse(settings), { timeZone });
const faults = (settings: JsonObject): string[] => {
  const { error } = scheduleSettings.safeParse(settings);
  return error === undefined ? [] : issuesOf(error, scheduleSettings).map(({ path, message }) => `${path}: ${message}`);
};
/** Which of these moments of 2026 a schedule means. */
const meant = (settings: JsonObject, moments: readonly string[], zone?: string): string[] =>
  moments.filter((moment) => fallsOn(timing(settings, zone), new Date(`2026-${moment}Z`)));

describe("a schedule is refused", () => {
  test.each<[string, JsonObject, string[]]>([
    ["without a when", {}, [': say when: give "every" or "cron"']],
    ["with two", { every: "1h", cron: "0 * * * *" }, ['cron: give "every" or "cron", not both']],
    ["under a minute apart", { every: "30s" }, ["every: a number and a unit: 15m, 2h, 1d, 2w; at least a minute"]],
    ["of nothing apart", { every: "0m" }, ["every: at least 1"]],
    ["of half a minute", { every: { minutes: 0.5 } }, ["every.minutes: Invalid input: expected int, received number"]],
    ["at no time of day", { every: { days: 1, at: "7:30" } }, ["every.at: a time of day: 07:30, 18:00"]],
    ["at one time twice", { every: { days: 1, at: ["07:30", "07:30"] } }, ["every.at: each time once"]],
    [
      "with a misspelt key",
      { every: { weeks: 1, at: "07:30", onn: ["monday"] } },
      ['every.onn: unknown key "onn"; did you mean "on"?'],
    ],
    [
      "with a cron that never fires",
      { cron: "0 0 30 2 *" },
      ["cron: never fires: no month that it names (2) has a day 30"],
    ],
    [
      "with a misspelt zone",
      { every: "1d", timeZone: "Europe/Berln" },
      [
        'timeZone: there is no time zone "Europe/Berln"; give an IANA name, such as Europe/Berlin; did you mean "Europe/Berlin"?',
      ],
    ],
    [
      "with a city for a zone",
      { every: "1d", timeZone: "New York" },
      [
        'timeZone: there is no time zone "New York"; give an IANA name, such as Europe/Berlin; did you mean "America/New_York"?',
      ],
    ],
    [
      "with an offset for a zone",
      { every: "1d", timeZone: "+01:00" },
      ['timeZone: there is no time zone "+01:00"; give an IANA name, such as Europe/Berlin'],
    ],
    [
      "that ends before it starts",
      { every: "1d", startAt: "2026-02-01T00:00:00Z", endAt: "2026-02-01T00:30:00+01:00" },
      ["endAt: lies before startAt: it would never fire"],
    ],
    [
      "that starts at no moment",
      { every: "1d", startAt: "2026-02-01" },
      ["startAt: a moment with its offset: 2026-12-01T08:00:00+01:00"],
    ],
    ["that catches up too little", { every: "1d", catchUp: "30s" }, ["catchUp: at least 1m"]],
    ["that catches up too much", { every: "1d", catchUp: "32d" }, ["catchUp: at most 31d"]],
  ])("%s", (_what, settings, issues) => {
    expect(faults(settings)).toEqual(issues);
  });
});

describe("a schedule means", () => {
  test("minutes and hours that pass, whatever the clocks do", () => {
    const around = ["03-28T23:00:00", "03-29T00:00:00", "03-29T01:00:00", "03-29T01:30:00", "03-29T02:00:00"];
    expect(meant({ every: "2h" }, around, "Europe/Berlin")).toEqual(["03-29T00:00:00", "03-29T02:00:00"]);
    const shifted = { every: "2h", startAt: "2026-03-28T21:00:30Z" };
    expect(meant(shifted, ["03-28T21:00:00", "03-28T21:01:00", "03-28T23:01:00", "03-28T23:00:00"])).toEqual([
      "03-28T21:01:00",
      "03-28T23:01:00",
    ]);
  });

  test("times of day in its zone", () => {
    const mornings = { every: { days: 1, at: ["07:30", "18:00"] }, timeZone: "Europe/Berlin" };
    expect(
      meant(mornings, ["03-28T06:30:00", "03-28T05:30:00", "03-29T05:30:00", "03-29T06:30:00", "03-29T16:00:00"]),
    ).toEqual(["03-28T06:30:00", "03-29T05:30:00", "03-29T16:00:00"]);
    expect(meant({ every: "1d" }, ["01-01T00:00:00", "01-01T15:00:00"], "Asia/Tokyo")).toEqual(["01-01T15:00:00"]);
  });

  test("each n-th day from its start on, or from a Monday long ago", () => {
    const days = ["01-01", "01-02", "01-03", "01-04", "01-05"].map((day) => `${day}T00:00:00`);
    expect(meant({ every: "2d", startAt: "2026-01-02T00:00:00Z" }, days)).toEqual(["01-02T00:00:00", "01-04T00:00:00"]);
    const always = meant({ every: "3d" }, days);
    expect(always.map((day) => (Date.parse(`2026-${day}Z`) / 86_400_000 - 4) % 3)).toEqual(always.map(() => 0));
  });

  test("each n-th week with all of its days, Monday being the first", () => {
    const fortnight = { every: { weeks: 2, on: ["monday", "sunday"] }, startAt: "2026-01-07T00:00:00Z" };
    const days = ["01-05", "01-11", "01-12", "01-18", "01-19", "01-25"].map((day) => `${day}T00:00:00`);
    expect(meant(fortnight, days)).toEqual(["01-11T00:00:00", "01-19T00:00:00", "01-25T00:00:00"]);
  });

  test("of a cron with both days, days that are both", () => {
    const days = Array.from({ length: 31 }, (_, day) => `05-${String(day + 1).padStart(2, "0")}T09:00:00`);
    expect(meant({ cron: "0 9 1-7 * mon" }, days)).toEqual(["05-04T09:00:00"]);
  });

  test("no moment outside its start and end, and no part of a minute", () => {
    const bound = { every: "1h", startAt: "2026-01-01T01:00:00Z", endAt: "2026-01-01T02:00:00Z" };
    const hours = ["01-01T00:00:00", "01-01T01:00:00", "01-01T02:00:00", "01-01T03:00:00"];
    expect(meant(bound, hours)).toEqual(["01-01T01:00:00", "01-01T02:00:00"]);
    expect(fallsOn(timing({ every: "1m" }), new Date("2026-01-01T00:00:01Z"))).toBe(false);
  });
});

test.each<[JsonObject, string]>([
  [{ every: "15m" }, "every 15m (UTC)"],
  [{ every: { minutes: 15 } }, "every 15 minutes (UTC)"],
  [{ every: { hours: 1 } }, "every hour (UTC)"],
  [{ every: { days: 1, at: ["07:30", "18:00"] } }, "every day at 07:30, 18:00 (UTC)"],
  [{ every: { weeks: 2, on: ["monday", "friday"], at: "06:00" } }, "every 2 weeks on monday, friday at 06:00 (UTC)"],
  [{ cron: "0 9 * * mon" }, "cron 0 9 * * mon (UTC)"],
])("%j is shown as %j", (settings, words) => {
  expect(describeSchedule(scheduleSettings.parse(settings), "UTC")).toBe(words);
});

describe("a warning", () => {
  const now = new Date("2026-01-15T00:00:00Z");
  const warned = (settings: JsonObject): string[] =>
    schedule.warn!(settings, { timeZone: "Europe/Berlin", now, at: "triggers[0]" }).map(({ message }) => message);

  test("names the hours of the next changes of the clocks in which it could fire", () => {
    expect(warned({ every: { days: 1, at: "02:30" } })).toEqual([
      "on 2026-03-29 the clocks of Europe/Berlin leave out 02:00 to 03:00: nothing is fired for times in it",
      "on 2026-10-25 the clocks of Europe/Berlin go through 02:00 to 03:00 twice: a time in it is fired once or twice, and of several some may be left out",
    ]);
    expect(warned({ cron: "30 1 * * *", timeZone: "America/New_York" })).toEqual([
      "on 2026-11-01 the clocks of America/New_York go through 01:00 to 02:00 twice: a time in it is fired once or twice, and of several some may be left out",
    ]);
  });

  test.each<[string, JsonObject]>([
    ["for what passes", { every: "15m" }],
    ["for other hours", { every: { days: 1, at: "03:00" } }],
    ["for other days", { cron: "30 2 * * mon-fri" }],
    ["for a zone that never changes", { every: { days: 1, at: "02:30" }, timeZone: "Asia/Tokyo" }],
    ["beyond its end", { every: { days: 1, at: "02:30" }, endAt: "2026-03-01T00:00:00Z" }],
    [
      "for a week that is passed over",
      {
        every: { weeks: 2, on: ["sunday"], at: "02:30" },
        startAt: "2026-03-30T00:00:00Z",
        endAt: "2026-10-20T00:00:00Z",
      },
    ],
  ])("is not given %s", (_what, settings) => {
    expect(warned(settings)).toEqual([]);
  });

  test("tells that it is over, and that days of the month and weekdays are both meant", () => {
    expect(warned({ every: "1h", endAt: "2026-01-01T00:00:00Z" })).toEqual([
      "endAt (2026-01-01T00:00:00.000Z) has passed: it fires no more",
    ]);
    expect(warned({ cron: "0 9 1 * mon" })).toEqual([
      "names days of the month and weekdays: it fires on days that are both, not on either",
    ]);
  });
});

test.each([
  [
    "Europe/Berlin",
    "2026-01-01",
    ["left-out 2026-03-29T02:00:00 2026-03-29T03:00:00", "doubled 2026-10-25T02:00:00 2026-10-25T03:00:00"],
  ],
  [
    "Australia/Lord_Howe",
    "2026-01-01",
    ["doubled 2026-04-05T01:30:00 2026-04-05T02:00:00", "left-out 2026-10-04T02:00:00 2026-10-04T02:30:00"],
  ],
  ["Asia/Tokyo", "2026-01-01", []],
  ["UTC", "2026-01-01", []],
])("the clocks of %s change after %s: %j", (zone, now, changes) => {
  const found = nextClockChanges(zone, new Date(now)).map(
    ({ kind, from, to }) => `${kind} ${from.toString()} ${to.toString()}`,
  );
  expect(found).toEqual(changes);
});
