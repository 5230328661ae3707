import { expect, test } from "vitest";
import { momentAfter, readLimit, readMoment } from "../../src/definition/moments.ts";

const berlin = "Europe/Berlin";

test.each([
  // The night in which the clocks go forward has 23 hours, the one in which they go back 25.
  ["2026-03-28T09:00:00Z", "1d", "2026-03-29T08:00:00.000Z"],
  ["2026-03-28T09:00:00Z", "24h", "2026-03-29T09:00:00.000Z"],
  ["2026-10-24T08:00:00Z", "1d", "2026-10-25T09:00:00.000Z"],
  ["2026-10-24T08:00:00Z", "24h", "2026-10-25T08:00:00.000Z"],
  ["2026-01-01T00:00:00Z", "90m", "2026-01-01T01:30:00.000Z"],
  ["2026-01-01T00:00:00Z", "250ms", "2026-01-01T00:00:00.250Z"],
  // Half past two does not come that night: it is as much later.
  ["2026-03-28T01:30:00Z", "1d", "2026-03-29T01:30:00.000Z"],
])("after %s, %s later is %s", (start, duration, then) => {
  expect(momentAfter(new Date(start), duration, berlin).toISOString()).toBe(then);
});

test.each([
  ["2026-03-29T09:00:00Z", "2026-03-29T09:00:00.000Z"],
  ["2026-03-29T09:00:00+05:30", "2026-03-29T03:30:00.000Z"],
  ["2026-03-29T09:00", "2026-03-29T07:00:00.000Z"],
  ["2026-01-15", "2026-01-14T23:00:00.000Z"],
  ["2026-07-15", "2026-07-14T22:00:00.000Z"],
  ["2026-03-29T02:30", "2026-03-29T01:30:00.000Z"],
  // Half past two comes twice that night: the first is meant.
  ["2026-10-25T02:30", "2026-10-25T00:30:00.000Z"],
  [" 2026-01-15T12:00Z ", "2026-01-15T12:00:00.000Z"],
])("%s is %s in Berlin", (text, moment) => {
  expect(readMoment(text, berlin)?.toISOString()).toBe(moment);
});

test.each(["tomorrow", "", "2026-13-01", "2026-02-30", "09:00", "1d"])("%j is no moment", (text) => {
  expect(readMoment(text, berlin)).toBeUndefined();
});

test("a limit is a duration or a moment", () => {
  const from = { start: new Date("2026-01-01T00:00:00Z"), zone: berlin };
  expect(readLimit("2d", from)?.toISOString()).toBe("2026-01-03T00:00:00.000Z");
  expect(readLimit("2026-01-03", from)?.toISOString()).toBe("2026-01-02T23:00:00.000Z");
  expect(readLimit("soon", from)).toBeUndefined();
});
