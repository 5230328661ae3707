import { z } from "zod";
import { cronSchema, durationMs, durationSchema, timeZoneSchema } from "../../definition/schema.ts";
import { everySchema } from "./every.ts";

const moment = z.iso.datetime({ offset: true, error: "a moment with its offset: 2026-12-01T08:00:00+01:00" });

const minuteMs = 60_000;
const dayMs = 86_400_000;

const catchUp = durationSchema
  .refine((duration) => durationMs(duration) >= minuteMs, "at least 1m")
  .refine((duration) => durationMs(duration) <= 31 * dayMs, "at most 31d")
  .default("10m")
  .meta({ description: "How late a firing may be and still start a run" });

/** What a definition says of a schedule. */
export const scheduleSettings = z
  .strictObject({
    every: everySchema.optional(),
    cron: cronSchema.optional(),
    timeZone: timeZoneSchema.optional().meta({ description: "By default the workspace's, and follows it" }),
    startAt: moment.optional(),
    endAt: moment.optional(),
    catchUp,
  })
  .superRefine(({ every, cron, startAt, endAt }, context) => {
    if (every === undefined && cron === undefined)
      context.addIssue({ code: "custom", message: `say when: give "every" or "cron"` });
    if (every !== undefined && cron !== undefined)
      context.addIssue({ code: "custom", path: ["cron"], message: `give "every" or "cron", not both` });
    if (startAt !== undefined && endAt !== undefined && Date.parse(endAt) <= Date.parse(startAt))
      context.addIssue({ code: "custom", path: ["endAt"], message: "lies before startAt: it would never fire" });
  });

export type ScheduleSettings = z.output<typeof scheduleSettings>;
