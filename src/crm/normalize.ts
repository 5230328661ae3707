import { literal } from "../sql.ts";
import type { CrmField } from "./objects.ts";

type Compared = Pick<CrmField, "compares">;

/**
 * SQL: a text as it is compared, null where it is empty. Unique indexes are built on exactly this
 * expression, and filters write it for the column and for the value, so that an equality finds the index.
 * A domain is the host alone, without scheme, `www.`, port, path and a closing dot.
 */
export function comparable({ compares }: Compared, text: string): string {
  if (compares === "without-case") return `nullif(lower(${text}), '')`;
  if (compares === "as-domain")
    return `nullif(btrim(regexp_replace(lower(${text}), '^\\s*([a-z][a-z0-9+.-]*://)?(www\\.(?=[^/?#:]*\\.))?([^/?#:]*).*$', '\\3'), E' .\\t\\r\\n'), '')`;
  return text;
}

/** SQL: a text as something is looked for in it: without case where it compares so, otherwise as it was written. */
export function searchable({ compares }: Compared, text: string): string {
  return compares === "exactly" ? text : `lower(${text})`;
}

/** SQL: a composite's sub-field as text. */
export function subFieldText(column: string, subField: string): string {
  return `(${column} ->> ${literal(subField)})`;
}

/** SQL: the column, or its main sub-field, as it must be unique. Empty text is no value: any number may have it. */
export function uniqueExpression(field: Pick<CrmField, "column" | "info" | "compares">, alias = ""): string {
  const { info, compares } = field;
  const column = alias === "" ? field.column : `${alias}.${field.column}`;
  if (info.main === undefined && info.comparesAs !== "text") return column;
  const text = info.main === undefined ? column : subFieldText(column, info.main);
  return compares === "exactly" ? `nullif(${text}, '')` : comparable(field, text);
}

/** Of a longer text an index takes this much, and sorting looks at no more. */
export const orderedCharacters = 200;

/** What tells how a field's values are ordered: of a field, or of what will be one. */
export type Ordered = Pick<CrmField, "type" | "column" | "info" | "compares">;

/**
 * SQL: a field, or a sub-field of a composite, as filters and sorting order it: an index on exactly this
 * serves both. Text is ordered by its characters' numbers, so that beginnings are found by the index too.
 */
export function indexExpression(field: Ordered, subField: string | null = null, alias = ""): string {
  const { info } = field;
  const column = alias === "" ? field.column : `${alias}.${field.column}`;
  const sub = subField ?? info.main;
  if (sub === undefined) return info.comparesAs === "text" ? orderedText(field, column) : column;
  const text = subFieldText(column, sub);
  const kind = info.subFields?.[sub]?.kind;
  if (kind === "integer" || kind === "number") return `(${text})::numeric`;
  return orderedText(sub === info.main ? field : { type: "TEXT", compares: "exactly" }, text);
}

/** SQL: a text as it is ordered. Options are short, and ordered as they are. */
export function orderedText({ type, compares }: Pick<CrmField, "type" | "compares">, text: string): string {
  if (type === "SELECT" || type === "RATING") return text;
  return `${beginning(comparable({ compares }, text))} collate "C"`;
}

/** SQL: as much of a text as its order sees. */
export function beginning(text: string): string {
  return `left(${text}, ${orderedCharacters})`;
}
