import { literal } from "../sql.ts";
import type { CrmField } from "./objects.ts";

/**
 * SQL: text of a field as it is compared, null where it is empty. Unique indexes are built on exactly
 * this expression, and filters write it, so that an equality finds the index.
 */
export function comparable(field: Pick<CrmField, "compares">, text: string): string {
  if (field.compares === "without-case") return `nullif(lower(${text}), '')`;
  if (field.compares === "as-domain")
    return `nullif(regexp_replace(lower(${text}), '^\\s*([a-z][a-z0-9+.-]*://)?(www\\.)?([^/?#:\\s]*).*$', '\\3'), '')`;
  return text;
}

/** A value as `comparable` makes the column: the same function over a parameter. */
export function comparableParameter(field: Pick<CrmField, "compares">, placeholder: string): string {
  return comparable(field, placeholder);
}

/** SQL: a composite's sub-field as text. */
export function subFieldText(column: string, subField: string): string {
  return `(${column} ->> ${literal(subField)})`;
}

/** SQL: the column, or its main part, as it must be unique. */
export function uniqueExpression(field: CrmField, alias = ""): string {
  const column = alias === "" ? field.column : `${alias}.${field.column}`;
  const text = field.info.main === undefined ? column : subFieldText(column, field.info.main);
  return comparable(field, text);
}
