import { z } from "zod";
import { updateRecord as update } from "../crm/operations.ts";
import { checkOnlyIf } from "./check-filter.ts";
import {
  changeOutput,
  checkObject,
  checkWrite,
  createStepWriter,
  getObject,
  linksSchema,
  modesSchema,
  objectName,
  onlyIfSchema,
  recordId,
  recordPolicy,
  sealedChange,
  valuesSchema,
} from "./record-step.ts";
import type { RecordKind } from "./step-kind.ts";

const input = z.strictObject({
  object: objectName,
  id: recordId,
  values: valuesSchema,
  modes: modesSchema.optional(),
  onlyIf: onlyIfSchema.optional(),
  links: linksSchema.optional(),
});

export const updateRecord: RecordKind<z.output<typeof input>> = {
  kind: "update-record",
  effect: "record",
  title: "Update record",
  description: "Changes a record by its id. Fields that are not named stay; one that changes no value writes nothing.",
  ...recordPolicy,
  input,
  output: changeOutput,
  fixed: ["object"],
  records: [["record"], ["before"]],
  strict: ["id", "onlyIf"],
  sample: {
    input: { object: "person", id: "0197f5f0-0000-7000-8000-000000000001", values: { jobTitle: "CEO" } },
    output: {
      id: "0197f5f0-0000-7000-8000-000000000001",
      record: { jobTitle: "CEO" },
      outcome: "updated",
      changedFields: ["jobTitle"],
      before: { jobTitle: "CTO" },
    },
  },
  check(written, context) {
    const { object, issues } = checkObject(written, context);
    if (object === undefined) return issues;
    return [
      ...checkWrite(object, written, context),
      ...checkOnlyIf(written["onlyIf"], object, { ...context, at: `${context.at}.onlyIf` }),
    ];
  },
  async run(context, { object, ...rest }, seal) {
    return sealedChange(
      await update(createStepWriter(context, seal), { object: getObject(context.objects, object), ...rest }),
    );
  },
};
