import type { Json } from "../../json.ts";

/** A row of CSV, with its line break. A null leaves nothing between the commas, an empty text quotes. */
export function csvRow(cells: readonly (string | null)[]): string {
  return `${cells.map(csvCell).join(",")}\r\n`;
}

function csvCell(text: string | null): string {
  if (text === null) return "";
  return text === "" || /[",\r\n;\t|]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A value as text: lists and objects as JSON. */
export function cellText(value: Json | undefined): string | null {
  if (value === null || value === undefined) return null;
  return typeof value === "string" ? value : JSON.stringify(value);
}

/**
 * What a spreadsheet would reckon with: a text that begins like a formula. Numbers with a sign, such as
 * phone numbers, do no harm.
 */
const formula = /^'*(?:[=@\t\r]|[-+](?![\d\s()./-]*$))/;

/** A text so that no spreadsheet takes it for a formula: with an apostrophe before it. */
export function guardFormula(text: string): string {
  return formula.test(text) ? `'${text}` : text;
}

/** The text that `guardFormula` was given. */
export function unguardFormula(text: string): string {
  return text.startsWith("'") && formula.test(text) ? text.slice(1) : text;
}
