import { afterAll, describe, expect, test } from "vitest";
import type { JsonObject } from "../../../src/json.ts";
import { scheduleSettings } from "../../../src/triggers/schedule/settings.ts";
import { fallsOn, timingOf } from "../../../src/triggers/schedule/timing.ts";
import { specOf } from "../../../src/worker/schedules/spec.ts";
import { createSchedules } from "../../../src/worker/schedules/temporal.ts";
import { connectTemporal } from "../../../src/worker/temporal.ts";
import { testTemporal } from "../../support/temporal.ts";

const { address, namespace, installation } = testTemporal();
process.env["TEMPORAL_ADDRESS"] = address;
const link = await connectTemporal(namespace);
afterAll(() => link.connection.close());
const schedules = createSchedules(link, installation);

let made = 0;
/** The moments of a night that Temporal rings for and that the schedule means, as hours and minutes in UTC. */
async function fired(settings: JsonObject, [from, to]: readonly [string, string]): Promise<string[]> {
  const timing = timingOf(scheduleSettings.parse(settings), { timeZone: "UTC" });
  const id = `${installation}-night-${(made += 1)}`;
  const input = { workflowId: "", triggerId: "" };
  const wanted = { id, spec: specOf(timing), catchUpMs: timing.catchUpMs, input, note: "", memo: {} };
  await schedules.create(wanted, { paused: true, note: "" });
  try {
    const moments = await schedules.moments(id, new Date(`${from}Z`), new Date(`${to}Z`));
    return moments.filter((moment) => fallsOn(timing, moment)).map((moment) => moment.toISOString().slice(11, 16));
  } finally {
    await schedules.remove(id);
  }
}

const daily = (at: string, timeZone: string): JsonObject => ({ every: { days: 1, at }, timeZone });

describe.each([
  {
    zone: "Europe/Berlin",
    // 02:00 becomes 03:00 at 01:00 UTC; 03:00 becomes 02:00 at 01:00 UTC.
    spring: ["2026-03-28T22:59", "2026-03-29T03:00"] as const,
    autumn: ["2026-10-24T21:59", "2026-10-25T03:00"] as const,
    before: { at: "01:30", spring: ["00:30"], autumn: ["23:30"] },
    within: { at: "02:30", spring: [], autumn: ["01:30"] },
    after: { at: "03:30", spring: ["01:30"], autumn: ["02:30"] },
  },
  {
    zone: "America/New_York",
    // 02:00 becomes 03:00 at 07:00 UTC; 02:00 becomes 01:00 at 06:00 UTC.
    spring: ["2026-03-08T04:59", "2026-03-08T09:00"] as const,
    autumn: ["2026-11-01T03:59", "2026-11-01T09:00"] as const,
    before: { at: "00:30", spring: ["05:30"], autumn: ["04:30"] },
    within: { at: "01:30", spring: ["06:30"], autumn: ["05:30", "06:30"] },
    after: { at: "02:30", spring: [], autumn: ["07:30"] },
  },
  {
    zone: "Australia/Lord_Howe",
    // 02:00 becomes 02:30 at 15:30 UTC; 02:00 becomes 01:30 at 15:00 UTC.
    spring: ["2026-10-03T13:30", "2026-10-03T18:00"] as const,
    autumn: ["2026-04-04T13:30", "2026-04-04T18:00"] as const,
    before: { at: "01:15", spring: ["14:45"], autumn: ["14:15"] },
    within: { at: "02:15", spring: [], autumn: ["15:45"] },
    after: { at: "03:15", spring: ["16:15"], autumn: ["16:45"] },
  },
])("where the clocks of $zone change", ({ zone, spring, autumn, ...times }) => {
  test.each(Object.values(times))(
    "a daily schedule at $at fires in spring $spring, in autumn $autumn",
    async (time) => {
      expect(await fired(daily(time.at, zone), spring)).toEqual(time.spring);
      expect(await fired(daily(time.at, zone), autumn)).toEqual(time.autumn);
    },
  );

  test("what counts minutes that pass fires as ever", async () => {
    for (const night of [spring, autumn]) {
      const moments = await fired({ every: "20m", timeZone: zone }, night);
      const [from, to] = night.map((moment) => Date.parse(`${moment}Z`) / 60_000);
      expect(moments).toHaveLength(Math.floor(to! / 20) - Math.ceil(from! / 20) + 1);
    }
  });
});

test("in Berlin's spring an hourly cron fires each hour that there is", async () => {
  const hourly = { cron: "0 * * * *", timeZone: "Europe/Berlin" };
  expect(await fired(hourly, ["2026-03-28T23:00", "2026-03-29T03:00"])).toEqual([
    "23:00",
    "00:00",
    "01:00",
    "02:00",
    "03:00",
  ]);
});

test("of every second week only that week's day fires, at the same local time after the change", async () => {
  const fortnight = { every: { weeks: 2, on: ["monday"], at: "09:00" }, timeZone: "Europe/Berlin" };
  const timing = timingOf(scheduleSettings.parse(fortnight), { timeZone: "UTC" });
  const mondays = ["2026-03-16T08:00Z", "2026-03-23T08:00Z", "2026-03-30T07:00Z", "2026-04-06T07:00Z"];
  const meant = mondays.filter((moment) => fallsOn(timing, new Date(moment)));
  expect(await fired(fortnight, ["2026-03-10T00:00", "2026-04-10T00:00"])).toEqual(
    meant.map((moment) => moment.slice(11, 16)),
  );
  expect(meant).toHaveLength(2);
});
