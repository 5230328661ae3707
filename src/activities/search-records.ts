import { z } from "zod";
import type { CrmObject } from "../crm/objects.ts";
import { faultOfSort, listRecords } from "../crm/read.ts";
import { unknownField } from "../crm/values.ts";
import { recordConditionSchema } from "../definition/conditions.ts";
import type { Issue } from "../errors.ts";
import { isJsonObject, textOf, type Json, type JsonObject } from "../json.ts";
import { checkFilter } from "./check-filter.ts";
import { checkObject, getObject, objectName, recordPolicy } from "./record-step.ts";
import type { ReadKind } from "./step-kind.ts";

const input = z.strictObject({
  object: objectName,
  filter: recordConditionSchema.optional(),
  sort: z
    .array(z.strictObject({ field: z.string().min(1), direction: z.enum(["asc", "desc"]).default("asc") }))
    .max(5)
    .optional(),
  fields: z.array(z.string().min(1)).max(100).optional(),
  limit: z.number().int().min(1).max(200).default(60),
});

export const searchRecords: ReadKind<z.output<typeof input>> = {
  kind: "search-records",
  effect: "read",
  title: "Search records",
  description: "Finds records of one object. Changes nothing.",
  ...recordPolicy,
  input,
  output: z.object({
    records: z.array(z.record(z.string(), z.unknown())),
    first: z.record(z.string(), z.unknown()).nullable(),
    total: z.number(),
  }),
  fixed: ["object"],
  records: [["first"], ["records", "*"]],
  strict: ["filter"],
  sample: {
    input: {
      object: "person",
      filter: { field: "emails.primaryEmail", operator: "equals", value: "ada@example.com" },
      limit: 1,
    },
    output: { records: [], first: null, total: 0 },
  },
  check(written, context) {
    const { object, issues } = checkObject(written, context);
    if (object === undefined) return issues;
    return [
      ...checkFields(object, written["fields"], `${context.at}.fields`),
      ...checkSort(object, written["sort"], `${context.at}.sort`),
      ...checkFilter(written["filter"], object, { ...context, at: `${context.at}.filter` }),
    ];
  },
  async run({ sql, objects }, { object: name, filter, sort, fields, limit }) {
    const object = getObject(objects, name);
    const page = await listRecords(sql, { objects, object, where: filter, sort, limit });
    const records = fields === undefined ? page.records : page.records.map((record) => pick(record, fields));
    const count = page.total === 1 ? "1 found" : `${page.total} found`;
    return { output: { records, first: records[0] ?? null, total: page.total }, outcome: count };
  },
};

function checkFields(object: CrmObject, fields: Json | undefined, at: string): Issue[] {
  const names = Array.isArray(fields) ? fields.map(String) : [];
  return names.flatMap((name, i) => {
    const isKnown = name === "id" || name.includes("{{") || object.field(name) !== undefined;
    return isKnown ? [] : [{ path: `${at}[${i}]`, message: unknownField(object, name) }];
  });
}

function checkSort(object: CrmObject, sort: Json | undefined, at: string): Issue[] {
  if (!Array.isArray(sort)) return [];
  return sort.flatMap((item, i) => {
    const field = isJsonObject(item) ? textOf(item["field"]) : undefined;
    if (field === undefined || field.includes("{{")) return [];
    const message = faultOfSort(object, field);
    return message === undefined ? [] : [{ path: `${at}[${i}].field`, message }];
  });
}

function pick(record: JsonObject, fields: readonly string[]): JsonObject {
  return Object.fromEntries(
    ["id", ...fields].flatMap((name) => (record[name] === undefined ? [] : [[name, record[name]]])),
  );
}
