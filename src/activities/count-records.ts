import { z } from "zod";
import { countAll } from "../crm/count.ts";
import { checkSelection, selectionInput, selectRecords } from "./record-selection.ts";
import { checkObject, objectName, recordPolicy } from "./record-step.ts";
import type { ReadKind } from "./step-kind.ts";

const input = z.strictObject({
  object: objectName,
  ...selectionInput,
});

export const countRecords: ReadKind<z.output<typeof input>> = {
  kind: "count-records",
  effect: "read",
  title: "Count records",
  description: "Counts the records of one object that match a filter, a view and words. Changes nothing.",
  ...recordPolicy,
  input,
  output: z.object({ count: z.number() }),
  fixed: ["object"],
  strict: ["filter"],
  sample: {
    input: { object: "person", filter: { field: "jobTitle", operator: "equals", value: "CTO" } },
    output: { count: 0 },
  },
  check(written, context) {
    const { object, issues } = checkObject(written, context);
    return object === undefined ? issues : checkSelection(written, object, context);
  },
  async run(context, asked) {
    const count = await countAll(context.sql, await selectRecords(context, asked));
    return { output: { count }, outcome: String(count) };
  },
};
