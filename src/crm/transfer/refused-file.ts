import { isJsonObject, type Json } from "../../json.ts";
import type { Sql } from "../../sql.ts";
import { cellText, csvRow, guardFormula } from "./csv-text.ts";
import { listRefusals, type Import, type RefusedRow } from "./imports.ts";
import { refusalColumns } from "./targets.ts";

const pageRows = 200;

/** The refused rows of an import as a file of the same format, with each row's number and what is wrong. */
export async function* refusedFile(sql: Sql, { id, format, header }: Import): AsyncGenerator<string, void, undefined> {
  const names = header?.names ?? [];
  if (format === "csv") yield csvRow([...names, ...refusalColumns]);
  for (let after = 0; ;) {
    const rows = await listRefusals(sql, { id, limit: pageRows, after });
    const last = rows.at(-1);
    if (last === undefined) return;
    after = last.row;
    yield rows.map((row) => (format === "csv" ? csvLine(row, names.length) : jsonLine(row))).join("");
  }
}

function csvLine({ row, message, content }: RefusedRow, width: number): string {
  const cells = Array.isArray(content) ? content.map(cellText) : [cellText(content)];
  const filled = Array.from({ length: width }, (_, position) => {
    const cell = cells[position] ?? null;
    return cell === null ? null : guardFormula(cell);
  });
  return csvRow([...filled, String(row), message]);
}

/** What could not be read stands under a key of its own. */
function jsonLine({ row, message, content }: RefusedRow): string {
  const [rowKey, reasonKey] = refusalColumns;
  const fields: { readonly [key: string]: Json } = isJsonObject(content) ? content : { _text: content };
  return `${JSON.stringify({ ...fields, [rowKey]: row, [reasonKey]: message })}\n`;
}
