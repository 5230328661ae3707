import { describe, expect, test } from "vitest";
import { parseCron } from "../../src/definition/cron.ts";

const fieldsOf = (text: string) => {
  const { fields, fault } = { fields: undefined, ...parseCron(text) };
  if (fields === undefined) throw new Error(fault);
  return fields;
};

describe("a cron", () => {
  test.each([
    ["lists", "0,30 9,17 * * *", { minute: [0, 30], hour: [9, 17] }],
    ["ranges", "0 9-12 * * *", { hour: [9, 10, 11, 12] }],
    ["steps", "*/20 8-18/5 * * *", { minute: [0, 20, 40], hour: [8, 13, 18] }],
    ["a step from a value on", "50/5 * * * *", { minute: [50, 55] }],
    ["names in any case", "0 0 * JAN,dec Mon-Fri", { month: [1, 12], dayOfWeek: [1, 2, 3, 4, 5] }],
    ["long names of days", "0 0 * * sunday,Tuesday", { dayOfWeek: [0, 2] }],
    ["both numbers of Sunday", "0 0 * * 0,7", { dayOfWeek: [0] }],
    ["a range that ends with Sunday", "0 0 * * 5-7", { dayOfWeek: [0, 5, 6] }],
    ["what overlaps", "1-3,2-4,3 * * * *", { minute: [1, 2, 3, 4] }],
    ["spaces around and between", "  5   4  *  * * ", { minute: [5], hour: [4] }],
    ["leap days", "0 0 29 2 *", { dayOfMonth: [29], month: [2] }],
  ])("reads %s", (_what, text, fields) => {
    expect(fieldsOf(text)).toMatchObject(fields);
  });

  test("of stars alone has every value once", () => {
    const { minute, hour, dayOfMonth, month, dayOfWeek } = fieldsOf("* * * * *");
    expect([minute, hour, dayOfMonth, month, dayOfWeek].map((values) => values.length)).toEqual([60, 24, 31, 12, 7]);
  });

  test.each([
    ["", "a cron has five fields: minute, hour, day of the month, month, weekday; this has 0"],
    ["* * * *", "a cron has five fields: minute, hour, day of the month, month, weekday; this has 4"],
    [
      "0 */5 * * * *",
      "a cron has five fields: minute, hour, day of the month, month, weekday; this has 6; seconds and years are not among them: firings are a minute apart or more",
    ],
    ["@daily", '"@daily" is not read here; write "0 0 * * *"'],
    ["@every 5m", '"@every 5m" is not read here'],
    ["CRON_TZ=UTC 0 0 * * *", 'the zone is the setting "timeZone", not a part of the cron'],
    ["60 * * * *", "minute (field 1): 60 is not a minute: 0 to 59"],
    ["-1 * * * *", 'minute (field 1): "" is not a minute: 0 to 59'],
    ["0 24 * * *", "hour (field 2): 24 is not an hour: 0 to 23"],
    ["0 0 0 * *", "day of the month (field 3): 0 is not a day of the month: 1 to 31"],
    ["0 0 * 13 *", "month (field 4): 13 is not a month: 1 to 12 or jan to dec"],
    ["0 0 * jann *", 'month (field 4): "jann" is not a month: 1 to 12 or jan to dec; did you mean "jan"?'],
    ["0 0 * * 8", "weekday (field 5): 8 is not a weekday: 0 to 7 or sun to sat"],
    ["0 0 * * mom", 'weekday (field 5): "mom" is not a weekday: 0 to 7 or sun to sat; did you mean "mon"?'],
    ["5-1 * * * *", "minute (field 1): the range 5-1 goes backwards; write it as two, such as 5-59,0-1"],
    ["*/0 * * * *", 'minute (field 1): the step "0" must be a number from 1 to 59'],
    ["*/x * * * *", 'minute (field 1): the step "x" must be a number from 1 to 59'],
    [
      "1-2-3 * * * *",
      'minute (field 1): "1-2-3" is no range; write * for all, a number (0 to 59), a range (0-59), a list (0,59) or steps (*/2)',
    ],
    [
      "1, * * * *",
      'minute (field 1): "" is no value; write * for all, a number (0 to 59), a range (0-59), a list (0,59) or steps (*/2)',
    ],
    [
      "*/2/3 * * * *",
      'minute (field 1): "*/2/3" is no value; write * for all, a number (0 to 59), a range (0-59), a list (0,59) or steps (*/2)',
    ],
    ["0 0 30 2 *", "never fires: no month that it names (2) has a day 30"],
    ["0 0 31 4,6,9,11 *", "never fires: no month that it names (4,6,9,11) has a day 31"],
  ])("%j is refused: %s", (text, fault) => {
    expect(parseCron(text)).toEqual({ fault });
  });
});
