import { didYouMean } from "../../definition/suggest.ts";
import type { Issue } from "../../errors.ts";
import { isJsonObject, type Json, type JsonObject } from "../../json.ts";
import { createStatement, type Sql } from "../../sql.ts";
import { recordJson, type CrmField, type CrmObject } from "../objects.ts";
import { writeDouble } from "../plain-values.ts";
import { matchingSql, type Selection } from "../selection.ts";
import { unknownField } from "../values.ts";
import { cellText, csvRow, guardFormula } from "./csv-text.ts";
import type { Format } from "./settings.ts";

/** A page is no more than this many records, and no more than this many bytes beyond its first. */
const pageRecords = 1_000;
const pageBytes = 4 * 1024 * 1024;

/** What is written of a record: a field, or a part of one; undefined: its id. */
export interface Written {
  readonly path: string;
  readonly field: CrmField | undefined;
  readonly part?: string;
}

export interface ExportRequest extends Selection {
  readonly format: Format;
  /** What is written besides the id, which comes first; undefined: everything. */
  readonly written: readonly Written[] | undefined;
  /** The id of the last record that the caller has: its file goes on behind it. */
  readonly after: string | undefined;
  /** Whether texts that spreadsheets would reckon with stay as they are. */
  readonly rawFormulas: boolean;
}

const idColumn: Written = { path: "id", field: undefined };

/**
 * Records as a file, in the order of their ids, a page at a time: memory does not depend on how many
 * there are. A record that is made meanwhile is in it, since its id is later.
 */
export async function* exportRecords(sql: Sql, request: ExportRequest): AsyncGenerator<string, void, undefined> {
  const { object, format, written } = request;
  const columns = [idColumn, ...(written ?? allOf(object)).filter(({ field }) => field !== undefined)];
  // A file that goes on has its first row already. It comes with the first page, which may be refused.
  let head = format === "csv" && request.after === undefined ? csvRow(columns.map(({ path }) => path)) : "";
  for (let after = request.after; ;) {
    const page = await readPage(sql, { ...request, after }, columns);
    const last = page.at(-1);
    if (last !== undefined || head !== "")
      yield head + page.map(({ record }) => writeRecord(record, columns, request)).join("");
    if (last === undefined) return;
    [head, after] = ["", last.id];
  }
}

interface Row {
  readonly id: string;
  /** JSON text. */
  readonly record: string;
}

async function readPage(sql: Sql, request: ExportRequest, columns: readonly Written[]): Promise<Row[]> {
  const { object, after } = request;
  const statement = createStatement();
  const fields = [...new Set(columns.flatMap(({ field }) => (field === undefined ? [] : [field])))];
  const beyond = after === undefined ? "" : ` and t.id > ${statement.param(after, "uuid")}`;
  const matching = `${matchingSql(statement, request)}${beyond}`;
  const { text, values } = statement.query(
    `select q.id, q.record from (
       select p.id, p.record, sum(octet_length(p.record)) over (order by p.id) - octet_length(p.record) as before from (
         select t.id, (${recordJson({ ...object, fields }, "t")})::text as record from ${object.table} t
         where ${matching} order by t.id limit ${pageRecords}) p) q
     where q.before < ${pageBytes} order by q.id`,
  );
  const { rows } = await sql.query<Row>(text, values);
  return rows;
}

function writeRecord(record: string, columns: readonly Written[], request: ExportRequest): string {
  const { format, written, rawFormulas } = request;
  if (format === "json-lines" && written === undefined) return `${record}\n`;
  const values: JsonObject = JSON.parse(record);
  if (format === "json-lines") return `${JSON.stringify(partsOf(values, columns))}\n`;
  return csvRow(
    columns.map((column) => {
      const text = textOf(values, column);
      return text === null || rawFormulas || !isFreeText(column) ? text : guardFormula(text);
    }),
  );
}

function textOf(values: JsonObject, { path, field, part }: Written): string | null {
  const whole = values[field?.name ?? path] ?? null;
  const value = part === undefined ? whole : isJsonObject(whole) ? (whole[part] ?? null) : null;
  if (typeof value === "number") return writeDouble(value);
  return field?.type === "RAW_JSON" && value !== null ? JSON.stringify(value) : cellText(value);
}

/** Whether people can write in it what they like. */
function isFreeText({ field, part }: Written): boolean {
  if (field === undefined) return false;
  return part === undefined ? field.type === "TEXT" : field.info.subFields?.[part]?.kind === "text";
}

function partsOf(values: JsonObject, columns: readonly Written[]): JsonObject {
  const parts: JsonObject = {};
  for (const { path, field, part } of columns) {
    const name = field?.name ?? path;
    const whole: Json = values[name] ?? null;
    if (part === undefined || !isJsonObject(whole)) parts[name] = whole;
    else parts[name] = { ...asObject(parts[name]), [part]: whole[part] ?? null };
  }
  return parts;
}

function asObject(value: Json | undefined): JsonObject {
  return isJsonObject(value) ? value : {};
}

/** Every field; of composites each part. */
function allOf(object: CrmObject): Written[] {
  return object.fields.flatMap(columnsOf);
}

function columnsOf(field: CrmField): Written[] {
  const parts = Object.keys(field.info.subFields ?? {});
  if (parts.length === 0) return [{ path: field.name, field }];
  return parts.map((part) => ({ path: `${field.name}.${part}`, field, part }));
}

/** What paths name: fields, with all their parts, or single parts; and what is wrong with them. */
export function findWritten(object: CrmObject, paths: readonly string[]): { written: Written[]; issues: Issue[] } {
  const issues: Issue[] = [];
  const written = [...new Set(paths)].flatMap((path) => {
    if (path === "id") return [];
    const [name = "", part] = path.split(".");
    const field = object.field(name);
    if (field === undefined) issues.push({ path: "fields", message: unknownField(object, name) });
    if (field === undefined) return [];
    if (part === undefined) return columnsOf(field);
    const found = columnsOf(field).filter((column) => column.path === path);
    const known = columnsOf(field).map((column) => column.path);
    if (found.length === 0)
      issues.push({ path: "fields", message: `${object.name} has no "${path}"${didYouMean(path, known)}` });
    return found;
  });
  return { written, issues };
}
