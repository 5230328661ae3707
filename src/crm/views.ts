import { z } from "zod";
import { recordConditionSchema, type RecordCondition } from "../definition/conditions.ts";
import { at as placeOf, ProblemError, type Issue } from "../errors.ts";
import { createId } from "../ids.ts";
import type { Json } from "../json.ts";
import { sqlState, type Sql } from "../sql.ts";
import { faultsOfFilter } from "./filter-faults.ts";
import { faultOfSort } from "./keyset.ts";
import type { CrmObject, Objects } from "./objects.ts";
import { unknownField } from "./values.ts";

const sortSchema = z.strictObject({
  field: z.string().min(1).max(200),
  direction: z.enum(["asc", "desc"]).default("asc"),
  nulls: z.enum(["first", "last"]).exactOptional(),
});

/** What a view is made of, besides its object and name. */
export const viewShape = {
  label: z.string().min(1).max(200),
  filter: recordConditionSchema.nullable(),
  sort: z.array(sortSchema).max(5),
  columns: z.array(z.string().min(1).max(200)).max(100),
  search: z.string().min(1).max(1_000).nullable(),
};
export const viewName = z
  .string()
  .regex(/^[a-z][a-zA-Z0-9-]{0,63}$/, "letters, digits and hyphens, beginning with a small letter: hot-leads");

const viewContent = z.object(viewShape);
/** A saved filter, sort and columns of an object. */
export interface View extends z.output<typeof viewContent> {
  readonly id: string;
  /** Name of the object. */
  readonly object: string;
  /** Unique for its object. */
  readonly name: string;
  readonly createdAt: string;
  readonly updatedAt: string;
}

const viewRow = viewContent.extend({
  id: z.string(),
  object: z.string(),
  name: z.string(),
  createdAt: z.date().transform((date) => date.toISOString()),
  updatedAt: z.date().transform((date) => date.toISOString()),
});

const columns = `v.id, o.name as object, v.name, v.label, v.filter, v.sort, v.columns, v.search,
  v.created_at as "createdAt", v.updated_at as "updatedAt"`;
const source = "tandem.views v join tandem.objects o on o.id = v.object_id and o.state = 'active'";

interface ViewQuery {
  readonly workspaceId: string;
  readonly objectId: string | undefined;
  /** The id of the one that they come after. */
  readonly after: string | undefined;
  readonly limit: number;
}

/** Views of a workspace, or of one object, oldest first. */
export async function listViews(sql: Sql, { workspaceId, objectId, after, limit }: ViewQuery): Promise<View[]> {
  const { rows } = await sql.query(
    `select ${columns} from ${source} where v.workspace_id = $1::uuid and ($2::uuid is null or v.object_id = $2)
       and ($3::uuid is null or v.id > $3) order by v.id limit $4`,
    [workspaceId, objectId ?? null, after ?? null, limit],
  );
  return z.array(viewRow).parse(rows);
}

/** Throws ProblemError 404. */
export async function getView(sql: Sql, workspaceId: string, id: string): Promise<View> {
  const { rows } = await sql.query(`select ${columns} from ${source} where v.workspace_id = $1::uuid and v.id = $2`, [
    workspaceId,
    id,
  ]);
  const [row] = rows;
  if (row === undefined) throw viewNotFound(id);
  return viewRow.parse(row);
}

/** A view of an object by its name. */
export async function findView(sql: Sql, object: CrmObject, name: string): Promise<View | undefined> {
  const { rows } = await sql.query({
    name: "find_view",
    text: `select ${columns} from ${source} where v.object_id = $1::uuid and v.name = $2`,
    values: [object.id, name],
  });
  return rows[0] === undefined ? undefined : viewRow.parse(rows[0]);
}

/** The names of the views of every object that has some, by the object's name. */
export type ViewNames = ReadonlyMap<string, readonly string[]>;

export async function listViewNames(sql: Sql, workspaceId: string): Promise<ViewNames> {
  const { rows } = await sql.query<{ object: string; names: string[] }>(
    `select o.name as object, array_agg(v.name order by v.name) as names from ${source} where v.workspace_id = $1::uuid group by o.name`,
    [workspaceId],
  );
  return new Map(rows.map(({ object, names }) => [object, names]));
}

interface Place {
  readonly sql: Sql;
  readonly workspaceId: string;
  readonly objects: Objects;
}

type ViewContent = z.output<typeof viewContent>;

/** Throws ProblemError: 422 with the place of each fault, 409 the name is taken. */
export async function createView(
  { sql, workspaceId, objects }: Place,
  { object, name, ...content }: ViewContent & { object: CrmObject; name: string },
): Promise<View> {
  refuseFaults(object, objects, content);
  const id = createId();
  const { label, filter, sort, columns: shown, search } = content;
  await unlessTaken({ object: object.name, name }, () =>
    sql.query(
      `insert into tandem.views (id, workspace_id, object_id, name, label, filter, sort, columns, search)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
      [id, workspaceId, object.id, name, label, json(filter), json(sort), json(shown), search],
    ),
  );
  return getView(sql, workspaceId, id);
}

/** What is not named stays. Throws ProblemError: 404, 409, 422 as `createView` does. */
export async function changeView(
  { sql, workspaceId, objects }: Place,
  id: string,
  change: { readonly [Key in keyof ViewContent | "name"]?: View[Key] | undefined },
): Promise<View> {
  const given = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
  const view: View = { ...(await getView(sql, workspaceId, id)), ...given };
  const object = objects.find(view.object);
  if (object === undefined) throw viewNotFound(id);
  refuseFaults(object, objects, view);
  await unlessTaken(view, () =>
    sql.query(
      `update tandem.views set name = $3, label = $4, filter = $5, sort = $6, columns = $7, search = $8, updated_at = now()
       where id = $1 and workspace_id = $2`,
      [id, workspaceId, view.name, view.label, json(view.filter), json(view.sort), json(view.columns), view.search],
    ),
  );
  return getView(sql, workspaceId, id);
}

/** Throws ProblemError 404. */
export async function deleteView(sql: Sql, workspaceId: string, id: string): Promise<void> {
  const { rowCount } = await sql.query("delete from tandem.views where id = $1 and workspace_id = $2", [
    id,
    workspaceId,
  ]);
  if (rowCount === 0) throw viewNotFound(id);
}

function json(value: RecordCondition | readonly Json[] | null | object): string | null {
  return value === null ? null : JSON.stringify(value);
}

function refuseFaults(object: CrmObject, objects: Objects, content: ViewContent): void {
  const issues = faultsOfView(object, objects, content);
  if (issues.length > 0) throw new ProblemError(422, "invalid-view", "The view is not valid.", { issues });
}

function faultsOfView(
  object: CrmObject,
  objects: Objects,
  { filter, sort, columns: shown, search }: ViewContent,
): Issue[] {
  const ofFilter = filter === null ? [] : faultsOfFilter(filter as Json, { object, objects, at: "filter" });
  const ofSort = sort.flatMap(({ field }, i) => {
    const message = faultOfSort(object, field);
    return message === undefined ? [] : [{ path: `${placeOf("sort", i)}.field`, message }];
  });
  const ofColumns = shown.flatMap((name, i) =>
    name === "id" || object.field(name) !== undefined
      ? []
      : [{ path: placeOf("columns", i), message: unknownField(object, name) }],
  );
  const isBlind = search !== null && !object.fields.some(({ searchable }) => searchable);
  const ofSearch = isBlind ? [{ path: "search", message: `no field of ${object.name} is searchable` }] : [];
  return [...ofFilter, ...ofSort, ...ofColumns, ...ofSearch];
}

async function unlessTaken(view: { object: string; name: string }, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (sqlState(error)?.code !== "23505") throw error;
    throw new ProblemError(
      409,
      "name-taken",
      `There is a view "${view.name}" of ${view.object} already. Choose another name, or change that one.`,
    );
  }
}

function viewNotFound(id: string): ProblemError {
  return new ProblemError(404, "view-not-found", `There is no view ${id}.`);
}
