import type { Request } from "express";
import { z } from "zod";
import { mergeRecords, mostMerged, previewMerge } from "../../crm/merge.ts";
import { invalid, readBody, recordId } from "./body.ts";
import { under, type Place } from "./place.ts";
import { parseQuery, recordQuery } from "./query.ts";
import { presentOne, shapeOf } from "./shape.ts";

/** Body of a merge. */
export const mergeBody = z.strictObject({
  ids: z
    .array(recordId)
    .min(2, "takes at least two ids")
    .max(mostMerged, `takes at most ${mostMerged} ids`)
    .refine((ids) => new Set(ids).size === ids.length, "has an id twice")
    .meta({ description: "Records that become one" }),
  conflictPriorityIndex: z
    .int()
    .min(0)
    .meta({ description: "Which of them stays, and whose values count where several have one", example: 0 }),
  dryRun: z.boolean().default(false).meta({ description: "true: shows the record that would be, and changes nothing" }),
});

/** `PATCH /rest/people/merge`. Twenty's documents name the answer for the plural, its code for the object: here both are there. */
export async function merge(place: Place, request: Request): Promise<object> {
  const { object, writer } = place;
  const shape = shapeOf(object, parseQuery(request, recordQuery));
  const { ids, conflictPriorityIndex, dryRun } = await readBody(request, mergeBody);
  const survivor = ids[conflictPriorityIndex];
  if (survivor === undefined)
    throw invalid("invalid-body", [
      { path: "conflictPriorityIndex", message: `is the place of one of the ${ids.length} ids` },
    ]);
  const record = await (dryRun ? previewMerge : mergeRecords)(writer, { object, ids, survivor });
  const shown = await presentOne(place, record, shape);
  return { data: { [under("merge", object.name)]: shown, [under("merge", object.plural)]: shown } };
}
