import { z } from "zod";
import type { Json } from "../json.ts";

/** Any JSON, where its shape is another document's affair. */
export const json = z.unknown().meta({ description: "Any JSON value" });
/** The same where it is sent, which may not be left out; what was read as JSON is JSON. */
export const sentJson = z
  .unknown()
  .refine((value) => value !== undefined, "is missing")
  .transform((value) => value as Json);
/** A moment, ISO 8601 in UTC. */
export const moment = z.iso.datetime();
export const id = z.uuid();
/** Since when a workflow is paused, and why. */
export const paused = z.object({ since: moment, note: z.string().nullable() }).meta({ id: "Pause" });
/** The `{id}` of a path. */
export const idParams = z.strictObject({ id });

/** Query of every list: how many at most, and where it goes on. */
export const pageQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(200).default(60).meta({ description: "How many at most" }),
  cursor: z.string().min(1).optional().meta({ description: "`nextCursor` of the page before" }),
});

/** A page of a list. */
export function pageOf<Item extends z.ZodType>(
  item: Item,
): z.ZodObject<{ data: z.ZodArray<Item>; nextCursor: z.ZodNullable<z.ZodString> }> {
  return z.object({
    data: z.array(item),
    nextCursor: z.string().nullable().meta({ description: "Where the list goes on; null: this was all of it" }),
  });
}

/** RFC 9457: how every refusal is answered. */
export const problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.string().meta({ description: "Stable name of the kind of refusal" }),
    detail: z.string().meta({ description: "What is wrong and what to do" }),
    issues: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
    instance: z.string().optional(),
  })
  .meta({ id: "Problem" });
