import type { Filter } from "./filters.ts";
import { wholeNumber } from "./numbers.ts";
import { checkLength, text, ValueFault } from "./values.ts";

/** How far a position or a length may go. */
const range = [-1_000_000_000, 1_000_000_000] as const;

export const textFilters: Readonly<Record<string, Filter>> = {
  upcase: { takes: [0, 0], run: (value) => text(value, "upcase").toUpperCase() },
  downcase: { takes: [0, 0], run: (value) => text(value, "downcase").toLowerCase() },
  strip: { takes: [0, 0], run: (value) => text(value, "strip").trim() },
  append: {
    takes: [1, 1],
    run(value, [tail]) {
      const [head, end] = [text(value, "append"), text(tail, "append")];
      checkLength(head.length + end.length);
      return head + end;
    },
  },
  replace: {
    takes: [2, 2],
    run(value, [from, to]) {
      const [old, fresh] = [text(from, "replace"), text(to, "replace")];
      if (old === "") throw new ValueFault("replace looks for some text, but got empty text");
      const pieces = text(value, "replace").split(old);
      checkLength(pieces.reduce((length, piece) => length + piece.length, (pieces.length - 1) * fresh.length));
      return pieces.join(fresh);
    },
  },
  split: {
    takes: [1, 1],
    run(value, [separator]) {
      const [whole, cut] = [text(value, "split"), text(separator, "split")];
      if (whole === "") return [];
      return cut === "" ? Array.from(whole) : whole.split(cut);
    },
  },
  slice: {
    takes: [1, 2],
    run(value, [from, length]) {
      const items: readonly unknown[] = Array.isArray(value) ? value : Array.from(text(value, "slice"));
      const start = wholeNumber(from, "slice", range);
      const begin = start < 0 ? Math.max(items.length + start, 0) : start;
      const end = begin + (length === undefined ? 1 : wholeNumber(length, "slice", [0, range[1]]));
      return Array.isArray(value) ? value.slice(begin, end) : items.slice(begin, end).join("");
    },
  },
  json: {
    takes: [0, 0],
    run(value, _, { spend }) {
      const written = JSON.stringify(value ?? null);
      spend(written.length / 16);
      return written;
    },
  },
};
