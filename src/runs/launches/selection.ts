import { z } from "zod";
import { recordConditionSchema } from "../../definition/conditions.ts";
import { didYouMean } from "../../definition/suggest.ts";
import { countRecords } from "../../crm/count.ts";
import { filterSql } from "../../crm/filter.ts";
import { faultsOfFilter } from "../../crm/filter-faults.ts";
import type { CrmObject, Objects } from "../../crm/objects.ts";
import type { Selection as RecordSelection } from "../../crm/selection.ts";
import { findView, listViewNames } from "../../crm/views.ts";
import { StepError, type Issue } from "../../errors.ts";
import type { Json, JsonObject } from "../../json.ts";
import type { Sql } from "../../sql.ts";
import type { Workspace } from "../../workspace.ts";
import type { ManualSettings } from "../../triggers/manual.ts";
import type { LaunchRequest } from "./request.ts";

/** Which records a launch concerns, as it is kept; the ids are kept beside it, in order. */
export type Selection = { readonly view: string } | { readonly filter: Json } | { readonly ids: true };

const stored = z.union([
  z.strictObject({ view: z.string() }),
  z.strictObject({ filter: recordConditionSchema }),
  z.strictObject({ ids: z.literal(true) }),
]);

interface Place {
  readonly workspace: Workspace;
  readonly objects: Objects;
}

/** What a launch selects, and what is wrong with that. */
export interface Selected {
  readonly object: CrmObject | undefined;
  readonly selection: Selection | null;
  /** Distinct and in order. */
  readonly ids: readonly string[] | null;
  readonly issues: readonly Issue[];
}

/** Reads a request's selection by what the trigger is for; changes nothing. */
export async function readSelection(
  sql: Sql,
  { workspace, objects }: Place,
  { trigger, request }: { trigger: ManualSettings; request: LaunchRequest },
): Promise<Selected> {
  const ways = (["ids", "view", "filter"] as const).filter((way) => request[way] !== undefined);
  const refused = (path: string, message: string): Selected => ({
    object: undefined,
    selection: null,
    ids: null,
    issues: [{ path, message }],
  });
  if (trigger.availability === "global") {
    if (ways[0] !== undefined) return refused(ways[0], "this workflow is launched without records: leave it out");
    return { object: undefined, selection: null, ids: null, issues: [] };
  }
  const name = trigger.object ?? "";
  const object = objects.find(name);
  if (object === undefined) return refused("", `there is no object "${name}" any more: mend the workflow's trigger`);
  const [way, other] = ways;
  if (way === undefined) return refused("", `say which records of ${name}: by "ids", "view" or "filter"`);
  if (other !== undefined) return refused(other, `is one way too many to select records: "${way}" is there already`);
  if (request.ids !== undefined) {
    const ids = [...new Set(request.ids.map((id) => id.toLowerCase()))].toSorted();
    return { object, selection: { ids: true }, ids, issues: [] };
  }
  if (request.view !== undefined) {
    const issues = await faultsOfView(sql, { workspace, object, name: request.view });
    return { object, selection: { view: request.view }, ids: null, issues };
  }
  const filter = request.filter as Json;
  return {
    object,
    selection: { filter },
    ids: null,
    issues: faultsOfFilter(filter, { objects, object, at: "filter" }),
  };
}

async function faultsOfView(
  sql: Sql,
  { workspace, object, name }: { workspace: Workspace; object: CrmObject; name: string },
): Promise<Issue[]> {
  if ((await findView(sql, object, name)) !== undefined) return [];
  const known = (await listViewNames(sql, workspace.id)).get(object.name) ?? [];
  return [{ path: "view", message: `${object.name} has no view "${name}"${didYouMean(name, known)}` }];
}

/** How many records are selected, by estimate where counting takes long. */
export async function countSelected(
  sql: Sql,
  { objects }: Pick<Place, "objects">,
  { object, selection, ids }: Omit<Selected, "issues">,
): Promise<{ count: number | null; isEstimate: boolean }> {
  if (object === undefined || selection === null) return { count: null, isEstimate: false };
  if (ids !== null) return { count: ids.length, isEstimate: false };
  return countRecords(sql, await recordsOf(sql, { objects, object, selection: { ...selection } }));
}

/**
 * A kept selection as the CRM reads it, but for the ids: the view's filter and search are as they are
 * now. Throws StepError where the view or a field is gone.
 */
export async function recordsOf(
  sql: Sql,
  { objects, object, selection }: { objects: Objects; object: CrmObject; selection: JsonObject },
): Promise<RecordSelection> {
  const kept = stored.parse(selection);
  if ("ids" in kept) return { objects, object };
  if ("filter" in kept) return { objects, object, where: kept.filter, at: "filter" };
  const view = await findView(sql, object, kept.view);
  if (view === undefined)
    throw new StepError(
      "unknown-view",
      `${object.name} has no view "${kept.view}" any more. Launch it again by another.`,
    );
  const { filter, search } = view;
  return {
    objects,
    object,
    ...(search === null ? {} : { search }),
    ...(filter === null
      ? {}
      : {
          where: (statement, alias) =>
            filterSql(filter, {
              statement,
              objects,
              object,
              alias,
              at: `view "${view.name}": filter`,
              days: "refused",
            }),
        }),
  };
}
