import type { Json } from "../../json.ts";
import { decimalOf, plus, writeDecimal, type Decimal } from "./decimals.ts";
import { presentValue, resolvePath, type Evaluation, type ReadAhead, type Scope } from "./evaluate.ts";
import { filters, languageFilters } from "./filters.ts";
import { readerOr } from "./lists.ts";
import { createMeter } from "./meter.ts";
import type { Read } from "./references.ts";
import type { Chain, PathSegment } from "./syntax.ts";
import { canonicalJson, checkLength, text, ValueFault, type Value } from "./values.ts";

/** A list that is not at hand, but can be read. */
export interface ListSource {
  readonly count: number;
  /** All of its items, page by page. */
  pages(): AsyncIterable<readonly Json[]>;
  /** One item; undefined: there is none at this index. */
  item(index: number): Promise<Json | undefined>;
  /** Throws when a list that is to be held whole takes too much room; `bytes` are those that were added. */
  hold(bytes: number): void;
}

/** The path that is read, with what it names by other paths; of one that depends on a `for` its fixed beginning. */
export function pathOf({ operand, path }: Read, evaluation: Evaluation): readonly PathSegment[] {
  return operand.fixed ?? resolvePath(operand, { ...evaluation, ...createMeter() }) ?? path;
}

/** Filters that give of each page what they give of its items in the whole. */
const ofPages = new Set(["map", "where", "compact", "flatten"]);
const isOfLanguage = (name: string): boolean => Object.hasOwn(languageFilters, name);

/** Whether a list that this expression begins with can be read page by page, and need not be held whole. */
export function readsByPage({ filters: [first] }: Chain): boolean {
  return first !== undefined && (ofPages.has(first.name) || Object.hasOwn(folds, first.name));
}

/**
 * Applies an expression's first filters to the list that it begins with, page by page: those that work
 * item by item, then one that gathers. What is left of a list after the former is held whole. A fault
 * is the expression's, should it be evaluated.
 */
export async function readAhead(chain: Chain, source: ListSource, evaluation: Evaluation): Promise<ReadAhead> {
  const scope: Scope = { ...evaluation, ...createMeter() };
  try {
    const cut = chain.filters.findIndex(({ name }) => !ofPages.has(name) && !isOfLanguage(name));
    const byItem = chain.filters
      .slice(0, cut === -1 ? undefined : cut)
      .filter(({ name }) => !isOfLanguage(name))
      .map(({ name, args }) => ({ name, args: args.map((arg) => presentValue(arg, scope)) }));
    const gathering = cut === -1 ? undefined : chain.filters[cut];
    const fold = gathering === undefined ? undefined : folds[gathering.name];
    if (gathering === undefined || fold === undefined) {
      const value = await collect(source, byItem, scope);
      return { value, filters: cut === -1 ? chain.filters.length : cut };
    }
    const args = gathering.args.map((arg) => presentValue(arg, scope));
    const value =
      byItem.length === 0 && fold.directly !== undefined
        ? await fold.directly(source)
        : await gather(fold.begin(args, source), { source, byItem, scope });
    return { value, filters: cut + 1 };
  } catch (error) {
    if (error instanceof ValueFault) return { fault: error };
    throw error;
  }
}

type Applied = ReadonlyArray<{ readonly name: string; readonly args: readonly Value[] }>;

/** The filters over one page; what a page costs is counted by the page, since others run between two. */
function applyTo(items: readonly Json[], byItem: Applied, scope: Scope): readonly Json[] {
  const paged = { ...scope, ...createMeter() };
  let value: Json = [...items];
  for (const { name, args } of byItem) value = filters[name]?.run(value, args, paged) ?? [];
  return Array.isArray(value) ? value : [];
}

async function collect(source: ListSource, byItem: Applied, scope: Scope): Promise<Json[]> {
  const all: Json[] = [];
  for await (const items of source.pages()) {
    const kept = applyTo(items, byItem, scope);
    source.hold(JSON.stringify(kept).length);
    for (const item of kept) all.push(item);
  }
  return all;
}

async function gather(
  gathered: Gathering,
  { source, byItem, scope }: { source: ListSource; byItem: Applied; scope: Scope },
): Promise<Json> {
  for await (const items of source.pages()) if (gathered.add(applyTo(items, byItem, scope)) === "enough") break;
  return gathered.value();
}

/** A filter that makes one value of a list, fed page by page. */
interface Gathering {
  /** `enough`: the rest of the list changes nothing. */
  add(items: readonly Json[]): "enough" | void;
  value(): Json;
}

interface Fold {
  begin(args: readonly Value[], source: ListSource): Gathering;
  /** Of a list as it is, where less than all of it tells. */
  directly?(source: ListSource): Promise<Json>;
}

const folds: Readonly<Record<string, Fold>> = {
  size: {
    begin() {
      let size = 0;
      return { add: (items) => void (size += items.length), value: () => size };
    },
    directly: async ({ count }) => count,
  },
  first: {
    begin() {
      let first: Json = null;
      return {
        add(items) {
          if (items.length === 0) return undefined;
          first = items[0] ?? null;
          return "enough";
        },
        value: () => first,
      };
    },
    directly: async (source) => (await source.item(0)) ?? null,
  },
  last: {
    begin() {
      let last: Json = null;
      return { add: (items) => void (last = items.length === 0 ? last : (items.at(-1) ?? null)), value: () => last };
    },
    directly: async (source) => (await source.item(source.count - 1)) ?? null,
  },
  sum: {
    begin([key]) {
      const read = readerOr(key, "sum");
      let total: Decimal = { digits: 0n, scale: 0 };
      return {
        add(items) {
          for (const value of items.map(read)) if (value !== null) total = plus(total, decimalOf(value, "sum"));
        },
        value: () => writeDecimal(total, "sum"),
      };
    },
  },
  uniq: {
    begin([key], source) {
      const read = readerOr(key, "uniq");
      const seen = new Set<string>();
      const kept: Json[] = [];
      return {
        add(items) {
          for (const item of items) {
            const mark = canonicalJson(read(item));
            if (seen.size === seen.add(mark).size) continue;
            source.hold(mark.length + JSON.stringify(item).length);
            kept.push(item);
          }
        },
        value: () => kept,
      };
    },
  },
  join: {
    begin([separator]) {
      const between = separator === undefined ? " " : text(separator, "join");
      let joined: string | undefined;
      return {
        add(items) {
          for (const item of items) {
            const piece = text(item, "join");
            checkLength((joined?.length ?? 0) + between.length + piece.length);
            joined = joined === undefined ? piece : joined + between + piece;
          }
        },
        value: () => joined ?? "",
      };
    },
  },
};
