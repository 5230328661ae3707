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

export type FilterNode =
  | { readonly kind: "and" | "or" | "not"; readonly items: readonly FilterNode[] }
  | {
      readonly kind: "leaf";
      readonly path: readonly string[];
      readonly comparator: Comparator;
      readonly value: string | readonly string[];
    };

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
  if (!reader.atEnd()) throw reader.fault(`"${reader.peek()}" is not expected here`);
  return items.length === 1 && items[0] !== undefined ? items[0] : { kind: "and", items };
}

function readItems(reader: Reader, depth: number): FilterNode[] {
  if (depth > maxDepth) throw reader.fault(`the filter nests more than ${maxDepth} deep`);
  const items = [readItem(reader, depth)];
  while (reader.take(",")) items.push(readItem(reader, depth));
  return items;
}

function readItem(reader: Reader, depth: number): FilterNode {
  reader.skipSpace();
  for (const kind of ["and", "or", "not"] as const) {
    if (!reader.takeWord(`${kind}(`)) continue;
    const items = readItems(reader, depth + 1);
    if (!reader.take(")")) throw reader.fault(`the ")" of ${kind}(…) is missing`);
    return { kind, items };
  }
  return readLeaf(reader);
}

function readLeaf(reader: Reader): FilterNode {
  const name = reader.match(/[A-Za-z][\w.]*/y);
  if (name === undefined) throw reader.fault("a field's name is expected, as in name[eq]:value");
  if (!reader.take("["))
    throw reader.fault(`a comparator in brackets is expected after "${name}", as in ${name}[eq]:value`);
  const word = reader.match(/\w+/y) ?? "";
  const comparator = comparators.find((known) => known === word);
  if (comparator === undefined) throw reader.fault(`unknown comparator "${word}"; there are ${comparators.join(", ")}`);
  if (!reader.take("]") || !reader.take(":")) throw reader.fault(`"]:" is expected after "${word}"`);
  const isList = reader.take("[");
  const value = isList ? readList(reader) : readValue(reader, /[^,()]*/y);
  if (isList !== (comparator === "in" || comparator === "containsAny")) {
    throw reader.fault(
      isList
        ? `"${comparator}" takes one value, not a list`
        : `"${comparator}" takes a list, as in ${name}[${comparator}]:["a","b"]`,
    );
  }
  return { kind: "leaf", path: name.split("."), comparator, value };
}

function readList(reader: Reader): string[] {
  const items: string[] = [];
  reader.skipSpace();
  if (reader.take("]")) return items;
  do items.push(readValue(reader, /[^,\]]*/y));
  while (reader.take(","));
  if (!reader.take("]")) throw reader.fault(`the "]" of the list is missing`);
  return items;
}

/** A quoted value, with \" and \\ for themselves, or plain text up to what ends it. */
function readValue(reader: Reader, plain: RegExp): string {
  reader.skipSpace();
  const quoted = reader.match(/"((?:[^"\\]|\\.)*)"/y);
  if (quoted !== undefined) {
    reader.skipSpace();
    return quoted.slice(1, -1).replace(/\\(.)/g, "$1");
  }
  if (reader.peek() === '"') throw reader.fault("the closing quote is missing");
  return (reader.match(plain) ?? "").trim();
}

type Reader = ReturnType<typeof createReader>;

function createReader(source: string) {
  let position = 0;
  const skipSpace = (): void => {
    while (source[position] === " ") position += 1;
  };
  return {
    atEnd: () => position >= source.length,
    peek: () => source[position] ?? "the end",
    skipSpace,
    take(character: string): boolean {
      skipSpace();
      if (source[position] !== character) return false;
      position += 1;
      return true;
    },
    takeWord(word: string): boolean {
      if (!source.startsWith(word, position)) return false;
      position += word.length;
      return true;
    },
    match(pattern: RegExp): string | undefined {
      pattern.lastIndex = position;
      const found = pattern.exec(source)?.[0];
      if (found !== undefined) position += found.length;
      return found;
    },
    fault: (message: string) => fault(source, position, message),
  };
}

function fault(source: string, position: number, message: string): ProblemError {
  const near = source.slice(Math.max(0, position - 20), position + 20);
  return new ProblemError(400, "invalid-filter", `filter: ${message} (at character ${position + 1}, near "${near}").`);
}
