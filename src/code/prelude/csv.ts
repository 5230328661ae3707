import { guardFormula } from "../../crm/transfer/csv-text.ts";

interface Format {
  readonly delimiter?: string;
  /** Whether the first row names the columns. */
  readonly header?: boolean;
}

interface Written extends Format {
  readonly columns?: readonly string[];
  /** Texts that a spreadsheet would reckon with get an apostrophe before them. */
  readonly formulaSafe?: boolean;
}

type Row = readonly string[];

/**
 * Reads CSV (RFC 4180): with a header a list of objects, without one a list of lists; every value is
 * text. Throws a TypeError that names the line.
 */
export function parseCsv(text: string, { delimiter = ",", header = true }: Format = {}): unknown[] {
  if (typeof text !== "string") throw new TypeError("parseCsv takes text");
  const rows = readRows(text.replace(/^\uFEFF/, ""), checkDelimiter(delimiter, "parseCsv"));
  if (!header) return rows;
  const [names = [], ...rest] = rows;
  const twice = names.find((name, position) => names.indexOf(name) < position);
  if (twice !== undefined) throw new TypeError(`parseCsv: the header names "${twice}" twice`);
  return rest.map((cells, position) => {
    if (cells.length > names.length)
      throw new TypeError(
        `parseCsv: row ${position + 1} has ${cells.length} cells, and the header names ${names.length}`,
      );
    return Object.fromEntries(names.map((name, column) => [name, cells[column] ?? ""]));
  });
}

function readRows(text: string, delimiter: string): Row[] {
  if (!text.includes('"'))
    return text
      .split(/\r\n|\n|\r/)
      .filter((line) => line !== "")
      .map((line) => line.split(delimiter));
  const rows: Row[] = [];
  let cells: string[] = [];
  let isEmpty = true;
  for (let at = 0; at <= text.length;) {
    const cell = text[at] === '"' ? readQuoted(text, at, rows.length) : readBare(text, at, delimiter);
    cells.push(cell.value);
    isEmpty &&= cell.value === "" && text[at] !== '"';
    at = cell.end;
    if (text[at] === delimiter) {
      isEmpty = false;
      at += 1;
      continue;
    }
    const next = text[at];
    if (next !== undefined && next !== "\r" && next !== "\n")
      throw new TypeError(`parseCsv: line ${lineAt(text, at)} has text behind a closing quote`);
    if (!isEmpty) rows.push(cells);
    cells = [];
    isEmpty = true;
    at += next === "\r" && text[at + 1] === "\n" ? 2 : 1;
  }
  return rows;
}

interface Cell {
  readonly value: string;
  readonly end: number;
}

function readQuoted(text: string, from: number, rows: number): Cell {
  let value = "";
  for (let start = from + 1; ;) {
    const end = text.indexOf('"', start);
    if (end === -1)
      throw new TypeError(`parseCsv: line ${lineAt(text, from)} has a quote that is never closed, after ${rows} rows`);
    value += text.slice(start, end);
    if (text[end + 1] !== '"') return { value, end: end + 1 };
    value += '"';
    start = end + 2;
  }
}

function readBare(text: string, from: number, delimiter: string): Cell {
  let end = from;
  while (end < text.length && text[end] !== delimiter && text[end] !== "\n" && text[end] !== "\r") end += 1;
  return { value: text.slice(from, end), end };
}

function lineAt(text: string, at: number): number {
  return text.slice(0, at).split(/\r\n|\n|\r/).length;
}

/** Writes CSV (RFC 4180) of objects or lists. What is no text is written as JSON, null as nothing. */
export function formatCsv(
  rows: readonly object[],
  { delimiter = ",", header = true, columns, formulaSafe = false }: Written = {},
): string {
  if (!Array.isArray(rows)) throw new TypeError("formatCsv takes a list of objects or of lists");
  const cut = checkDelimiter(delimiter, "formatCsv");
  const write = (value: unknown): string => writeCell(value, cut, formulaSafe);
  const objects = rows.filter((row) => !Array.isArray(row));
  const names = columns ?? [...new Set(objects.flatMap((row) => Object.keys(row)))];
  const cellsOf = (row: object): unknown[] =>
    Array.isArray(row) ? row : names.map((name) => (Object.hasOwn(row, name) ? Reflect.get(row, name) : null));
  const lines = header && names.length > 0 ? [names, ...rows.map(cellsOf)] : rows.map(cellsOf);
  return lines.map((cells) => `${cells.map(write).join(cut)}\r\n`).join("");
}

function writeCell(value: unknown, delimiter: string, formulaSafe: boolean): string {
  if (value === null || value === undefined) return "";
  if (typeof value !== "string") return quoteIfNeeded(JSON.stringify(value) ?? "", delimiter);
  return quoteIfNeeded(formulaSafe ? guardFormula(value) : value, delimiter);
}

function quoteIfNeeded(text: string, delimiter: string): string {
  return text.includes(delimiter) || /["\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function checkDelimiter(delimiter: string, name: string): string {
  if (typeof delimiter === "string" && delimiter.length === 1 && !'"\r\n'.includes(delimiter)) return delimiter;
  throw new TypeError(`${name} takes a delimiter of one character, such as ";"`);
}
