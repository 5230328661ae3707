import type { CompiledNode } from "../definition/compile/node.ts";
import {
  ExpressionError,
  pathOf,
  readAhead,
  readsByPage,
  type Chain,
  type Evaluation,
  type ListSource,
  type Lookup,
  type PathSegment,
  type PlacedRead,
  type ReadAhead,
} from "../definition/expressions.ts";
import { property } from "../definition/expressions/values.ts";
import { isJsonObject, type Json } from "../json.ts";
import { longListOf, type LongList } from "../runs/long-lists.ts";
import { readListPage, readListPages } from "../runs/step-lists.ts";
import type { Sql } from "../sql.ts";

/** JSON of long lists that one step may hold at once, in bytes. */
const mostHeld = 64 * 1_048_576;

/** How doing the node may read what earlier steps gave. */
export function readsOf(node: CompiledNode): PlacedRead[] {
  return [
    ...(node.input?.reads ?? []),
    ...(node.once?.reads ?? []),
    ...(node.when?.reads ?? []),
    ...(node.branches ?? []).flatMap((branch) => branch.when?.reads ?? []),
  ];
}

/** What reads a step's long lists. */
export interface ListReader {
  readonly sql: Sql;
  readonly runId: string;
  /** Whether a list by itself at this place of the definition is handed on unread. */
  byReference(at: string): boolean;
  /** Pages that may be read; beyond them `TooManyPages` is thrown. */
  readonly mostPages: number;
}

/** A step would read more of long lists than its lane has time for. */
export class TooManyPages extends Error {
  override readonly name = "TooManyPages";
}

/**
 * Reads what expressions need of lists that are kept as pages: of an item its page, of what works page
 * by page no more than a page at a time, else the list. Throws ExpressionError where that would be more
 * than 64 MiB.
 */
export async function readLists(
  reader: ListReader,
  reads: readonly PlacedRead[],
  evaluation: Evaluation,
): Promise<Evaluation> {
  const held = createHeld(reader);
  const wanted = reads.filter(({ path: [root] }) => !ownRoots.has(String(root))).map((read) => find(read, evaluation));
  if (wanted.every(({ lists }) => lists.length === 0)) return evaluation;
  const gathered: Found[] = [];
  for (const found of wanted) {
    const { read, lists, rest } = found;
    const [list] = lists;
    if (list === undefined) continue;
    if (rest !== undefined && rest.length > 0) await held.item(list, positionOf(rest[0]), read.at);
    else if (rest !== undefined && read.chain?.filters.length === 0 && mayStayUnread(reader, read)) continue;
    else if (rest !== undefined && read.chain !== undefined && readsByPage(read.chain)) gathered.push(found);
    else for (const each of lists) await held.whole(each, read.at);
  }
  const known: Evaluation = { ...evaluation, lookup: lookupIn(evaluation.lookup, held) };
  const ahead = new Map<Chain, ReadAhead>();
  for (const { read, lists } of gathered) {
    const [list] = lists;
    if (list !== undefined && read.chain !== undefined)
      ahead.set(read.chain, await readAhead(read.chain, held.source(list, read.at), known));
  }
  return { ...known, ahead };
}

/** A list that is long is not empty: who asks that needs none of it. */
function mayStayUnread({ byReference }: ListReader, { at, asksOnly }: PlacedRead): boolean {
  return asksOnly === true || byReference(at);
}

/** Roots under which no step's output is. */
const ownRoots: ReadonlySet<string> = new Set(["trigger", "settings", "run", "workspace", "now", "error", "secrets"]);

/** The long lists that a path leads to or into. */
interface Found {
  readonly read: PlacedRead;
  readonly lists: readonly LongList[];
  /** What follows in the path after the list; undefined: the lists lie in what the path leads to. */
  readonly rest: readonly PathSegment[] | undefined;
}

function find(read: PlacedRead, evaluation: Evaluation): Found {
  const { lookup } = evaluation;
  const path = pathOf(read, evaluation);
  for (let length = 1; length <= path.length; length++) {
    const list = longListOf(lookup(path.slice(0, length)));
    if (list !== undefined) return { read, lists: [list], rest: path.slice(length) };
  }
  return { read, lists: listsIn(lookup(path)), rest: undefined };
}

/** The long lists in a value: they are reached by keys of objects only. */
function listsIn(value: Json | undefined): LongList[] {
  const list = longListOf(value);
  if (list !== undefined) return [list];
  return value !== undefined && isJsonObject(value) ? Object.values(value).flatMap(listsIn) : [];
}

/** What was read of long lists so far. */
interface Held {
  /** The list with the items that were read in their places. */
  items(list: LongList): Json[] | undefined;
  /** The list, where all of it was read. */
  all(list: LongList): Json[] | undefined;
  item(list: LongList, index: number | undefined, at: string): Promise<void>;
  whole(list: LongList, at: string): Promise<void>;
  source(list: LongList, at: string): ListSource;
}

function createHeld({ sql, runId, mostPages }: ListReader): Held {
  const lists = new Map<string, Json[]>();
  const wholes = new Set<string>();
  const keyOf = ({ path, name }: LongList): string => `${path} ${name}`;
  let pages = 0;
  let bytes = 0;

  const countPage = (): void => {
    pages += 1;
    if (pages > mostPages) throw new TooManyPages(`More than ${mostPages} pages of long lists are to be read.`);
  };
  const hold = (list: LongList, at: string, more: number): void => {
    bytes += more;
    if (bytes > mostHeld) throw new ExpressionError(at, tooMuch(list));
  };
  async function* pagesOf(list: LongList) {
    for await (const page of readListPages(sql, { runId, ...list })) {
      countPage();
      yield page;
    }
  }
  function put(list: LongList, first: number, items: readonly Json[]): void {
    const known = lists.get(keyOf(list)) ?? Array.from<Json>({ length: list.count });
    lists.set(keyOf(list), known);
    for (const [position, item] of items.entries()) known[first + position] = item;
  }
  async function readItem(list: LongList, index: number): Promise<Json | undefined> {
    if (index < 0 || index >= list.count) return undefined;
    countPage();
    const page = await readListPage(sql, { runId, ...list, index });
    return page?.items[index - page.first];
  }

  return {
    items: (list) => lists.get(keyOf(list)),
    all: (list) => (wholes.has(keyOf(list)) ? lists.get(keyOf(list)) : undefined),
    async item(list, index, at) {
      const item = index === undefined ? undefined : await readItem(list, index);
      if (index === undefined || item === undefined) return;
      hold(list, at, JSON.stringify(item).length);
      put(list, index, [item]);
    },
    async whole(list, at) {
      if (wholes.has(keyOf(list))) return;
      wholes.add(keyOf(list));
      for await (const page of pagesOf(list)) {
        hold(list, at, page.bytes);
        put(list, page.first, page.items);
      }
    },
    source: (list, at) => ({
      count: list.count,
      item: (index) => readItem(list, index),
      hold: (more) => hold(list, at, more),
      async *pages() {
        for await (const { items } of pagesOf(list)) yield items;
      },
    }),
  };
}

function tooMuch({ path, name, count }: LongList): string {
  const place = name === "" ? path : `${path}.${name}`;
  return (
    `${place} has ${count} items, more than 64 MiB together: loop over it, hand it on as exactly one path, ` +
    `or take what is needed by map, where, sum, first, last, size, uniq or join`
  );
}

function positionOf(segment: PathSegment | undefined): number | undefined {
  return segment !== undefined && /^\d+$/.test(String(segment)) ? Number(segment) : undefined;
}

/** The lookup with what was read of long lists in their places. */
function lookupIn(lookup: Lookup, held: Held): Lookup {
  return (path) => {
    for (let length = 1; length <= path.length; length++) {
      const found = lookup(path.slice(0, length));
      const list = longListOf(found);
      if (list === undefined) continue;
      const rest = path.slice(length);
      // Of what is handed on unread an item may have been read, for another expression.
      if (rest.length === 0) return held.all(list) ?? found;
      return rest.reduce<Json | undefined>(property, held.items(list));
    }
    return filled(lookup(path), held);
  };
}

/** A value with the lists that were read in the places of what stands for them. */
function filled(value: Json | undefined, held: Held): Json | undefined {
  if (value === undefined || !isJsonObject(value) || listsIn(value).length === 0) return value;
  const list = longListOf(value);
  if (list !== undefined) return held.all(list) ?? value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, filled(part, held) ?? null]));
}
