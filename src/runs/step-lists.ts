import type { PathSegment } from "../definition/expressions.ts";
import { isJsonObject, type Json } from "../json.ts";
import type { Sql, Statement } from "../sql.ts";

/** How many items a page holds at most. */
export const pageItems = 200;
/** Bytes of JSON in a page at most; an item that is longer has a page of its own. A longer list is kept as pages. */
export const pageBytes = 1_048_576;
/** Bytes of pages that go to Postgres as one parameter, about. */
const parameterBytes = 8 * pageBytes;

/** Lengths of lists that are kept as pages, by their names. */
export type ListCounts = Readonly<Record<string, number>>;

/** A page of a list on its way to `tandem.step_lists`. */
export interface ListPage {
  readonly name: string;
  readonly page: number;
  /** Index of its first item. */
  readonly first: number;
  /** Its items as JSON, each by itself. */
  readonly items: readonly string[];
}

/** An output without its long lists, and these. */
export interface SplitOutput {
  /** In the place of a long list stands `{ count }`. */
  readonly output: Json;
  /** Null: it has no long list. */
  readonly lists: ListCounts | null;
  readonly pages: readonly ListPage[];
}

/** The name of a list: the keys that lead to it, with dots between them. */
export function listName(path: readonly PathSegment[]): string {
  return path.map((key) => String(key).replace(/[\\.]/g, "\\$&")).join(".");
}

/** The keys in a list's name. */
export function listPath(name: string): string[] {
  if (name === "") return [];
  return [...name.matchAll(/(?:^|\.)((?:\\.|[^\\.])*)/g)].map(([, key = ""]) => key.replace(/\\(.)/g, "$1"));
}

/** Takes the lists that are longer than 1 MiB out of an output: those that are reached by keys of objects only. */
export function splitLists(output: Json): SplitOutput {
  const pages: ListPage[] = [];
  const lists: Record<string, number> = {};
  const split = (value: Json, path: readonly string[]): Json => {
    if (Array.isArray(value)) {
      const own = pagesOf(value, listName(path));
      if (own === undefined) return value;
      pages.push(...own);
      lists[listName(path)] = value.length;
      return { count: value.length };
    }
    if (!isJsonObject(value)) return value;
    const parts = Object.entries(value).map(([key, part]): [string, Json] => [key, split(part, [...path, key])]);
    return parts.every(([key, part]) => part === value[key]) ? value : Object.fromEntries(parts);
  };
  const rest = split(output, []);
  return { output: rest, lists: pages.length === 0 ? null : lists, pages };
}

/** A step's input as people read it: of a long list only how many items it has. */
export function withoutLongLists(input: Json | null): Json | null {
  return input === null ? null : splitLists(input).output;
}

interface Row {
  readonly path: string;
  readonly input: Json | null;
  readonly output: Json | null;
  readonly lists?: ListCounts;
}

/** A step's row as it is kept, and the pages that go beside it. */
export function splitRow<Kept extends Row>(row: Kept): { path: string; row: Kept; pages: readonly ListPage[] } {
  const { output, lists, pages } = splitLists(row.output);
  const counts = lists === null ? {} : { lists: { ...row.lists, ...lists } };
  return { path: row.path, row: { ...row, input: withoutLongLists(row.input), output, ...counts }, pages };
}

/** The pages of a list; undefined where it is short. */
function pagesOf(list: readonly Json[], name: string): ListPage[] | undefined {
  const items = list.map((value) => JSON.stringify(value));
  const bytes = items.reduce((sum, item) => sum + sizeOf(item), 0);
  return bytes > pageBytes ? cutPages(items, { name, page: 0, first: 0 }) : undefined;
}

/** Pages of items as JSON, from the page and the index that they go on at. */
export function cutPages(
  items: readonly string[],
  { name, page, first }: { readonly name: string; readonly page: number; readonly first: number },
): ListPage[] {
  const pages: Array<ListPage & { items: string[] }> = [];
  let bytes = 0;
  for (const [index, item] of items.entries()) {
    const size = sizeOf(item);
    const last = pages.at(-1);
    if (last === undefined || last.items.length === pageItems || bytes + size > pageBytes) {
      pages.push({ name, page: page + pages.length, first: first + index, items: [item] });
      bytes = size;
    } else {
      last.items.push(item);
      bytes += size;
    }
  }
  return pages;
}

/** Bytes of an item in its page, with the comma that follows it. */
function sizeOf(item: string): number {
  return Buffer.byteLength(item) + 1;
}

/**
 * Adds the CTE `lists`, which writes the pages of steps, by their paths, if the statement's `gate` is
 * open and, where one is given, the SQL condition holds.
 */
export function addStepLists(
  statement: Statement,
  steps: ReadonlyArray<{ readonly path: string; readonly pages: readonly ListPage[] }>,
  condition = "true",
): void {
  const rows = steps.flatMap(({ path, pages }) => pages.map((page) => rowOf(path, page)));
  if (rows.length === 0) return;
  const sources = groupsOf(rows).map(
    (group) => `select r.path, r.name, r.page, r.first, r.items
      from jsonb_to_recordset(${statement.param(`[${group.join(",")}]`, "text")}::jsonb)
        as r(path text, name text, page integer, first integer, items jsonb)`,
  );
  statement.with(
    "lists",
    `insert into tandem.step_lists (run_id, path, name, page, first, items)
     select g.run_id, q.path, q.name, q.page, q.first, q.items from gate g, (${sources.join(" union all ")}) q where ${condition}`,
  );
}

/** A page's row as JSON: its items are text already, and are not made anew. */
function rowOf(path: string, { name, page, first, items }: ListPage): string {
  const head = JSON.stringify({ path, name, page, first });
  return `${head.slice(0, -1)},"items":[${items.join(",")}]}`;
}

/** Rows for one parameter each: a value of jsonb may have 256 MiB, and all of an output may have more. */
function groupsOf(rows: readonly string[]): string[][] {
  const groups: string[][] = [];
  let bytes = parameterBytes;
  for (const row of rows) {
    if (bytes >= parameterBytes) {
      groups.push([]);
      bytes = 0;
    }
    groups.at(-1)?.push(row);
    bytes += row.length;
  }
  return groups;
}

/** A list that is kept as pages. */
export interface ListPlace {
  readonly runId: string;
  /** The step's path in the run. */
  readonly path: string;
  readonly name: string;
}

/** Part of a list: items from `first` on. */
export interface ReadPage {
  readonly first: number;
  readonly items: Json[];
  /** How much JSON was read. */
  readonly bytes: number;
}

/** How many items a list of a workspace's run has; undefined: there is no such list that is kept as pages. */
export async function findStepList(
  sql: Sql,
  { workspaceId, runId, path, name }: ListPlace & { workspaceId: string },
): Promise<number | undefined> {
  const { rows } = await sql.query<{ count: number | null }>(
    `select (s.lists ->> $4::text)::integer as count from tandem.step_results s join tandem.runs r on r.id = s.run_id
     where r.workspace_id = $1::uuid and s.run_id = $2::uuid and s.path = $3::text`,
    [workspaceId, runId, path, name],
  );
  return rows[0]?.count ?? undefined;
}

/** The page with the item at `index`; undefined where the list does not go so far. */
export async function readListPage(sql: Sql, place: ListPlace & { index: number }): Promise<ReadPage | undefined> {
  // No page has more items than `pageItems`: the one that is looked for is none before that.
  const { rows } = await sql.query<{ first: number; items: string }>({
    name: "read_list_page",
    text: `select l.first, l.items::text as items from tandem.step_lists l
      where l.run_id = $1::uuid and l.path = $2::text and l.name = $3::text and l.page = (
        select max(p.page) from tandem.step_lists p
        where p.run_id = $1::uuid and p.path = $2::text and p.name = $3::text and p.page >= $4::integer and p.first <= $5::integer)`,
    values: [place.runId, place.path, place.name, Math.floor(place.index / pageItems), place.index],
  });
  const [row] = rows;
  if (row === undefined) return undefined;
  const items: Json[] = JSON.parse(row.items);
  return place.index < row.first + items.length ? { first: row.first, items, bytes: row.items.length } : undefined;
}

/** The pages of a list that has `count` items, from the one with the item at `from` on. Throws where one is not there. */
export async function* readListPages(
  sql: Sql,
  list: ListPlace & { readonly count: number },
  from = 0,
): AsyncGenerator<ReadPage> {
  for (let index = from; index < list.count;) {
    const page = await readListPage(sql, { ...list, index });
    if (page === undefined)
      throw new Error(`Run ${list.runId}: item ${index} of the list "${list.name}" of ${list.path} is not there.`);
    const items = page.items.slice(index - page.first, list.count - page.first);
    yield { first: index, items, bytes: page.bytes };
    index += items.length;
  }
}

/** How far a list was written: what comes next, and its last item. */
export interface ListEnd {
  readonly page: number;
  /** Index of the next item. */
  readonly count: number;
  readonly last: Json;
}

/** Where a list goes on that is written page by page; undefined where nothing of it is written. */
export async function findListEnd(sql: Sql, { runId, path, name }: ListPlace): Promise<ListEnd | undefined> {
  const { rows } = await sql.query<ListEnd>({
    name: "find_list_end",
    // Not by an order: where Postgres sorts, it would first look into the items of every page.
    text: `select l.page + 1 as page, l.first + jsonb_array_length(l.items) as count, l.items -> -1 as last
      from tandem.step_lists l
      where l.run_id = $1::uuid and l.path = $2::text and l.name = $3::text and l.page = (
        select max(p.page) from tandem.step_lists p
        where p.run_id = $1::uuid and p.path = $2::text and p.name = $3::text)`,
    values: [runId, path, name],
  });
  return rows[0];
}

/**
 * Adds a CTE that writes one page of a list, if the statement's `gate` is open: `items` is SQL of a row
 * with the column `items`, or of none where there is nothing to write. That another attempt has written
 * the page is a conflict as any of the ledger.
 */
export function addListPage(
  statement: Statement,
  { path, name, page, first }: Omit<ListPlace, "runId"> & { page: number; first: number },
  items: string,
): void {
  const p = statement.param;
  statement.with(
    `page_${name.replace(/\W/g, "_")}`,
    `insert into tandem.step_lists (run_id, path, name, page, first, items)
     select g.run_id, ${p(path, "text")}, ${p(name, "text")}, ${p(page, "integer")}, ${p(first, "integer")}, i.items
     from gate g, (${items}) i`,
  );
}
