import { isDeepStrictEqual } from "node:util";
import type { Sort } from "../../../src/crm/keyset.ts";
import { listRecords, type ListRequest } from "../../../src/crm/read.ts";
import type { Json } from "../../../src/json.ts";
import type { Dice } from "./dice.ts";
import { words } from "./draws.ts";
import { comparable, matching, orderOf, plain, read, wordsOf } from "./filters.ts";
import { diverge, type Game } from "./game.ts";
import { withoutStamps } from "./judge.ts";
import { drawCondition, drawSort } from "./questions.ts";
import { drawKind } from "./record-steps.ts";
import { getObject } from "./system.ts";
import { show, visibleFields, type Item, type Kind } from "./world.ts";

/** Searches by a condition, in an order, page by page, forwards and backwards. */
export async function playSearch(game: Game, dice: Dice): Promise<void> {
  const kind = drawKind(dice, game);
  const where = drawCondition(dice, game.world, kind);
  const sort = drawSort(dice, game.world, kind);
  const limit = 1 + dice.below(4);
  game.trace.push(`search ${kind.name} ${JSON.stringify({ where, sort, limit })}`);
  const expected = inOrder(game, { kind, sort, items: matching(game.world, kind, where) });
  const { objects } = await game.system.writer();
  const request = { objects, object: getObject(objects, kind), where, sort, limit };
  await comparePages(game, { kind, request, expected });
}

interface Walk {
  readonly kind: Kind;
  readonly request: ListRequest;
  readonly expected: readonly Item[];
}

async function comparePages(game: Game, { kind, request, expected }: Walk): Promise<void> {
  const { limit } = request;
  const shown = expected.map((item) => show(game.world, kind, item));
  for (let from = 0, after: string | undefined; ; from += limit) {
    const page = await listRecords(game.system.pool, { ...request, after });
    const until = from + limit;
    const wanted = {
      records: shown.slice(from, until),
      total: shown.length,
      hasNext: until < shown.length,
      hasPrevious: from > 0,
    };
    const { total, hasNext, hasPrevious } = page;
    const seen = { records: page.records.map(withoutStamps), total, hasNext, hasPrevious };
    if (!isDeepStrictEqual(seen, wanted))
      diverge(game, `Page from ${from}: expected ${JSON.stringify(wanted)}, saw ${JSON.stringify(seen)}`);
    if (from > 0) await compareBack(game, { kind, request, expected }, { from, cursor: page.startCursor });
    if (!hasNext) return;
    after = page.endCursor ?? undefined;
  }
}

/** The page before the cursor of the record at `from`. */
async function compareBack(
  game: Game,
  { kind, request, expected }: Walk,
  { from, cursor }: { from: number; cursor: string | null },
): Promise<void> {
  if (cursor === null) return;
  const page = await listRecords(game.system.pool, { ...request, before: cursor });
  const wanted = expected.slice(Math.max(0, from - request.limit), from).map((item) => show(game.world, kind, item));
  const seen = page.records.map(withoutStamps);
  const ends = page.hasNext && page.hasPrevious === from > request.limit;
  if (!isDeepStrictEqual(seen, wanted) || !ends)
    diverge(
      game,
      `Page before ${from}: expected ${JSON.stringify(wanted)}, saw ${JSON.stringify({ seen, ...page, records: 0 })}`,
    );
}

/** By what a sort reads, records without a value where it says, and last by the id. */
function inOrder(
  game: Game,
  { kind, sort, items }: { kind: Kind; sort: readonly Sort[]; items: readonly Item[] },
): Item[] {
  const last = sort.at(-1)?.direction === "desc" ? -1 : 1;
  return items.toSorted((a, b) => {
    for (const each of sort) {
      const order = compareBy(
        each,
        keyOf(game, kind, { item: a, path: each.field }),
        keyOf(game, kind, { item: b, path: each.field }),
      );
      if (order !== 0) return order;
    }
    return (a.id < b.id ? -1 : 1) * last;
  });
}

type Key = string | bigint | undefined;

function compareBy({ direction, nulls = "last" }: Sort, a: Key, b: Key): number {
  if (a === undefined || b === undefined) return a === b ? 0 : (a === undefined) === (nulls === "first") ? -1 : 1;
  return direction === "asc" ? orderOf(a, b) : orderOf(b, a);
}

function keyOf(game: Game, kind: Kind, { item, path }: { item: Item; path: string }): Key {
  if (path === "createdAt") return item.createdAt;
  const [name = "", sub] = path.split(".");
  const field = visibleFields(game.world, kind).find((each) => each.name === name);
  if (field === undefined) throw new Error(`The model has no ${kind.name}.${path}.`);
  const held = read(field, item, sub);
  const key = comparable(held, held.value as Json);
  // Of a long text order sees the beginning; options are short, and so are unique values.
  return typeof key === "string" && held.as === "text" && held.unique !== true
    ? Array.from(key).slice(0, 200).join("")
    : key;
}

/** Searches for words, and compares which records are found. */
export async function playTextSearch(game: Game, dice: Dice): Promise<void> {
  const kind = drawKind(dice, game);
  const fields = visibleFields(game.world, kind);
  if (!fields.some(({ searchable }) => searchable)) return;
  const search = dice.pick(words);
  game.trace.push(`search ${kind.name} for "${search}"`);
  const sought = plain(search).split(" ");
  const expected = [...kind.items.values()].filter(
    (item) => !item.deleted && sought.every((word) => wordsOf(fields, item).some((each) => each.startsWith(word))),
  );
  const { objects } = await game.system.writer();
  const { records, total } = await listRecords(game.system.pool, {
    objects,
    object: getObject(objects, kind),
    search,
    limit: 200,
  });
  const seen = records.map(({ id }) => String(id)).toSorted();
  const wanted = expected.map(({ id }) => id).toSorted();
  if (!isDeepStrictEqual(seen, wanted) || total !== wanted.length)
    diverge(game, `Found: expected ${wanted.join()}, saw ${seen.join()} of ${total}`);
}
