import { itemWindow } from "../definition/interpret.ts";
import type { Verdict } from "../definition/plan.ts";
import { FencedError } from "../errors.ts";
import type { Json } from "../json.ts";
import type { Sql } from "../sql.ts";
import { beginGated, type RunKey, type StepFailure, type StepRow } from "./ledger.ts";

/** Items of a loop at most (DESIGN.md §7). */
export const mostItems = 100_000;

/** How many items a page of results holds. */
const pageSize = 200;
/** Results beyond this many bytes are kept as pages. */
const mostBytes = 262_144;

/** The loop and the number of an item, by its path: `each[42]`. */
export function itemAt(path: string): { loop: string; index: number } {
  const bracket = path.lastIndexOf("[");
  return { loop: path.slice(0, bracket), index: Number(path.slice(bracket + 1, -1)) };
}

type Items = Extract<Verdict, { kind: "items" }>;

/**
 * How far a loop is: its first item that is not over, and those after it that are. Whatever did its
 * items began them in order, and none too far ahead (`itemWindow`): so a look at the last ones tells.
 */
export async function findProgress(
  sql: Sql,
  { runId, path, count }: { runId: string; path: string; count: number },
): Promise<Items> {
  const { rows } = await sql.query<{ item: number; failed: boolean }>({
    name: "loop_progress",
    text: `with last as (
        select s.item from tandem.step_results s where s.run_id = $1::uuid and s.item_of = $2::text order by s.item desc limit 1
      )
      select s.item, s.status = 'failed' as failed from last l join tandem.step_results s
        on s.run_id = $1::uuid and s.item_of = $2::text and s.item > l.item - ${2 * itemWindow}
      order by s.item`,
    values: [runId, path],
  });
  const over = new Set(rows.map(({ item }) => item));
  const last = rows.at(-1)?.item ?? -1;
  let from = Math.max(0, last - itemWindow + 1);
  while (over.has(from)) from += 1;
  const done = rows.flatMap(({ item }) => (item > from ? [item] : []));
  return {
    kind: "items",
    count,
    from,
    ...(done.length === 0 ? {} : { done }),
    ...(rows.some(({ failed }) => failed) ? { failed: true } : {}),
  };
}

/** The failure that ended a loop: that of its opening, or of its first item that failed. */
export async function findLoopFailure(
  sql: Sql,
  { runId, path, unlessItems }: { runId: string; path: string; unlessItems: boolean },
): Promise<StepFailure | undefined> {
  const { rows } = await sql.query<{ error: StepFailure; item: number | null }>({
    name: "loop_failure",
    text: `select s.error, s.item from tandem.step_results s
      where s.run_id = $1::uuid and s.status = 'failed' and (s.path = $2::text || '.open' or ($3::boolean and s.item_of = $2::text))
      order by s.item nulls first limit 1`,
    values: [runId, path, !unlessItems],
  });
  const [row] = rows;
  if (row === undefined) return undefined;
  const { error, item } = row;
  return item === null ? error : { ...error, index: item, message: `Item ${item}: ${error.message}` };
}

/** Closes a loop: what its items gave, which failed and how many there were, put together by the database. */
export async function sealLoop(sql: Sql, key: RunKey, row: Omit<StepRow, "output" | "error">): Promise<Json> {
  const statement = beginGated(key);
  const p = statement.param;
  const path = p(row.path, "text");
  statement.with(
    "items",
    `select s.item, s.status, s.output, s.input, s.error from gate g join tandem.step_results s on s.run_id = g.run_id and s.item_of = ${path}`,
  );
  statement.with(
    "given",
    `select 'results' as name, row_number() over (order by item) - 1 as position, coalesce(output, 'null'::jsonb) as value from items
     union all
     select 'failures', row_number() over (order by item) - 1,
       jsonb_build_object('index', item, 'item', input, 'error', error) from items where status = 'failed'`,
  );
  statement.with(
    "sizes",
    `select name, count(*)::integer as count, sum(octet_length(value::text)) > ${mostBytes} as paged from given group by name`,
  );
  statement.with(
    "paged",
    `insert into tandem.step_lists (run_id, path, name, page, first, items)
     select g.run_id, ${path}, v.name, v.position / ${pageSize}, min(v.position), jsonb_agg(v.value order by v.position)
     from gate g, given v join sizes z on z.name = v.name and z.paged group by 1, 2, 3, 4`,
  );
  const list = (name: string): string => `coalesce((
      select case when z.paged then jsonb_build_object('count', z.count)
        else (select jsonb_agg(v.value order by v.position) from given v where v.name = z.name) end
      from sizes z where z.name = '${name}'), '[]'::jsonb)`;
  const count = (status: string): string => `count(*) filter (where status = '${status}')`;
  statement.with(
    "sealed",
    `insert into tandem.step_results (run_id, path, kind, status, outcome, verdict, output, attempts, lane, started_at, ended_at, lists)
     select g.run_id, ${path}, ${p(row.kind, "text")}, ${p(row.status, "text")},
       (select count(*) || ' items' from items), ${p(row.verdict, "jsonb")},
       jsonb_build_object('results', ${list("results")}, 'failures', ${list("failures")}, 'counts', (
         select jsonb_build_object('total', count(*), 'succeeded', ${count("done")}, 'failed', ${count("failed")}, 'filtered', ${count("skipped")}) from items)),
       ${p(row.attempts, "integer")}, ${p(row.lane, "text")}, ${p(row.startedAt, "timestamptz")}, clock_timestamp(),
       (select jsonb_object_agg(name, count) from sizes where paged)
     from gate g returning output`,
  );
  const { rows } = await sql.query<{ output: Json }>(statement.query("select output from sealed"));
  const [closed] = rows;
  if (closed === undefined) throw new FencedError("The run is not open any more: its loop is not closed.");
  return closed.output;
}

/** Pages of items that were read, by the path of their loop's opening. */
export type ItemPages = Map<string, { readonly first: number; readonly items: readonly Json[] }>;

/** An item of a loop, by the path of the loop's opening. `pages` keeps what comes with it. */
export async function readItem(
  sql: Sql,
  { runId, path, index }: { runId: string; path: string; index: number },
  pages: ItemPages = new Map(),
): Promise<Json> {
  const known = pages.get(path);
  const page = known !== undefined && known.items[index - known.first] !== undefined ? known : undefined;
  const read = page ?? (await readPage(sql, { runId, path, index }));
  pages.set(path, read);
  return read.items[index - read.first] ?? null;
}

async function readPage(
  sql: Sql,
  { runId, path, index }: { runId: string; path: string; index: number },
): Promise<{ first: number; items: Json[] }> {
  const { rows } = await sql.query<{ first: number; items: Json[] }>({
    name: "read_loop_page",
    text: `(select l.first, l.items from tandem.step_lists l
        where l.run_id = $1::uuid and l.path = $2::text and l.name = 'items' and l.first <= $3::integer order by l.page desc limit 1)
      union all
      (select 0, s.output -> 'items' from tandem.step_results s
        where s.run_id = $1::uuid and s.path = $2::text and jsonb_typeof(s.output -> 'items') = 'array')
      limit 1`,
    values: [runId, path, index],
  });
  return rows[0] ?? { first: index, items: [] };
}
