import type { Json } from "../../json.ts";
import type { Filter } from "./filters.ts";
import { sumOf } from "./numbers.ts";
import {
  canonicalJson,
  checkLength,
  kindOf,
  list,
  property,
  sameJson,
  text,
  ValueFault,
  type Value,
} from "./values.ts";

/** Reads the value under a dotted key; absent counts as null. */
function reader(key: Value, filter: string): (item: Json) => Json {
  const parts = text(key, filter).split(".");
  return (item) => parts.reduce<Value>(property, item) ?? null;
}

/** The same; without a key the item itself. */
export function readerOr(key: Value, filter: string): (item: Json) => Json {
  return key === undefined ? (item) => item : reader(key, filter);
}

/** Numbers by size, text by its characters, null last. */
function order(a: Json, b: Json): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a === "string" && typeof b === "string") return a < b ? -1 : a > b ? 1 : 0;
  throw new ValueFault(`sort cannot order ${kindOf(a)} and ${kindOf(b)}`);
}

export const listFilters: Readonly<Record<string, Filter>> = {
  map: { takes: [1, 1], run: (value, [key]) => list(value, "map").map(reader(key, "map")) },
  where: {
    takes: [1, 2],
    run(value, [key, wanted], { spend }) {
      const read = reader(key, "where");
      const items = list(value, "where");
      if (wanted === undefined) return items.filter((item) => read(item) !== null && read(item) !== false);
      if (typeof wanted === "object") spend((items.length * JSON.stringify(wanted).length) / 16);
      return items.filter((item) => sameJson(read(item), wanted));
    },
  },
  sum: {
    takes: [0, 1],
    run: (value, [key]) =>
      sumOf(
        list(value, "sum")
          .map(readerOr(key, "sum"))
          .filter((item) => item !== null),
      ),
  },
  first: { takes: [0, 0], run: (value) => list(value, "first")[0] ?? null },
  last: { takes: [0, 0], run: (value) => list(value, "last").at(-1) ?? null },
  size: {
    takes: [0, 0],
    run(value) {
      if (typeof value === "string") return Array.from(value).length;
      if (Array.isArray(value)) return value.length;
      throw new ValueFault(`size takes text or a list, but got ${kindOf(value)}`);
    },
  },
  uniq: {
    takes: [0, 1],
    run(value, [key], { spend }) {
      const read = readerOr(key, "uniq");
      const seen = new Set<string>();
      return list(value, "uniq").filter((item) => {
        const mark = canonicalJson(read(item));
        spend(mark.length / 16);
        return seen.size < seen.add(mark).size;
      });
    },
  },
  join: {
    takes: [0, 1],
    run(value, [separator]) {
      const between = separator === undefined ? " " : text(separator, "join");
      const pieces = list(value, "join").map((item) => text(item, "join"));
      checkLength(pieces.reduce((length, piece) => length + piece.length + between.length, 0) - between.length);
      return pieces.join(between);
    },
  },
  concat: { takes: [1, 1], run: (value, [tail]) => [...list(value, "concat"), ...list(tail, "concat")] },
  compact: { takes: [0, 0], run: (value) => list(value, "compact").filter((item) => item !== null) },
  /** Lists in the list give their items: one level. */
  flatten: { takes: [0, 0], run: (value) => list(value, "flatten").flatMap((item) => item) },
  sort: {
    takes: [0, 1],
    run(value, [key], { spend }) {
      const read = readerOr(key, "sort");
      const items = list(value, "sort");
      spend(items.length * 4);
      return items
        .map((item) => ({ item, by: read(item) }))
        .toSorted((a, b) => order(a.by, b.by))
        .map(({ item }) => item);
    },
  },
};
