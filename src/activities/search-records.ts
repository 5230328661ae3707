import { z } from "zod";
import type { CrmObject } from "../crm/objects.ts";
import { faultOfSort, listRecords } from "../crm/read.ts";
import { unknownField } from "../crm/values.ts";
import type { Issue } from "../errors.ts";
import { isJsonObject, textOf, type Json, type JsonObject } from "../json.ts";
import { checkSelection, selectionInput, selectRecords } from "./record-selection.ts";
import { checkObject, longMs, objectName, recordPolicy } from "./record-step.ts";
import { searchAll } from "./search-all.ts";
import type { ReadKind } from "./step-kind.ts";

const input = z.strictObject({
  object: objectName,
  ...selectionInput,
  sort: z
    .array(z.strictObject({ field: z.string().min(1), direction: z.enum(["asc", "desc"]).default("asc") }))
    .max(5)
    .optional(),
  fields: z.array(z.string().min(1)).max(100).optional(),
  limit: z.number().int().min(1).max(200).default(60),
  all: z.boolean().default(false),
});

export const searchRecords: ReadKind<z.output<typeof input>> = {
  kind: "search-records",
  effect: "read",
  title: "Search records",
  description:
    "Finds records of one object, by a filter, a view and words that they hold: the first of them, or all. Changes nothing.",
  ...recordPolicy,
  quick: (written) => written["all"] !== true,
  timeoutFor: (written) => (written["all"] === true ? longMs : recordPolicy.timeoutMs),
  input,
  output: z.object({
    records: z.array(z.record(z.string(), z.unknown())),
    first: z.record(z.string(), z.unknown()).nullable(),
    total: z.number(),
    totalIsEstimate: z.boolean(),
  }),
  fixed: ["object", "all"],
  records: [["first"], ["records", "*"]],
  strict: ["filter"],
  sample: {
    input: {
      object: "person",
      filter: { field: "emails.primaryEmail", operator: "equals", value: "ada@example.com" },
      limit: 1,
    },
    output: { records: [], first: null, total: 0, totalIsEstimate: false },
  },
  check(written, context) {
    const { object, issues } = checkObject(written, context);
    if (object === undefined) return issues;
    return [
      ...checkFields(object, written["fields"], `${context.at}.fields`),
      ...checkSort(object, written["sort"], `${context.at}.sort`),
      ...checkSelection(written, object, context),
      ...checkAll(written, context.at),
    ];
  },
  async run(context, { fields, limit, all, ...asked }) {
    const selected = await selectRecords(context, asked);
    if (all) return searchAll(context, { selection: selected, fields });
    const page = await listRecords(context.sql, { ...selected, limit });
    const records = fields === undefined ? page.records : page.records.map((record) => pick(record, fields));
    const { total, totalIsEstimate } = page;
    const count = `${totalIsEstimate ? "about " : ""}${total} found`;
    return { output: { records, first: records[0] ?? null, total, totalIsEstimate }, outcome: count };
  },
};

/** All records come in the order of their ids, so that none is missed or comes twice while others change. */
function checkAll(written: JsonObject, at: string): Issue[] {
  if (written["all"] !== true) return [];
  return ["sort", "limit"]
    .filter((key) => written[key] !== undefined)
    .map((key) => ({
      path: `${at}.${key}`,
      message: `leave "${key}" out: "all" gives every record, in the order of their ids`,
    }));
}

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
