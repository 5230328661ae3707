import { z } from "zod";
import { filterSql } from "../crm/filter.ts";
import type { CrmObject, Objects } from "../crm/objects.ts";
import type { ListRequest, Selection, Where } from "../crm/read.ts";
import { foundSql } from "../crm/search.ts";
import { findView, listViewNames, type View } from "../crm/views.ts";
import { recordConditionSchema, type RecordCondition } from "../definition/conditions.ts";
import { didYouMean, sentence } from "../definition/suggest.ts";
import { StepError, type Issue } from "../errors.ts";
import { textOf, type Json, type JsonObject } from "../json.ts";
import { checkFilter } from "./check-filter.ts";
import { getObject } from "./record-step.ts";
import type { CheckContext, StepContext } from "./step-kind.ts";

/** Keys of an input that say which records of an object a step is about. */
export const selectionInput = {
  view: z.string().min(1).max(64).optional(),
  filter: recordConditionSchema.optional(),
  search: z.string().max(1_000).optional(),
};

/** What a step says of the records it is about, as its input has it. */
export interface Asked {
  readonly object: string;
  readonly view?: string | undefined;
  readonly filter?: RecordCondition | undefined;
  readonly search?: string | undefined;
  readonly sort?: ListRequest["sort"];
}

type Selected = Selection & Pick<ListRequest, "sort">;

/** The records that a step asks for; within a view, as it is now, both must hold. Throws StepError. */
export async function selectRecords(context: StepContext, asked: Asked): Promise<Selected> {
  const { objects } = context;
  const object = getObject(objects, asked.object);
  const view = asked.view === undefined ? undefined : await getView(context, object, asked.view);
  return { objects, object, ...within(view, { ...asked, objects, object }) };
}

/** What is wrong with what is asked for, as written. */
export function checkSelection(written: JsonObject, object: CrmObject, context: CheckContext): Issue[] {
  return [
    ...checkView(object, written["view"], context),
    ...checkSearch(object, written["search"], `${context.at}.search`),
    ...checkFilter(written["filter"], object, { ...context, at: `${context.at}.filter` }),
  ];
}

interface Known extends Omit<Asked, "object"> {
  readonly objects: Objects;
  readonly object: CrmObject;
}

/** What is asked for, within a view: both must hold. The view's order holds where the step has none. */
function within(view: View | undefined, asked: Known): Pick<Selected, "where" | "search" | "sort"> {
  const { filter, search, sort } = asked;
  if (view === undefined) return { where: filter, search, sort };
  return { where: bothHold(view, asked), search: search ?? view.search ?? undefined, sort: sort ?? view.sort };
}

function bothHold(view: View, { objects, object, filter, search }: Known): Where {
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
