import { z } from "zod";
import { filterSql } from "../crm/filter.ts";
import type { CrmObject, Objects } from "../crm/objects.ts";
import { faultOfSort, listRecords, type ListRequest, type Where } from "../crm/read.ts";
import { foundSql } from "../crm/search.ts";
import { unknownField } from "../crm/values.ts";
import { findView, listViewNames, type View } from "../crm/views.ts";
import { recordConditionSchema, type RecordCondition } from "../definition/conditions.ts";
import { didYouMean, sentence } from "../definition/suggest.ts";
import { StepError, type Issue } from "../errors.ts";
import { isJsonObject, textOf, type Json, type JsonObject } from "../json.ts";
import { checkFilter } from "./check-filter.ts";
import { checkObject, getObject, objectName, recordPolicy } from "./record-step.ts";
import type { CheckContext, ReadKind, StepContext } from "./step-kind.ts";

const input = z.strictObject({
  object: objectName,
  view: z.string().min(1).max(64).optional(),
  filter: recordConditionSchema.optional(),
  search: z.string().max(1_000).optional(),
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
  description: "Finds records of one object, by a filter, a view and words that they hold. Changes nothing.",
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
    output: { records: [], first: null, total: 0, totalIsEstimate: false },
  },
  check(written, context) {
    const { object, issues } = checkObject(written, context);
    if (object === undefined) return issues;
    return [
      ...checkView(object, written["view"], context),
      ...checkSearch(object, written["search"], `${context.at}.search`),
      ...checkFields(object, written["fields"], `${context.at}.fields`),
      ...checkSort(object, written["sort"], `${context.at}.sort`),
      ...checkFilter(written["filter"], object, { ...context, at: `${context.at}.filter` }),
    ];
  },
  async run(context, { object: name, view: viewName, fields, limit, filter, search, sort }) {
    const { sql, objects } = context;
    const object = getObject(objects, name);
    const view = viewName === undefined ? undefined : await getView(context, object, viewName);
    const asked = within(view, { objects, object, filter, search, sort });
    const page = await listRecords(sql, { objects, object, limit, ...asked });
    const records = fields === undefined ? page.records : page.records.map((record) => pick(record, fields));
    const { total, totalIsEstimate } = page;
    const count = `${totalIsEstimate ? "about " : ""}${total} found`;
    return { output: { records, first: records[0] ?? null, total, totalIsEstimate }, outcome: count };
  },
};

interface Asked {
  readonly objects: Objects;
  readonly object: CrmObject;
  readonly filter: RecordCondition | undefined;
  readonly search: string | undefined;
  readonly sort: ListRequest["sort"];
}

/** What is asked for, within a view: both must hold. The view's order holds where the step has none. */
function within(view: View | undefined, asked: Asked): Pick<ListRequest, "where" | "search" | "sort"> {
  const { filter, search, sort } = asked;
  if (view === undefined) return { where: filter, search, sort };
  return { where: bothHold(view, asked), search: search ?? view.search ?? undefined, sort: sort ?? view.sort };
}

function bothHold(view: View, { objects, object, filter, search }: Asked): Where {
  return (statement, alias) => {
    const context = { statement, objects, object, alias, days: "refused" } as const;
    const conditions: string[] = [];
    // Fields may have gone since the view was saved: its faults name it.
    if (view.filter !== null)
      conditions.push(filterSql(view.filter, { ...context, at: `view "${view.name}": filter` }));
    if (view.search !== null && search !== undefined) conditions.push(foundSql(statement, object, view.search));
    if (filter !== undefined) conditions.push(filterSql(filter, { ...context, at: "filter" }));
    return conditions.length === 0 ? "true" : conditions.join(" and ");
  };
}

async function getView({ sql, workspace }: StepContext, object: CrmObject, name: string): Promise<View> {
  const view = await findView(sql, object, name);
  if (view !== undefined) return view;
  const known = (await listViewNames(sql, workspace.id)).get(object.name) ?? [];
  throw new StepError("unknown-view", sentence(`${object.name} has no view "${name}"${didYouMean(name, known)}`));
}

function checkView(object: CrmObject, view: Json | undefined, { views, at }: CheckContext): Issue[] {
  const name = textOf(view ?? null);
  if (name === undefined || views === undefined) return [];
  const known = views.get(object.name) ?? [];
  if (known.includes(name)) return [];
  const meant = didYouMean(name, known);
  return [{ path: `${at}.view`, message: `${object.name} has no view "${name}"${meant}` }];
}

function checkSearch(object: CrmObject, search: Json | undefined, at: string): Issue[] {
  if (search === undefined || object.fields.some(({ searchable }) => searchable)) return [];
  return [{ path: at, message: `no field of ${object.name} is searchable` }];
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
