import { z } from "zod";
import { itemWindow } from "../definition/interpret.ts";
import type { Verdict } from "../definition/plan.ts";
import { FencedError } from "../errors.ts";
import type { Json, JsonObject } from "../json.ts";
import type { Sql } from "../sql.ts";
import { beginGated, endAttempt, type RunKey, type StepFailure, type StepRow } from "./ledger.ts";
import type { LongList } from "./long-lists.ts";
import { pageBytes, pageItems, readListPage, type ReadPage } from "./step-lists.ts";

/** Items of a loop at most (DESIGN.md §7). */
export const mostItems = 100_000;

/** How items come out, and how the ledger writes it. */
export const itemStatuses = { succeeded: "done", failed: "failed", filtered: "skipped" } as const;

/** JSON of what an item hands out at most, in bytes. */
export const mostItemBytes = 1_048_576;

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
     select g.run_id, ${path}, v.name, v.position / ${pageItems} + v.upto / ${pageBytes}, min(v.position), jsonb_agg(v.value order by v.position)
     from gate g, (
       select name, position, value, sum(octet_length(value::text)) over (partition by name order by position) as upto from given
     ) v join sizes z on z.name = v.name and z.paged group by 1, 2, 3, 4`,
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
  endAttempt(statement, { path: row.path, attempt: row.attempt, error: null });
  const { rows } = await sql.query<{ output: Json }>(statement.query("select output from sealed"));
  const [closed] = rows;
  if (closed === undefined) throw new FencedError("The run is not open any more: its loop is not closed.");
  return closed.output;
}

/** Where the items of a loop are: in its opening's row, or in pages. */
export type LoopItems =
  | { readonly inline: readonly Json[] }
  | {
      readonly list: Omit<LongList, "count">;
      readonly count: number;
      /** The list is given to the loop's body this many at a time. */
      readonly batch: number;
      /** The page that was read last. */
      page?: ReadPage;
    };

/** Items that were read before, by the paths of their loops' openings. */
export type ItemPages = Map<string, LoopItems>;

/** What an opening keeps of a list that an earlier step has as pages: the list itself stays where it is. */
export function referTo({ path, name, count }: LongList, batch: number | undefined): JsonObject {
  return { list: { path, name, count, batch: batch ?? null } };
}

/** An item of a loop, or a batch, by the path of the loop's opening. `pages` keeps what comes with it. */
export async function readItem(
  sql: Sql,
  { runId, path, index }: { runId: string; path: string; index: number },
  pages: ItemPages = new Map(),
): Promise<Json> {
  const items = pages.get(path) ?? (await findItems(sql, runId, path));
  pages.set(path, items);
  if ("inline" in items) return items.inline[index] ?? null;
  const { batch, count, list } = items;
  if (batch === 0) return (await pageWith(sql, { runId, items, index }))[0] ?? null;
  const read: Json[] = [];
  const [from, to] = [index * batch, Math.min((index + 1) * batch, count)];
  while (from + read.length < to) {
    const found = await pageWith(sql, { runId, items, index: from + read.length });
    if (found.length === 0) throw new Error(`Run ${runId}: the list "${list.name}" of ${list.path} ends too soon.`);
    read.push(...found.slice(0, to - from - read.length));
  }
  return read;
}

/** Items of the page that has this one, from it on. */
async function pageWith(
  sql: Sql,
  { runId, items, index }: { runId: string; items: Exclude<LoopItems, { inline: readonly Json[] }>; index: number },
): Promise<Json[]> {
  const { page, list } = items;
  const holds = page !== undefined && index >= page.first && index < page.first + page.items.length;
  const read = holds ? page : await readListPage(sql, { runId, ...list, index });
  if (read === undefined) return [];
  items.page = read;
  return read.items.slice(index - read.first);
}

const openedSchema = z.object({
  items: z.union([z.array(z.json()), z.object({ count: z.number() })]).optional(),
  list: z.object({ path: z.string(), name: z.string(), count: z.number(), batch: z.number().nullable() }).optional(),
});

async function findItems(sql: Sql, runId: string, path: string): Promise<LoopItems> {
  const { rows } = await sql.query<{ output: Json }>({
    name: "find_loop_items",
    text: "select output from tandem.step_results where run_id = $1::uuid and path = $2::text",
    values: [runId, path],
  });
  return itemsOf(path, rows[0]?.output);
}

/** Where the items are, by the output of the loop's opening. */
export function itemsOf(path: string, output: Json | undefined): LoopItems {
  const { items = [], list } = openedSchema.parse(output);
  if (list !== undefined)
    return { list: { path: list.path, name: list.name }, count: list.count, batch: list.batch ?? 0 };
  if (Array.isArray(items)) return { inline: items };
  return { list: { path, name: "items" }, count: items.count, batch: 0 };
}
