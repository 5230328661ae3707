import { z } from "zod";
import { filterSql } from "../../crm/filter.ts";
import { getObjects } from "../../crm/load-objects.ts";
import type { CrmObject, Objects } from "../../crm/objects.ts";
import type { Where } from "../../crm/selection.ts";
import { exportRecords, findWritten, type ExportRequest } from "../../crm/transfer/export.ts";
import { formats } from "../../crm/transfer/settings.ts";
import { findView, type View } from "../../crm/views.ts";
import { ProblemError, StepError } from "../../errors.ts";
import type { SqlPool } from "../../sql.ts";
import { defineEndpoint, type Endpoint } from "../endpoint.ts";
import { restFilterSql } from "../rest/filter-sql.ts";
import { parseFilter } from "../rest/filter-syntax.ts";
import { id } from "../schemas.ts";
import { fileName, fileTypes, findObject } from "./files.ts";

const query = z.strictObject({
  format: z.enum(formats).default("csv"),
  view: z.string().min(1).optional().meta({ description: "Name of a view: its filter, its words, its columns" }),
  filter: z.string().min(1).optional().meta({ description: "As under /rest: `city[eq]:Berlin`" }),
  fields: z
    .string()
    .min(1)
    .optional()
    .meta({ description: "Fields or parts of them, by commas: `name,emails.primaryEmail`. The id comes first anyhow" }),
  after: id.optional().meta({ description: "The last id that a file has which was broken off: it goes on behind it" }),
  formulas: z.enum(["guarded", "raw"]).default("guarded").meta({
    description: "Of CSV: whether a text that a spreadsheet would reckon with gets an apostrophe before it",
  }),
});
type Query = z.output<typeof query>;

/** `/api/exports/{object}`: all records of an object as a file. */
export function exportEndpoints(pool: SqlPool): Endpoint[] {
  return [
    defineEndpoint({
      method: "get",
      path: "/api/exports/{object}",
      tag: "Exports",
      summary: "Records as a file, in the order of their ids",
      description:
        "Of any size. What was broken off goes on with `after`; the first row of CSV is left out then. An import takes the file as it is.",
      params: z.strictObject({ object: z.string() }),
      query,
      givesFile: Object.values(fileTypes),
      answers: {},
      refusals: { 400: "The query is not valid: an unknown field, view or filter" },
      async handle({ workspace, params, query: asked }) {
        const objects = await getObjects(pool, workspace);
        const object = findObject(objects, params.object);
        const request = await requestOf(pool, { objects, object }, asked);
        const { format } = asked;
        const name = fileName(object.plural, format);
        return { file: { type: fileTypes[format], name, pieces: refusing(exportRecords(pool, request)) } };
      },
    }),
  ];
}

async function requestOf(
  pool: SqlPool,
  place: { objects: Objects; object: CrmObject },
  { format, view: name, filter, fields, after, formulas }: Query,
): Promise<ExportRequest> {
  const { object } = place;
  const view = name === undefined ? undefined : await getView(pool, object, name);
  const paths =
    fields?.split(",").map((path) => path.trim()) ?? (view?.columns.length === 0 ? undefined : view?.columns);
  const { written, issues } = findWritten(object, paths ?? []);
  if (issues.length > 0) throw new ProblemError(400, "invalid-query", "The query is not valid.", { issues });
  return {
    ...place,
    format,
    where: whereOf(place, view, filter),
    search: view?.search ?? undefined,
    written: paths === undefined ? undefined : written,
    after,
    rawFormulas: formulas === "raw",
  };
}

async function getView(pool: SqlPool, object: CrmObject, name: string): Promise<View> {
  const view = await findView(pool, object, name);
  if (view !== undefined) return view;
  const issues = [{ path: "view", message: `${object.name} has no view "${name}"` }];
  throw new ProblemError(400, "invalid-query", "The query is not valid.", { issues });
}

/** What the view and the filter both hold of. */
function whereOf(
  { objects, object }: { objects: Objects; object: CrmObject },
  view: View | undefined,
  filter: string | undefined,
): Where {
  const node = filter === undefined ? undefined : parseFilter(filter);
  return (statement, alias) => {
    const context = { statement, objects, object, alias };
    const conditions = [
      ...(view?.filter === undefined || view.filter === null
        ? []
        : [filterSql(view.filter, { ...context, at: "view", days: "refused" })]),
      ...(node === undefined ? [] : [restFilterSql(node, context)]),
    ];
    return conditions.length === 0 ? "true" : conditions.map((condition) => `(${condition})`).join(" and ");
  };
}

/** A filter that does not fit is the caller's fault. */
async function* refusing(pieces: AsyncIterable<string>): AsyncGenerator<string, void, undefined> {
  try {
    yield* pieces;
  } catch (error) {
    if (error instanceof StepError) throw new ProblemError(400, error.code, error.message, { cause: error });
    throw error;
  }
}
