import { ProblemError } from "../../errors.ts";
import { isJsonObject, type Json, type JsonObject } from "../../json.ts";
import { identifier, type Sql } from "../../sql.ts";
import { qualified, type Table } from "../ddl.ts";
import type { StoredField } from "./stored.ts";

/** Options come and are renamed without a look at the records; one that records hold stays. */
export async function refuseLostOptions(
  sql: Sql,
  table: Table,
  { field, settings }: { field: StoredField; settings: JsonObject },
): Promise<void> {
  const kept = new Set(valuesOf(settings));
  const lost = valuesOf(field.settings).filter((value) => !kept.has(value));
  if (lost.length === 0) return;
  const column = identifier(field.columnName);
  const holds = field.type === "SELECT" ? `${column} = any($1::text[])` : `${column} && $1::text[]`;
  const { rows } = await sql.query<{ id: string }>(`select id from ${qualified(table)} where ${holds} limit 10`, [
    lost,
  ]);
  if (rows.length === 0) return;
  throw new ProblemError(
    409,
    "option-in-use",
    `Records hold ${lost.join(" or ")}, among them ${rows.map(({ id }) => id).join(", ")}. Give them another option first.`,
    { issues: rows.map(({ id }) => ({ path: id, message: "holds it" })) },
  );
}

function valuesOf({ options }: JsonObject): string[] {
  return (Array.isArray(options) ? options : []).flatMap((option: Json) =>
    isJsonObject(option) && typeof option["value"] === "string" ? [option["value"]] : [],
  );
}
