import {
  createRowReader,
  decodeLine,
  faultOf,
  type Cell,
  type Content,
  type Place,
  type RowReader,
} from "./file-rows.ts";

const lineFeed = 0x0a;
const quote = 0x22;

/** What cells can be divided by. */
export const delimiters = [",", ";", "\t", "|"] as const;
export type Delimiter = (typeof delimiters)[number];

/**
 * Reads CSV (RFC 4180): cells may be quoted, quoted ones may hold line breaks. A row that is broken is a
 * fault of its first line alone, and reading goes on with the next line: one stray quote must not swallow
 * what comes after it.
 */
export function createCsvReader(delimiter: Delimiter, place: Place): RowReader {
  return createRowReader((bytes, isLast) => {
    const line = endOfLine(bytes, 0, isLast);
    if (line === undefined) return undefined;
    const end = isOpen(bytes, 0, line) ? endOfQuoted(bytes, line, isLast) : line;
    if (end === undefined) return undefined;
    const content = readCells(bytes.subarray(0, end), delimiter);
    if (content?.kind !== "fault" || end === line) return { end, content };
    return { end: line, content: readCells(bytes.subarray(0, line), delimiter) };
  }, place);
}

/** Where the line ends, its break included. */
function endOfLine(bytes: Buffer, from: number, isLast: boolean): number | undefined {
  const at = bytes.indexOf(lineFeed, from);
  if (at !== -1) return at + 1;
  return isLast ? bytes.length : undefined;
}

/** Whether a quote is open at the end of this piece. */
function isOpen(bytes: Buffer, from: number, to: number): boolean {
  const piece = bytes.subarray(from, to);
  let open = false;
  for (let at = piece.indexOf(quote); at !== -1; at = piece.indexOf(quote, at + 1)) open = !open;
  return open;
}

/** Where the row ends whose quote is open at `line`: with the line that closes it. */
function endOfQuoted(bytes: Buffer, line: number, isLast: boolean): number | undefined {
  for (let from = line; from < bytes.length;) {
    const next = endOfLine(bytes, from, isLast);
    if (next === undefined) return undefined;
    if (isOpen(bytes, from, next)) return next;
    from = next;
  }
  return isLast ? bytes.length : undefined;
}

function readCells(bytes: Buffer, delimiter: Delimiter): Content | undefined {
  const text = decodeLine(bytes);
  if (typeof text !== "string") return text;
  if (text.trim() === "") return undefined;
  const cells = splitCells(text, delimiter);
  if (typeof cells === "string") return faultOf(cells, text);
  return cells.every((cell) => cell === null) ? undefined : { kind: "cells", cells };
}

/** The cells of a row, or what is wrong with it. */
export function splitCells(text: string, delimiter: Delimiter): Cell[] | string {
  if (!text.includes('"')) return text.split(delimiter).map((cell) => (cell === "" ? null : cell));
  const cells: Cell[] = [];
  for (let from = 0; ;) {
    const cell = text[from] === '"' ? quotedCell(text, from) : bareCell(text, from, delimiter);
    if (typeof cell === "string") return `${cell} in cell ${cells.length + 1}`;
    cells.push(cell.value);
    if (cell.end === text.length) return cells;
    if (text[cell.end] !== delimiter) return `has text behind a closing quote in cell ${cells.length}`;
    from = cell.end + 1;
  }
}

interface Cut {
  readonly value: Cell;
  readonly end: number;
}

function quotedCell(text: string, from: number): Cut | string {
  let value = "";
  for (let start = from + 1; ;) {
    const end = text.indexOf('"', start);
    if (end === -1) return "has a quote that is never closed";
    value += text.slice(start, end);
    if (text[end + 1] !== '"') return { value, end: end + 1 };
    value += '"';
    start = end + 2;
  }
}

function bareCell(text: string, from: number, delimiter: Delimiter): Cut | string {
  const found = text.indexOf(delimiter, from);
  const end = found === -1 ? text.length : found;
  const value = text.slice(from, end);
  if (value.includes('"')) return "has a quote where the cell does not begin with one";
  return { value: value === "" ? null : value, end };
}

/** The delimiter that a header is divided by: the one that is most often there, outside of quotes. */
export function detectDelimiter(header: string): Delimiter {
  const bare = header.replaceAll(/"[^"]*"/g, "");
  const counts = delimiters.map((delimiter) => bare.split(delimiter).length);
  return delimiters[counts.indexOf(Math.max(...counts))] ?? ",";
}
