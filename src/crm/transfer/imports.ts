import { ProblemError } from "../../errors.ts";
import { createId } from "../../ids.ts";
import type { Json } from "../../json.ts";
import type { Sql } from "../../sql.ts";
import type { Refusal } from "../batch.ts";
import type { Delimiter } from "./csv-rows.ts";
import { importSettings, type Format, type ImportSettings } from "./settings.ts";

/** The first row of a CSV file. */
export interface Header {
  readonly names: readonly string[];
  readonly delimiter: Delimiter;
  /** Bytes up to the first row of values, and their hash. */
  readonly bytes: number;
  readonly hash: string;
  /** Its place in the file: rows before it are empty. */
  readonly row: number;
}

/** A file on its way into an object's table. */
export interface Import {
  readonly id: string;
  readonly object: string;
  readonly format: Format;
  readonly settings: ImportSettings;
  /** `receiving`: somebody sends the file now. `waiting`: for the file, or for the rest of it. */
  readonly status: "waiting" | "receiving" | "completed" | "cancelled";
  readonly header: Header | null;
  /** Bytes of the file that are done with. */
  readonly offset: number;
  /** The last row that is done with, as a spreadsheet counts. */
  readonly row: number;
  readonly created: number;
  readonly updated: number;
  readonly unchanged: number;
  readonly refused: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly endedAt: Date | null;
}

/** How long a sender that says nothing is taken for one that goes on; it says so more often. */
export const leaseSeconds = 15;

const columns = `i.id, i.object, i.format, i.settings, case when i.status = 'waiting' and i.lease_until > now() then 'receiving' else i.status end as status,
  i.header, i.byte_offset as "offset", i.row_number as "row", i.created_count as created, i.updated_count as updated,
  i.unchanged_count as unchanged, i.refused_count as refused, i.created_at as "createdAt", i.updated_at as "updatedAt", i.ended_at as "endedAt"`;

export interface NewImport {
  readonly workspaceId: string;
  readonly object: string;
  readonly format: Format;
  readonly settings: ImportSettings;
}

export async function createImport(sql: Sql, wanted: NewImport): Promise<Import> {
  const { rows } = await sql.query<Import>(
    `insert into tandem.imports as i (id, workspace_id, object, format, settings)
     values ($1::uuid, $2::uuid, $3::text, $4::text, $5::jsonb) returning ${columns}`,
    [createId(), wanted.workspaceId, wanted.object, wanted.format, JSON.stringify(wanted.settings)],
  );
  return only(rows, "The import was not made.");
}

export interface ImportKey {
  readonly workspaceId: string;
  readonly id: string;
}

/** Throws ProblemError 404. */
export async function getImport(sql: Sql, { workspaceId, id }: ImportKey): Promise<Import> {
  const { rows } = await sql.query<Import>(
    `select ${columns} from tandem.imports i where i.id = $1::uuid and i.workspace_id = $2::uuid`,
    [id, workspaceId],
  );
  if (rows[0] === undefined) throw new ProblemError(404, "import-not-found", `There is no import ${id}.`);
  return parse(rows[0]);
}

/** Newest first; `before` is the id of the last of the page before. */
export async function listImports(
  sql: Sql,
  { workspaceId, limit, before }: { workspaceId: string; limit: number; before?: string | undefined },
): Promise<Import[]> {
  const { rows } = await sql.query<Import>(
    `select ${columns} from tandem.imports i
     where i.workspace_id = $1::uuid and ($2::uuid is null or i.id < $2::uuid) order by i.id desc limit $3::integer`,
    [workspaceId, before ?? null, limit],
  );
  return rows.map(parse);
}

/** Makes `sender` the one who sends the file. Undefined: the import is not open, or somebody else is at it. */
export async function claimImport(
  sql: Sql,
  { workspaceId, id }: ImportKey,
  sender: string,
): Promise<(Import & { readonly tail: Buffer }) | undefined> {
  const { rows } = await sql.query<Import & { tail: Buffer }>(
    `update tandem.imports i set sender = $3::uuid, lease_until = now() + interval '${leaseSeconds} seconds', updated_at = now()
     where i.id = $1::uuid and i.workspace_id = $2::uuid and i.status = 'waiting' and (i.lease_until is null or i.lease_until <= now())
     returning ${columns}, i.tail`,
    [id, workspaceId, sender],
  );
  return rows[0] === undefined ? undefined : { ...parse(rows[0]), tail: rows[0].tail };
}

/** Says that the sender goes on. */
export async function renewClaim(sql: Sql, id: string, sender: string): Promise<void> {
  await sql.query(
    `update tandem.imports set lease_until = now() + interval '${leaseSeconds} seconds' where id = $1::uuid and sender = $2::uuid`,
    [id, sender],
  );
}

/** Lets another sender go on at once. */
export async function releaseClaim(sql: Sql, id: string, sender: string): Promise<void> {
  await sql.query(
    "update tandem.imports set sender = null, lease_until = null where id = $1::uuid and sender = $2::uuid",
    [id, sender],
  );
}

/** A row that was not written, and why. */
export interface RefusedRow extends Refusal {
  readonly row: number;
  /** A list of texts, an object, or the text that could not be read. */
  readonly content: Json;
}

/** How far a file is done with. */
export interface Progress {
  readonly offset: number;
  readonly row: number;
  /** The last bytes before the offset. */
  readonly tail: Buffer;
  readonly header: Header | null;
  readonly created: number;
  readonly updated: number;
  readonly unchanged: number;
  readonly refusals: readonly RefusedRow[];
  /** Whether it was the whole file. */
  readonly isWhole: boolean;
}

/**
 * Notes what became of rows, in the transaction that writes them. Throws ProblemError 409 where the
 * import was cancelled or another sender has it: then nothing of the batch is kept.
 */
export async function noteProgress(
  sql: Sql,
  { id, sender }: { id: string; sender: string },
  progress: Progress,
): Promise<void> {
  const { header, refusals } = progress;
  const { rowCount } = await sql.query(
    `with noted as (
       update tandem.imports set byte_offset = $3::bigint, row_number = $4::bigint, tail = $5::bytea, header = coalesce(header, $6::jsonb),
         created_count = created_count + $7::integer, updated_count = updated_count + $8::integer,
         unchanged_count = unchanged_count + $9::integer, refused_count = refused_count + $10::integer,
         status = case when $11::boolean then 'completed' else status end, ended_at = case when $11::boolean then now() end,
         lease_until = now() + interval '${leaseSeconds} seconds', updated_at = now()
       where id = $1::uuid and sender = $2::uuid and status = 'waiting' returning id
     ), kept as (
       insert into tandem.import_refusals (import_id, row_number, code, message, issues, content)
       select n.id, r."row", r.code, r.message, r.issues, r.content
       from noted n, jsonb_to_recordset($12::jsonb) as r("row" bigint, code text, message text, issues jsonb, content jsonb)
     )
     select 1 from noted`,
    [
      id,
      sender,
      progress.offset,
      progress.row,
      progress.tail,
      header === null ? null : JSON.stringify(header),
      progress.created,
      progress.updated,
      progress.unchanged,
      refusals.length,
      progress.isWhole,
      storableJson(refusals.map(({ issues = [], ...refusal }) => ({ ...refusal, issues }))),
    ],
  );
  if (rowCount === 1) return;
  throw new ProblemError(409, "import-taken", "The import was cancelled, or another sender has taken it over.");
}

/** Postgres keeps neither NUL nor halves of characters: they are shown as what stands for them. */
function storableJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === "string" ? part.replaceAll("\u0000", "\u2400").toWellFormed() : part,
  );
}

/** Throws ProblemError: 404, 409 for one that is completed. What was imported stays. */
export async function cancelImport(sql: Sql, key: ImportKey): Promise<Import> {
  const { rows } = await sql.query<Import>(
    `update tandem.imports i set status = 'cancelled', sender = null, lease_until = null, ended_at = coalesce(ended_at, now()), updated_at = now()
     where i.id = $1::uuid and i.workspace_id = $2::uuid and i.status in ('waiting', 'cancelled') returning ${columns}`,
    [key.id, key.workspaceId],
  );
  if (rows[0] !== undefined) return parse(rows[0]);
  await getImport(sql, key);
  throw new ProblemError(409, "import-completed", "The import is completed: there is nothing left to cancel.");
}

/** Refused rows in the file's order, those after a row. */
export async function listRefusals(
  sql: Sql,
  { id, limit, after }: { id: string; limit: number; after: number },
): Promise<RefusedRow[]> {
  const { rows } = await sql.query<RefusedRow>(
    `select row_number as "row", code, message, issues, content from tandem.import_refusals
     where import_id = $1::uuid and row_number > $2::bigint order by row_number limit $3::integer`,
    [id, after, limit],
  );
  return rows;
}

/** Forgets imports that nothing was done with since `limit`, with their refused rows. */
export async function forgetImports(sql: Sql, limit: Date): Promise<number> {
  const { rowCount } = await sql.query("delete from tandem.imports where updated_at < $1", [limit]);
  return rowCount ?? 0;
}

function parse(row: Import): Import {
  return { ...row, settings: importSettings.parse(row.settings) };
}

function only<T>(rows: readonly T[], fault: string): T {
  const [row] = rows;
  if (row === undefined) throw new Error(fault);
  return row;
}
