import { z } from "zod";
import { durationMs, durationSchema } from "../../../definition/schema.ts";
import type { Fault } from "../../../definition/issues.ts";
import { templateFaults } from "./content.ts";
import { common, header, secret } from "./settings-parts.ts";

const longestToleranceMs = 3_600_000;
const tolerance = durationSchema
  .refine((text) => durationMs(text) >= 1_000 && durationMs(text) <= longestToleranceMs, "from 1s to 1h")
  .default("5m");

const itemName = z.string().regex(/^[\w-]{1,50}$/, "the name of an item, such as v1");
const list = z
  .strictObject({
    separator: z.enum([",", ";", "&"]).default(","),
    signature: itemName,
    timestamp: itemName.optional(),
  })
  .meta({ description: "For headers that hold a list, such as t=1795489552,v1=5257a8…" });

const settings = z.strictObject({
  kind: z.literal("hmac"),
  secret,
  secretEncoding: z.enum(["text", "hex", "base64"]).default("text"),
  header,
  algorithm: z.enum(["sha256", "sha512", "sha1"]).default("sha256"),
  encoding: z.enum(["hex", "base64", "base64url"]).default("hex"),
  prefix: z.string().max(100).default(""),
  list: list.optional(),
  content: z.string().max(500).default("{body}"),
  timestamp: z
    .strictObject({
      header: header.optional(),
      unit: z.enum(["seconds", "milliseconds"]).default("seconds"),
      tolerance,
    })
    .optional(),
  id: z.strictObject({ header }).optional(),
  ...common,
});

/** A signature as somebody describes it: where it is, what is signed, and how. */
export const hmacSettings = settings.superRefine((given, context) => {
  const faults = [...templateFaults(given).map((message) => ({ path: ["content"], message })), ...placeFaults(given)];
  for (const { path, message } of faults) context.addIssue({ code: "custom", path: [...path], message });
});

/** What is wrong with where the parts of a signature are said to be. */
function placeFaults({ prefix, list: items, timestamp }: z.output<typeof settings>): Fault[] {
  const places = [timestamp?.header, items?.timestamp].filter((place) => place !== undefined);
  return [
    ...(items !== undefined && prefix !== ""
      ? [{ path: ["prefix"], message: "nothing stands before a signature in a list but its name" }]
      : []),
    ...(timestamp !== undefined && places.length !== 1
      ? [{ path: ["timestamp", "header"], message: "needs the header that holds it, or its name in `list`; not both" }]
      : []),
    ...(timestamp === undefined && places.length > 0
      ? [{ path: ["timestamp"], message: "say how the timestamp in the list is written: {} for seconds" }]
      : []),
  ];
}
