import { z } from "zod";
import { createRecord as create } from "../crm/operations.ts";
import {
  changeOutput,
  checkObject,
  checkRequired,
  checkWrite,
  createStepWriter,
  getObject,
  linksSchema,
  modesSchema,
  objectName,
  recordPolicy,
  sealedChange,
  valuesSchema,
} from "./record-step.ts";
import type { RecordKind } from "./step-kind.ts";

const input = z.strictObject({
  object: objectName,
  values: valuesSchema,
  ifExists: z.enum(["fail", "use", "update"]).default("fail"),
  modes: modesSchema.optional(),
  links: linksSchema.optional(),
});

export const createRecord: RecordKind<z.output<typeof input>> = {
  kind: "create-record",
  effect: "record",
  title: "Create record",
  description:
    "Makes a record. When a unique field's value is taken it fails, or uses or updates the record that has it.",
  ...recordPolicy,
  input,
  output: changeOutput,
  fixed: ["object", "ifExists"],
  records: [["record"]],
  sample: {
    input: {
      object: "person",
      ifExists: "update",
      values: { emails: { primaryEmail: "ada@example.com" }, jobTitle: "CTO" },
    },
    output: {
      id: "0197f5f0-0000-7000-8000-000000000001",
      record: { jobTitle: "CTO" },
      outcome: "created",
      changedFields: ["emails", "jobTitle"],
      before: null,
    },
  },
  check(written, context) {
    const { object, issues } = checkObject(written, context);
    if (object === undefined) return issues;
    return [
      ...checkWrite(object, written, context),
      ...checkRequired(object, written["values"], `${context.at}.values`),
    ];
  },
  async run(context, { object, ...rest }, seal) {
    return sealedChange(
      await create(createStepWriter(context, seal), { object: getObject(context.objects, object), ...rest }),
    );
  },
};
