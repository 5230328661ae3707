import { z } from "zod";
import { eventConditionSchema } from "../../definition/conditions.ts";
import { durationMs, durationSchema, keySchema } from "../../definition/schema.ts";
import { eventNames } from "./event.ts";

const name = z.string().min(1).max(64);
const hourMs = 3_600_000;

/** How a record has to rest, or a list to grow, before there is a run. */
const debounce = durationSchema.refine((duration) => {
  const ms = durationMs(duration);
  // What is no duration is told so once.
  return !durationSchema.safeParse(duration).success || (ms >= 100 && ms <= 24 * hourMs);
}, "a debounce is from 100ms to 24h");

export const recordEventSettings = z.strictObject({
  objects: z.array(name).min(1).max(50),
  events: z.array(z.enum(eventNames)).min(1).max(eventNames.length),
  fields: z.array(name).min(1).max(200).optional(),
  condition: eventConditionSchema.optional(),
  debounce: debounce.optional(),
  ignoreWritesBy: z.array(keySchema).max(100).default([]),
  ownWrites: z.enum(["ignore", "heed"]).default("ignore"),
  deliver: z.enum(["each", "list"]).default("each"),
});

export type RecordEventSettings = z.output<typeof recordEventSettings>;
