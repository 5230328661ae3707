import { ProblemError, type Issue } from "../../errors.ts";
import type { Json, JsonObject } from "../../json.ts";
import type { SqlPool } from "../../sql.ts";
import { workspaceColumns, type Workspace } from "../../workspace.ts";
import { upsertRecords, type Refusal, type RowOutcome } from "../batch.ts";
import { getObjects } from "../load-objects.ts";
import type { Actor, CrmObject, Objects } from "../objects.ts";
import { createWriter } from "../writer.ts";
import type { Content, FileRow } from "./file-rows.ts";
import { tailBytes } from "./header.ts";
import { noteProgress, type Header, type Import, type RefusedRow } from "./imports.ts";
import { findRelated, withRelated } from "./lookups.ts";
import { createKnownColumns, readRecord, type RecordReading } from "./records.ts";
import { findColumns } from "./targets.ts";

/** Who imports, and what reading needs besides. */
export interface ImportContext {
  readonly pool: SqlPool;
  readonly workspace: Workspace;
  /** By the name of whoever sends the file. */
  readonly actor: Actor;
  /** Reads JSON as strictly as a request's body. Throws an error that says what is wrong. */
  parseJson(text: string): Json;
  /** Called after a batch of rows was committed. */
  written?(): void;
}

/** A batch of rows that come one after another in the file. */
export interface RowBatch {
  readonly rows: readonly FileRow[];
  /** Of CSV. */
  readonly header: Header | null;
  /** Bytes and rows of the file that are done with once these are written. */
  readonly offset: number;
  readonly row: number;
  readonly isWhole: boolean;
}

/** Writes an import's rows, batch by batch. */
export interface RowWriter {
  /** Throws ProblemError 422 where the columns of the first row do not go anywhere. */
  check(header: Header | null): Promise<void>;
  write(batch: RowBatch): Promise<void>;
}

/** Writes rows for an import that `sender` has claimed. */
export function createRowWriter(context: ImportContext, known: Import, sender: string): RowWriter {
  let reading: (RecordReading & { readonly workspace: Workspace }) | undefined;

  /** As objects and fields are now: they may change while a file is read. */
  async function readingNow(header: Header | null): Promise<NonNullable<typeof reading>> {
    const workspace = await currentWorkspace(context);
    const objects = await getObjects(context.pool, workspace);
    if (reading?.objects === objects) return reading;
    const object = getObject(objects, known.object);
    const { settings } = known;
    const { parseJson } = context;
    const { names } = header ?? { names: [] };
    const columns = header === null ? [] : getColumns({ objects, object }, names, settings.mapping);
    reading = {
      workspace,
      objects,
      object,
      settings,
      parseJson,
      columns,
      width: names.length,
      known: createKnownColumns(),
    };
    return reading;
  }

  return {
    check: async (header) => void (await readingNow(header)),
    async write(batch) {
      const { settings } = known;
      const now = await readingNow(batch.header);
      const { good, refused } = await sortOut(context, batch.rows, now);
      const { workspace, objects, object } = now;
      const writer = createWriter({ pool: context.pool, workspace, objects, actor: context.actor });
      await upsertRecords(writer, {
        object,
        rows: good.map(({ values }) => values),
        match: settings.match,
        modes: settings.modes,
        records: false,
        andThen: (sql, outcomes) =>
          noteProgress(
            sql,
            { id: known.id, sender },
            { ...batch, ...tally(good, outcomes, refused), tail: tailOf(batch) },
          ),
      });
      context.written?.();
    },
  };
}

interface GoodRow {
  readonly row: FileRow;
  readonly values: JsonObject;
}

async function sortOut(
  { pool }: ImportContext,
  rows: readonly FileRow[],
  reading: RecordReading,
): Promise<{ good: GoodRow[]; refused: RefusedRow[] }> {
  const read = rows.map((row) => ({ row, record: readRecord(row, reading) }));
  const lookups = read.flatMap(({ record }) => ("lookups" in record ? record.lookups : []));
  const found = await findRelated(pool, lookups);
  const good: GoodRow[] = [];
  const refused: RefusedRow[] = [];
  for (const { row, record } of read) {
    const sorted = "refusal" in record ? record : withRelated(record, found);
    if ("refusal" in sorted) refused.push(refusedRow(row, sorted.refusal));
    else good.push({ row, values: sorted.values });
  }
  return { good, refused };
}

/** Of several rows that make one record the first made it, and the others changed it. */
function tally(good: readonly GoodRow[], outcomes: readonly RowOutcome[], refused: readonly RefusedRow[]) {
  const made = new Set<string | null>();
  const counts = { created: 0, updated: 0, unchanged: 0, refused: 0 };
  for (const { outcome, id } of outcomes) {
    counts[outcome === "created" && made.has(id) ? "updated" : outcome] += 1;
    if (outcome === "created") made.add(id);
  }
  const byDatabase = good.flatMap(({ row }, position) => {
    const refusal = outcomes[position]?.refusal;
    return refusal === undefined ? [] : [refusedRow(row, refusal)];
  });
  const { created, updated, unchanged } = counts;
  return { created, updated, unchanged, refusals: [...refused, ...byDatabase] };
}

function refusedRow({ number, content }: FileRow, { code, message, issues }: Refusal): RefusedRow {
  return { row: number, code, message, ...(issues === undefined ? {} : { issues }), content: contentJson(content) };
}

function contentJson(content: Content): Json {
  if (content.kind === "cells") return [...content.cells];
  return content.kind === "object" ? content.object : content.text;
}

function tailOf({ rows }: RowBatch): Buffer {
  return rows.at(-1)?.bytes.subarray(-tailBytes) ?? Buffer.alloc(0);
}

async function currentWorkspace({ pool, workspace }: ImportContext): Promise<Workspace> {
  const { rows } = await pool.query<{ workspace: Workspace }>(
    `select ${workspaceColumns} as workspace from tandem.workspaces w where w.id = $1::uuid`,
    [workspace.id],
  );
  return rows[0]?.workspace ?? workspace;
}

function getObject(objects: Objects, name: string): CrmObject {
  const object = objects.find(name);
  if (object === undefined)
    throw new ProblemError(409, "object-not-found", `The object "${name}" is not there any more.`);
  return object;
}

function getColumns(
  context: { objects: Objects; object: CrmObject },
  names: readonly string[],
  mapping: Import["settings"]["mapping"],
): RecordReading["columns"] {
  const { columns, issues } = findColumns(context, names, mapping);
  if (issues.length > 0) throw unusableColumns(issues);
  return columns.read;
}

function unusableColumns(issues: readonly Issue[]): ProblemError {
  return new ProblemError(
    422,
    "unusable-columns",
    "The columns of the file do not all go somewhere: name the fields in `mapping`, with null for columns to leave out. Nothing was imported.",
    { issues },
  );
}
