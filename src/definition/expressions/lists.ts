import type { Json } from "../../json.ts";
import type { Filter } from "./filters.ts";
import { add } from "./numbers.ts";
import { kindOf, list, property, sameJson, text, ValueFault, type Value } from "./values.ts";

/** The value under a dotted key; absent counts as null. */
function at(item: Json, key: Value, filter: string): Json {
  let found: Value = item;
  for (const part of text(key, filter).split(".")) found = property(found, part);
  return found ?? null;
}

function compare(a: Json, b: Json): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a === "string" && typeof b === "string") return a < b ? -1 : a > b ? 1 : 0;
  throw new ValueFault(`sort cannot order ${kindOf(a)} and ${kindOf(b)}`);
}

export const listFilters: Readonly<Record<string, Filter>> = {
  map: { takes: [1, 1], run: (value, [key]) => list(value, "map").map((item) => at(item, key, "map")) },
  where: {
    takes: [1, 2],
    run(value, [key, wanted]) {
      return list(value, "where").filter((item) => {
        const found = at(item, key, "where");
        return wanted === undefined ? found !== null && found !== false : sameJson(found, wanted);
      });
    },
  },
  sum: {
    takes: [0, 1],
    run(value, [key]) {
      const items = list(value, "sum").map((item) => (key === undefined ? item : at(item, key, "sum")));
      return items.filter((item) => item !== null).reduce<Json>((total, item) => add(total, item, "sum"), 0);
    },
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
    run(value, [key]) {
      const seen: Json[] = [];
      return list(value, "uniq").filter((item) => {
        const mark = key === undefined ? item : at(item, key, "uniq");
        if (seen.some((other) => sameJson(other, mark))) return false;
        seen.push(mark);
        return true;
      });
    },
  },
  join: {
    takes: [0, 1],
    run: (value, [separator]) =>
      list(value, "join")
        .map((item) => text(item, "join"))
        .join(separator === undefined ? ", " : text(separator, "join")),
  },
  concat: { takes: [1, 1], run: (value, [tail]) => [...list(value, "concat"), ...list(tail, "concat")] },
  compact: { takes: [0, 0], run: (value) => list(value, "compact").filter((item) => item !== null) },
  flatten: { takes: [0, 0], run: (value) => list(value, "flatten").flat() as Json[] },
  sort: {
    takes: [0, 1],
    run: (value, [key]) =>
      list(value, "sort").toSorted((a, b) =>
        key === undefined ? compare(a, b) : compare(at(a, key, "sort"), at(b, key, "sort")),
      ),
  },
};
