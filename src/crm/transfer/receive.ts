import { ProblemError } from "../../errors.ts";
import { createId } from "../../ids.ts";
import { createCsvReader } from "./csv-rows.ts";
import type { FileRow, RowReader } from "./file-rows.ts";
import { bytesAfter, markLength, readHeader } from "./header.ts";
import {
  claimImport,
  getImport,
  leaseSeconds,
  releaseClaim,
  renewClaim,
  type Header,
  type Import,
  type ImportKey,
} from "./imports.ts";
import { createJsonReader } from "./json-rows.ts";
import { createRowWriter, type ImportContext, type RowWriter } from "./write-rows.ts";

/** Rows that are written together, and their bytes: more would be held, and locked, for longer. */
const batchRows = 1_000;
const batchBytes = 4 * 1024 * 1024;

const renewMs = 5_000;

/** A file as it is sent. */
export interface SentFile {
  readonly id: string;
  /** Its bytes. Throws when the sender breaks off. */
  readonly source: AsyncIterable<Buffer>;
  /** Bytes of the file before these; undefined: it is sent from its beginning. */
  readonly offset?: number | undefined;
  /** False: more of the file comes with another request. */
  readonly isWhole: boolean;
}

/**
 * Reads a file and writes its rows. How far it came is noted with each batch: a file that was broken off
 * goes on where it was, whether it is sent again from the beginning or from there. Gives the import as it
 * is then. Throws ProblemError: 404; 409 for another sender, another file, another offset; 422 for
 * columns that go nowhere.
 */
export async function receiveFile(context: ImportContext, sent: SentFile): Promise<Import> {
  const { pool, workspace } = context;
  const key = { workspaceId: workspace.id, id: sent.id };
  const before = await getImport(pool, key);
  // The answer to the last of it may have been lost.
  if (before.status === "completed") return before;
  const sender = createId();
  const claimed = await claimImport(pool, key, sender);
  if (claimed === undefined) throw await refusalOf(context, key);
  const renewing = setInterval(() => void renewClaim(pool, claimed.id, sender).catch(() => {}), renewMs);
  try {
    const { offset } = claimed;
    if (sent.offset !== undefined && sent.offset !== 0 && sent.offset !== offset) throw wrongOffset(offset);
    const isBehind = sent.offset !== undefined && sent.offset === offset;
    const source = isBehind ? sent.source : bytesAfter(sent.source, claimed);
    const writer = createRowWriter(context, claimed, sender);
    await readFile(source, { context, known: claimed, writer, isWhole: sent.isWhole });
  } finally {
    clearInterval(renewing);
    // A claim that cannot be given back runs out by itself.
    await releaseClaim(pool, claimed.id, sender).catch(() => {});
  }
  return getImport(pool, key);
}

interface Reading {
  readonly context: ImportContext;
  readonly known: Import;
  readonly writer: RowWriter;
  readonly isWhole: boolean;
}

async function readFile(source: AsyncIterable<Buffer>, reading: Reading): Promise<void> {
  const { known, isWhole } = reading;
  const batches = createBatches(reading.writer, known);
  let head: Buffer = Buffer.alloc(0);
  let reader: RowReader | undefined;

  /** Begins to read rows once the first row of the file is there; gives what lies behind it. */
  const begin = async (isLast: boolean): Promise<Buffer> => {
    const begun = beginning(reading, head, isLast);
    if (begun === undefined) return Buffer.alloc(0);
    await reading.writer.check(begun.header);
    batches.begin(begun.header);
    reader = begun.reader;
    return head.subarray(begun.used);
  };
  try {
    for await (const chunk of source) {
      head = reader === undefined ? Buffer.concat([head, chunk]) : chunk;
      const rest = reader === undefined ? await begin(false) : head;
      for (const row of reader?.push(rest) ?? []) await batches.add(row);
    }
  } catch (error) {
    // What came whole is kept, so that the sender need not send it again.
    if (!(error instanceof ProblemError) || error.code === "incomplete-body") await batches.flush(false);
    throw error;
  }
  if (reader === undefined && isWhole) {
    const rest = await begin(true);
    for (const row of reader === undefined ? [] : (reader as RowReader).push(rest)) await batches.add(row);
  }
  if (isWhole) for (const row of reader?.end() ?? []) await batches.add(row);
  await batches.flush(isWhole);
}

/** Where a file's rows begin; undefined: more bytes are needed to tell. */
function beginning(
  { context, known }: Reading,
  head: Buffer,
  isLast: boolean,
): { reader: RowReader; header: Header | null; used: number } | undefined {
  const { format, header, offset, row, settings } = known;
  const isFresh = offset === 0;
  if (isFresh && head.length < 3 && !isLast) return undefined;
  if (format === "json-lines") {
    const used = isFresh ? markLength(head) : 0;
    return { reader: createJsonReader(context.parseJson, { offset: offset + used, row }), header: null, used };
  }
  if (!isFresh && header !== null) {
    return { reader: createCsvReader(header.delimiter, { offset, row }), header, used: 0 };
  }
  const found = readHeader(head, { isLast, delimiter: settings.delimiter });
  if (found === undefined) return undefined;
  const place = { offset: found.bytes, row: found.row };
  return { reader: createCsvReader(found.delimiter, place), header: found, used: found.bytes };
}

/** Rows on their way into the database: while one batch is written, the next is read. */
function createBatches(writer: RowWriter, known: Import) {
  let rows: FileRow[] = [];
  let bytes = 0;
  let header = known.header;
  let done = { offset: known.offset, row: known.row };
  let writing: Promise<void> = Promise.resolve();

  async function write(isWhole: boolean): Promise<void> {
    await writing;
    const last = rows.at(-1);
    if (last !== undefined) done = { offset: last.end, row: last.number };
    const batch = { rows, header, isWhole, ...done };
    [rows, bytes] = [[], 0];
    writing = writer.write(batch);
    // Whoever waits for it next gets the error.
    writing.catch(() => {});
  }

  return {
    begin(found: Header | null): void {
      if (header === null && found !== null) done = { offset: found.bytes, row: found.row };
      header = found;
    },
    async add(row: FileRow): Promise<void> {
      rows.push(row);
      bytes += row.bytes.length;
      if (rows.length >= batchRows || bytes >= batchBytes) await write(false);
    },
    async flush(isWhole: boolean): Promise<void> {
      if (rows.length > 0 || isWhole) await write(isWhole);
      await writing;
    },
  };
}

async function refusalOf(context: ImportContext, key: ImportKey): Promise<ProblemError> {
  const { status } = await getImport(context.pool, key);
  if (status === "cancelled") return new ProblemError(409, "import-cancelled", "The import was cancelled.");
  return new ProblemError(
    409,
    "import-receiving",
    "Another sender is at this import. It goes on where that one ends: send the file again then.",
    { headers: { "retry-after": String(leaseSeconds) } },
  );
}

function wrongOffset(offset: number): ProblemError {
  return new ProblemError(
    409,
    "wrong-offset",
    `The import goes on at byte ${offset}. Send the file from there, or without Upload-Offset from its beginning.`,
    { headers: { "upload-offset": String(offset) } },
  );
}
