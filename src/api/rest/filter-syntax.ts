import { didYouMean } from "../../definition/suggest.ts";
import { ProblemError } from "../../errors.ts";

/** Twenty's comparators (`field[eq]:value`). */
export const comparators = [
  "eq",
  "neq",
  "in",
  "containsAny",
  "is",
  "gt",
  "gte",
  "lt",
  "lte",
  "startsWith",
  "endsWith",
  "like",
  "ilike",
] as const;
export type Comparator = (typeof comparators)[number];

/** One comparison: `emails.primaryEmail[eq]:"x"`. */
export interface FilterLeaf {
  readonly kind: "leaf";
  readonly path: readonly string[];
  readonly comparator: Comparator;
  /** A list for `in` and `containsAny`, and for no other. */
  readonly value: string | readonly string[];
}

/** A filter as it was written. `not` holds where its items, taken together, do not. */
export type FilterNode = { readonly kind: "and" | "or" | "not"; readonly items: readonly FilterNode[] } | FilterLeaf;

const maxDepth = 16;
const maxLength = 20_000;

/**
 * Parses Twenty's `filter` parameter: `field[comparator]:value`, a comma is AND, `and(…)`, `or(…)`,
 * `not(…)` nest, values may be quoted, lists are `["a","b"]`. Throws a 400 that says where.
 */
export function parseFilter(source: string): FilterNode {
  if (source.length > maxLength) throw fault(source, 0, `the filter is longer than ${maxLength} characters`);
  const reader = createReader(source);
  const items = readItems(reader, 0);
  if (!reader.atEnd())
    throw reader.fault(`${reader.next()} is not expected here; put a value that holds , ( or ) in quotes`);
  return items.length === 1 && items[0] !== undefined ? items[0] : { kind: "and", items };
}

function readItems(reader: Reader, depth: number): FilterNode[] {
  if (depth > maxDepth) throw reader.fault(`the filter nests more than ${maxDepth} deep`);
  const items = [readItem(reader, depth)];
  while (reader.take(",")) items.push(readItem(reader, depth));
  return items;
}

function readItem(reader: Reader, depth: number): FilterNode {
  for (const kind of ["and", "or", "not"] as const) {
    if (!reader.take(`${kind}(`)) continue;
    const items = readItems(reader, depth + 1);
    if (!reader.take(")")) throw reader.fault(`the ")" of ${kind}(…) is missing`);
    return { kind, items };
  }
  return readLeaf(reader);
}

function readLeaf(reader: Reader): FilterLeaf {
  const name = reader.match(/[A-Za-z]\w*(?:\.\w+)*/y);
  if (name === undefined) throw reader.fault("a field's name is expected, as in name[eq]:value");
  if (!reader.take("["))
    throw reader.fault(`a comparator in brackets is expected after "${name}", as in ${name}[eq]:value`);
  const comparator = readComparator(reader);
  if (!reader.take("]:")) throw reader.fault(`"]:" is expected after "${comparator}"`);
  const takesList = comparator === "in" || comparator === "containsAny";
  const isList = reader.take("[", { ahead: true });
  if (isList && !takesList) throw reader.fault(`"${comparator}" takes one value, not a list`);
  if (!isList && takesList) throw reader.fault(`"${comparator}" takes a list, as in ${name}[${comparator}]:["a","b"]`);
  const value = isList ? readList(reader) : readValue(reader, /[^,()]+/y);
  return { kind: "leaf", path: name.split("."), comparator, value };
}

function readComparator(reader: Reader): Comparator {
  const place = reader.place();
  const word = reader.match(/\w+/y) ?? "";
  const comparator = comparators.find((known) => known === word);
  if (comparator !== undefined) return comparator;
  throw reader.fault(
    `unknown comparator "${word}"${didYouMean(word, comparators) || `; there are ${comparators.join(", ")}`}`,
    place,
  );
}

function readList(reader: Reader): string[] {
  reader.take("[");
  const items: string[] = [];
  if (reader.take("]")) return items;
  do items.push(readValue(reader, /[^,\]]+/y));
  while (reader.take(","));
  if (!reader.take("]")) throw reader.fault(`the "]" of the list is missing`);
  return items;
}

/** A quoted value, in which \ stands before a quote or itself, or plain text up to what ends it. */
function readValue(reader: Reader, plain: RegExp): string {
  const quoted = reader.match(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/sy);
  if (quoted !== undefined) return quoted.slice(1, -1).replace(/\\(.)/gs, "$1");
  if (reader.take('"', { ahead: true })) throw reader.fault("the closing quote is missing");
  const text = reader.match(plain)?.trimEnd();
  if (text === undefined || text === "") throw reader.fault('a value is expected; write "" for empty text');
  return text;
}

type Reader = ReturnType<typeof createReader>;

/** Reads from the left, over spaces. */
function createReader(source: string) {
  let position = 0;
  const skipSpace = (): void => {
    while (source[position] === " ") position += 1;
  };
  return {
    atEnd(): boolean {
      skipSpace();
      return position >= source.length;
    },
    place(): number {
      skipSpace();
      return position;
    },
    next: () => (position < source.length ? JSON.stringify(source[position]) : "the end"),
    take(text: string, { ahead = false } = {}): boolean {
      skipSpace();
      if (!source.startsWith(text, position)) return false;
      if (!ahead) position += text.length;
      return true;
    },
    match(pattern: RegExp): string | undefined {
      skipSpace();
      pattern.lastIndex = position;
      const found = pattern.exec(source)?.[0];
      if (found !== undefined) position += found.length;
      return found;
    },
    fault: (message: string, place = position) => fault(source, place, message),
  };
}

function fault(source: string, position: number, message: string): ProblemError {
  const near = JSON.stringify(source.slice(Math.max(0, position - 20), position + 20).toWellFormed());
  return new ProblemError(400, "invalid-filter", `filter: ${message} (at character ${position + 1}, near ${near}).`);
}
