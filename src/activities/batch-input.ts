import { z } from "zod";
import { unknownField } from "../crm/values.ts";
import type { CrmObject } from "../crm/objects.ts";
import { recordConditionSchema } from "../definition/conditions.ts";
import type { Issue } from "../errors.ts";
import type { Json, JsonObject } from "../json.ts";
import { longListOf } from "../runs/long-lists.ts";
import { checkOnlyIf } from "./check-filter.ts";
import { checkObject, checkWrite, longMs, modesSchema, objectName, recordPolicy, valuesSchema } from "./record-step.ts";
import type { CheckContext } from "./step-kind.ts";

/** What steps that write many records have in common: each is an activity of its own. */
export const batchPolicy = {
  ...recordPolicy,
  timeoutMs: longMs,
  quick: () => false,
  inParts: true,
  byReference: ["records"],
} as const;

/** A list, or what stands for one that is kept as pages. */
const listOrStand = z.custom<Json>(
  (value) => Array.isArray(value) || longListOf(value as Json) !== undefined,
  "takes a list of records, each an object of fields or an id",
);

/** What they take. */
export const batchShape = {
  object: objectName,
  records: listOrStand,
  values: valuesSchema.optional(),
  modes: modesSchema.optional(),
  onlyIf: recordConditionSchema.optional(),
};

/** What they give. */
export const batchOutput = z.object({
  created: z.number(),
  updated: z.number(),
  unchanged: z.number(),
  refused: z.array(z.object({ index: z.number(), code: z.string(), reason: z.string() })),
  ids: z.array(z.string().nullable()),
});

/** Activation's look at such a step; its records are looked at when they are written. */
export function checkBatch(written: JsonObject, context: CheckContext): Issue[] {
  const { object, issues } = checkObject(written, context);
  if (object === undefined) return issues;
  const { values = {}, ...rest } = written;
  return [
    ...checkMatch(object, written["match"], `${context.at}.match`),
    ...checkWrite(object, { ...rest, values }, context),
    ...checkOnlyIf(written["onlyIf"], object, { ...context, at: `${context.at}.onlyIf` }),
  ];
}

function checkMatch(object: CrmObject, match: Json | undefined, at: string): Issue[] {
  const names = Array.isArray(match) ? match.map(String) : [];
  return names.flatMap((name, i) =>
    name === "id" || object.field(name) !== undefined
      ? []
      : [{ path: `${at}[${i}]`, message: unknownField(object, name) }],
  );
}
