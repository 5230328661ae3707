import { parse } from "csv-parse/sync";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createCsvReader, delimiters, detectDelimiter, splitCells } from "../../../src/crm/transfer/csv-rows.ts";
import type { FileRow, RowReader } from "../../../src/crm/transfer/file-rows.ts";

const start = { offset: 0, row: 0 };

/** Reads a file in pieces of these sizes, over and over. */
function readAll(reader: RowReader, file: Buffer, sizes: readonly number[] = [file.length || 1]): FileRow[] {
  const rows: FileRow[] = [];
  for (let from = 0, piece = 0; from < file.length; piece++) {
    const size = sizes[piece % sizes.length]!;
    for (const row of reader.push(file.subarray(from, from + size))) rows.push(row);
    from += size;
  }
  return [...rows, ...reader.end()];
}

const cellsOf = (rows: readonly FileRow[]) =>
  rows.map(({ content }) => (content.kind === "cells" ? content.cells.map((cell) => cell ?? "") : content.kind));

const cell = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 12 }),
  fc.string({ unit: fc.constantFrom('"', ",", ";", "\t", "|", "\n", "\r\n", " ", "x", "é"), maxLength: 8 }),
);
/** The end of a line is what a row ends with: a cell that ends with one would be cut when it is not quoted. */
const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;
const needsQuotes = (text: string): boolean => /[",;\t|\r\n]/.test(text);

describe("well-formed files", () => {
  test("are read as another reader reads them, however they are cut into pieces", () => {
    const file = fc.record({
      rows: fc.array(fc.array(fc.record({ text: cell, quote: fc.boolean() }), { minLength: 1, maxLength: 5 }), {
        minLength: 1,
        maxLength: 8,
      }),
      delimiter: fc.constantFrom(...delimiters),
      lineEnd: fc.constantFrom("\n", "\r\n"),
      isEnded: fc.boolean(),
      sizes: fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 4 }),
    });
    fc.assert(
      fc.property(file, ({ rows, delimiter, lineEnd, isEnded, sizes }) => {
        const lines = rows.map((cells) =>
          cells.map(({ text, quote }) => (quote || needsQuotes(text) ? quoted(text) : text)).join(delimiter),
        );
        const text = lines.join(lineEnd) + (isEnded ? lineEnd : "");
        const found = cellsOf(readAll(createCsvReader(delimiter, start), Buffer.from(text), sizes));
        const expected = parse(text, {
          delimiter,
          relax_column_count: true,
          record_delimiter: ["\r\n", "\n"],
        }) as string[][];
        const isFull = (cells: readonly string[]): boolean => cells.some((each) => each !== "") && !isBlank(cells);
        expect((found as string[][]).filter(isFull)).toEqual(expected.filter(isFull));
      }),
      { numRuns: 500 },
    );
  });

  test("say where each row ends, so that reading can go on behind any of them", () => {
    const file = Buffer.from('a,b\r\n1,"x\n""y"""\r\n\n2,é\n3,');
    const rows = readAll(createCsvReader(",", start), file);
    expect(rows.map(({ number }) => number)).toEqual([1, 2, 4, 5]);
    expect(rows.at(-1)?.end).toBe(file.length);
    for (const [position, { end, number }] of rows.entries()) {
      const rest = readAll(createCsvReader(",", { offset: end, row: number }), file.subarray(end), [3]);
      expect(rest.map(({ content }) => content)).toEqual(rows.slice(position + 1).map(({ content }) => content));
      expect(rest.map((row) => [row.number, row.end])).toEqual(
        rows.slice(position + 1).map((row) => [row.number, row.end]),
      );
    }
  });

  test("tell an empty cell from a quoted one that is empty", () => {
    expect(splitCells('a,,"",', ",")).toEqual(["a", null, "", null]);
  });
});

/** A line of nothing but spaces is no row. */
function isBlank(cells: readonly string[]): boolean {
  return cells.length === 1 && cells[0]?.trim() === "";
}

describe("a broken row", () => {
  test.each([
    ['a "b",c', "has a quote where the cell does not begin with one in cell 1"],
    ['a,"b"c', "has text behind a closing quote in cell 2"],
    ['a,"b', "has a quote that is never closed in cell 2"],
  ])("%s is a fault of its line alone", (line, fault) => {
    const rows = readAll(createCsvReader(",", start), Buffer.from(`1,2\n${line}\n3,4\n5,6\n`));
    expect(rows.map(({ content }) => (content.kind === "fault" ? content.fault : "fine"))).toEqual([
      "fine",
      fault,
      "fine",
      "fine",
    ]);
    expect(rows.map(({ number }) => number)).toEqual([1, 2, 3, 4]);
  });

  test("of a hundred stray quotes costs a hundred rows", () => {
    const file = Array.from({ length: 300 }, (_, i) => (i % 3 === 0 ? `${i},5" pipe` : `${i},good`)).join("\n");
    const rows = readAll(createCsvReader(",", start), Buffer.from(file), [64]);
    expect(rows.filter(({ content }) => content.kind === "cells")).toHaveLength(200);
    expect(rows).toHaveLength(300);
  });

  test("that is too long is held no longer than a row may be, and the next one is read", () => {
    const reader = createCsvReader(",", start);
    const piece = Buffer.alloc(64 * 1024, "x");
    const rows: FileRow[] = [];
    for (let i = 0; i < 200; i++) rows.push(...reader.push(piece));
    rows.push(...reader.push(Buffer.from("\nshort,1\n")), ...reader.end());
    expect(rows.map(({ content, number, end }) => [content.kind, number, end])).toEqual([
      ["fault", 1, 200 * piece.length + 1],
      ["cells", 2, 200 * piece.length + 9],
    ]);
  });

  test("of an open quote does not swallow the rest of a long file", () => {
    const lines = Array.from({ length: 200_000 }, (_, i) => `${i},a line without any quote`);
    const rows = readAll(createCsvReader(",", start), Buffer.from(`a,"open\n${lines.join("\n")}\n`), [64 * 1024]);
    expect(rows).toHaveLength(200_001);
    expect(rows.filter(({ content }) => content.kind === "fault")).toHaveLength(1);
  });
});

test.each([
  ["name;city;zip", ";"],
  ["name,city", ","],
  ["a\tb\tc", "\t"],
  ['"a,b,c,d";e', ";"],
  ["name", ","],
])("the header %j is divided by %j", (header, delimiter) => {
  expect(detectDelimiter(header)).toBe(delimiter);
});
