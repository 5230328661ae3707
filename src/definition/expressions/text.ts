import type { Filter } from "./filters.ts";
import { number, text, ValueFault } from "./values.ts";

export const textFilters: Readonly<Record<string, Filter>> = {
  upcase: { takes: [0, 0], run: (value) => text(value, "upcase").toUpperCase() },
  downcase: { takes: [0, 0], run: (value) => text(value, "downcase").toLowerCase() },
  strip: { takes: [0, 0], run: (value) => text(value, "strip").trim() },
  append: { takes: [1, 1], run: (value, [tail]) => text(value, "append") + text(tail, "append") },
  replace: {
    takes: [2, 2],
    run: (value, [from, to]) => text(value, "replace").split(text(from, "replace")).join(text(to, "replace")),
  },
  split: {
    takes: [1, 1],
    run(value, [separator]) {
      const whole = text(value, "split");
      return whole === "" ? [] : whole.split(text(separator, "split"));
    },
  },
  slice: {
    takes: [1, 2],
    run(value, [from, length]) {
      const start = Number(number(from, "slice"));
      const items = Array.isArray(value) ? value : Array.from(text(value, "slice"));
      const begin = start < 0 ? Math.max(items.length + start, 0) : start;
      const part = items.slice(begin, begin + (length === undefined ? 1 : Number(number(length, "slice"))));
      return Array.isArray(value) ? part : part.map((character) => text(character, "slice")).join("");
    },
  },
  json: {
    takes: [0, 0],
    run(value) {
      if (value === undefined) throw new ValueFault("json takes a value, but got nothing");
      return JSON.stringify(value);
    },
  },
};
