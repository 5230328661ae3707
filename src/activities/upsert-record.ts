import { z } from "zod";
import { upsertRecord as upsert } from "../crm/operations.ts";
import { unknownField } from "../crm/values.ts";
import { isJsonObject } from "../json.ts";
import {
  changeOutput,
  checkObject,
  checkWrittenValues,
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
  match: z.array(z.string().min(1)).min(1).max(5),
  values: valuesSchema,
  modes: modesSchema.optional(),
  links: linksSchema.optional(),
});

export const upsertRecord: RecordKind<z.output<typeof input>> = {
  kind: "upsert-record",
  effect: "record",
  title: "Upsert record",
  description:
    "Updates the record that has the same values in the match fields, unique or not, else makes it. Two at once make one.",
  ...recordPolicy,
  input,
  output: changeOutput,
  fixed: ["object", "match"],
  sample: {
    input: { object: "company", match: ["name"], values: { name: "Bar & Sons" } },
    output: {
      id: "0197f5f0-0000-7000-8000-000000000002",
      record: { name: "Bar & Sons" },
      outcome: "created",
      changedFields: ["name"],
      before: null,
    },
  },
  check(written, context) {
    const { object, issues } = checkObject(written, context);
    if (object === undefined) return issues;
    const match = Array.isArray(written["match"]) ? written["match"].map(String) : [];
    const values = isJsonObject(written["values"] ?? null) ? (written["values"] as object) : {};
    const faults = match.flatMap((name, i) => {
      if (object.field(name) === undefined)
        return [{ path: `${context.at}.match[${i}]`, message: unknownField(object, name) }];
      return Object.hasOwn(values, name)
        ? []
        : [{ path: `${context.at}.match[${i}]`, message: `"${name}" is matched, so it must stand in values` }];
    });
    return [...faults, ...checkWrittenValues(object, written["values"], `${context.at}.values`)];
  },
  async run(context, { object, ...rest }, seal) {
    return sealedChange(
      await upsert(createStepWriter(context, seal), { object: getObject(context.objects, object), ...rest }),
    );
  },
};
