import { isUtf8 } from "node:buffer";
import type { JsonObject } from "../../json.ts";

/** A cell of a CSV row; null where there is nothing between its delimiters, not even quotes. */
export type Cell = string | null;

/** What a row holds: cells, an object, or what is wrong with it beside its text. */
export type Content =
  | { readonly kind: "cells"; readonly cells: readonly Cell[] }
  | { readonly kind: "object"; readonly object: JsonObject }
  | { readonly kind: "fault"; readonly fault: string; readonly text: string };

/** A row of a file. */
export interface FileRow {
  /** As a spreadsheet counts: the first row of the file is 1, empty ones count. */
  readonly number: number;
  /** Bytes of the file up to the next row. */
  readonly end: number;
  /** The row as it came, with its line break. */
  readonly bytes: Buffer;
  readonly content: Content;
}

/** Cuts a file into rows as its bytes come; gives those that are complete. */
export interface RowReader {
  push(chunk: Buffer): FileRow[];
  /** What is left when the file is over. */
  end(): FileRow[];
}

/** Where reading begins. */
export interface Place {
  /** Bytes of the file before it. */
  readonly offset: number;
  /** Rows of the file before it. */
  readonly row: number;
}

/**
 * Reads the row at the beginning of `bytes`: where it ends, and what it holds; undefined for a row that
 * is empty. Nothing at all: more bytes are needed. `isLast`: there will be no more.
 */
export type ReadRow = (
  bytes: Buffer,
  isLast: boolean,
) => { readonly end: number; readonly content: Content | undefined } | undefined;

/** Of a row: a longer one would not fit into memory many times over. */
export const longestRow = 4 * 1024 * 1024;
/** Of a row that cannot be read, for people to find it. */
const shownText = 2_000;

const lineFeed = 0x0a;

/** Reads a file row by row. No more than a row, 4 MiB at most, and a chunk are held. */
export function createRowReader(readRow: ReadRow, place: Place): RowReader {
  let { offset, row } = place;
  let pending: Buffer = Buffer.alloc(0);
  /** The beginning of a row that is too long, until its line ends. */
  let skipped: Buffer | undefined;

  function take(length: number, content: Content | undefined): FileRow[] {
    const bytes = pending.subarray(0, length);
    pending = pending.subarray(length);
    offset += length;
    row += 1;
    return content === undefined ? [] : [{ number: row, end: offset, bytes, content }];
  }

  /** A row past all bounds ends with its line; until then it is thrown away. */
  function skip(isLast: boolean): FileRow[] | undefined {
    const line = pending.indexOf(lineFeed);
    if (line !== -1 || isLast) {
      const found = take(line === -1 ? pending.length : line + 1, tooLong(skipped ?? pending));
      skipped = undefined;
      return found;
    }
    skipped ??= Buffer.from(pending.subarray(0, shownText));
    offset += pending.length;
    pending = Buffer.alloc(0);
    return undefined;
  }

  function read(isLast: boolean): FileRow[] {
    const rows: FileRow[] = [];
    while (pending.length > 0 || (isLast && skipped !== undefined)) {
      const isFull = pending.length > longestRow;
      if (skipped !== undefined || (isFull && pending.indexOf(lineFeed) === -1)) {
        const found = skip(isLast);
        if (found === undefined) break;
        rows.push(...found);
        continue;
      }
      const found = readRow(pending, isLast || isFull);
      if (found === undefined) break;
      rows.push(...take(found.end, found.content));
    }
    return rows;
  }

  return {
    push(chunk) {
      pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
      return read(false);
    },
    end: () => read(true),
  };
}

function tooLong(beginning: Buffer): Content {
  return faultOf(`is longer than ${longestRow / 1024 / 1024} MiB`, beginning);
}

/** What cannot be read, with as much of it as helps to find it. */
export function faultOf(fault: string, bytes: Buffer | string): Content {
  const text = typeof bytes === "string" ? bytes : bytes.subarray(0, shownText * 4).toString("utf8");
  return {
    kind: "fault",
    fault,
    text: text
      .slice(0, shownText)
      .toWellFormed()
      .replace(/\r?\n$/, ""),
  };
}

/** The text of a line without its break; a fault where it is not UTF-8. */
export function decodeLine(bytes: Buffer): string | Content {
  let end = bytes.length;
  if (bytes[end - 1] === lineFeed) end -= bytes[end - 2] === 0x0d ? 2 : 1;
  else if (bytes[end - 1] === 0x0d) end -= 1;
  const line = bytes.subarray(0, end);
  if (isUtf8(line)) return line.toString("utf8");
  return faultOf("is not valid UTF-8; save the file as UTF-8", line);
}
