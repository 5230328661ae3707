import { z } from "zod";
import type { CrmObject } from "../crm/objects.ts";
import { upsertRecord as upsert } from "../crm/operations.ts";
import { unknownField } from "../crm/values.ts";
import type { Issue } from "../errors.ts";
import { isJsonObject, type JsonObject } from "../json.ts";
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
  onlyIf: onlyIfSchema.optional(),
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
  records: [["record"], ["before"]],
  strict: ["onlyIf"],
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
    return [
      ...checkMatch(object, written, context.at),
      ...checkWrite(object, written, context),
      ...checkOnlyIf(written["onlyIf"], object, { ...context, at: `${context.at}.onlyIf` }),
    ];
  },
  async run(context, { object, ...rest }, seal) {
    return sealedChange(
      await upsert(createStepWriter(context, seal), { object: getObject(context.objects, object), ...rest }),
    );
  },
};

/** What is matched must be a field whose value is written too. */
function checkMatch(object: CrmObject, { match, values }: JsonObject, at: string): Issue[] {
  const names = Array.isArray(match) ? match.map(String) : [];
  const written = isJsonObject(values) ? values : {};
  return names.flatMap((name, i) => {
    const path = `${at}.match[${i}]`;
    if (object.field(name) === undefined) return [{ path, message: unknownField(object, name) }];
    if (Object.hasOwn(written, name)) return [];
    return [{ path, message: `"${name}" is matched, so it must stand in values` }];
  });
}
