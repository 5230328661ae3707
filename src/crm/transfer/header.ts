import { createHash } from "node:crypto";
import { ProblemError } from "../../errors.ts";
import { createCsvReader, detectDelimiter, splitCells, type Delimiter } from "./csv-rows.ts";
import { decodeLine } from "./file-rows.ts";
import type { Header } from "./imports.ts";

const mostColumns = 1_000;
const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);

/** Bytes before the first row: those of a byte order mark. Throws ProblemError 422 for UTF-16. */
export function markLength(head: Buffer): number {
  const [first, second] = head;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff))
    throw unreadable("The file is UTF-16. Save it as UTF-8.");
  return head.subarray(0, 3).equals(byteOrderMark) ? 3 : 0;
}

/**
 * The first row of a CSV file, from the file's first bytes; undefined: more of them are needed. Throws
 * ProblemError 422 for one that names no columns.
 */
export function readHeader(
  head: Buffer,
  { isLast, delimiter }: { isLast: boolean; delimiter: Delimiter | undefined },
): Header | undefined {
  const mark = markLength(head);
  // Where rows end does not depend on the delimiter.
  const reader = createCsvReader(",", { offset: mark, row: 0 });
  const [row] = [...reader.push(head.subarray(mark)), ...(isLast ? reader.end() : [])];
  if (row === undefined) {
    if (isLast) throw unreadable("The file is empty: its first row names the columns.");
    return undefined;
  }
  const text = decodeLine(row.bytes);
  if (typeof text !== "string") throw unreadable("The first row is not valid UTF-8. Save the file as UTF-8.");
  const used = delimiter ?? detectDelimiter(text);
  const cells = splitCells(text, used);
  if (typeof cells === "string") throw unreadable(`The first row ${cells}.`);
  if (cells.length > mostColumns)
    throw unreadable(`The first row has ${cells.length} cells; ${mostColumns} columns are possible.`);
  return {
    names: cells.map((cell) => cell?.trim() ?? ""),
    delimiter: used,
    bytes: row.end,
    row: row.number,
    hash: hashOf(head.subarray(0, row.end)),
  };
}

/** What tells that two files begin with the same header. */
function hashOf(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** The part of a file that lies before where reading goes on. */
export interface Done {
  readonly offset: number;
  readonly header: Header | null;
  /** The last bytes before the offset. */
  readonly tail: Buffer;
}

/** So much of what was read last is remembered, to know the file by. */
export const tailBytes = 64;

/**
 * The bytes of a file behind what is done with. Throws ProblemError 409 for a file that is not the one
 * whose beginning was read.
 */
export async function* bytesAfter(source: AsyncIterable<Buffer>, done: Done): AsyncGenerator<Buffer, void, undefined> {
  const { offset, header, tail } = done;
  const hash = createHash("sha256");
  let at = 0;
  let last: Buffer = Buffer.alloc(0);
  for await (const chunk of source) {
    if (at >= offset) {
      yield chunk;
      continue;
    }
    const known = chunk.subarray(0, offset - at);
    if (header !== null && at < header.bytes) hash.update(known.subarray(0, header.bytes - at));
    last = Buffer.concat([last, known.subarray(-tailBytes)]).subarray(-tailBytes);
    at += known.length;
    if (at < offset) continue;
    if (header !== null && hash.digest("hex") !== header.hash)
      throw anotherFile("its first row is not the one that was read");
    if (!last.subarray(last.length - tail.length).equals(tail))
      throw anotherFile(`what lies before byte ${offset} is not what was read there`);
    if (known.length < chunk.length) yield chunk.subarray(known.length);
  }
  if (at < offset) throw anotherFile(`it has ${at} bytes, and ${offset} were read already`);
}

function anotherFile(why: string): ProblemError {
  return new ProblemError(
    409,
    "another-file",
    `This is not the file that the import began with: ${why}. Send that file, or make another import.`,
  );
}

function unreadable(detail: string): ProblemError {
  return new ProblemError(422, "unreadable-file", detail);
}
