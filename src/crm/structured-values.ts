import type { Json } from "../json.ts";
import { describe, FieldFault, parseText, within } from "./plain-values.ts";

const mostItems = 1_000;
const longestJson = 1_048_576;

/** A list, each item by `parse`; `distinct`: what comes again is left out. Throws FieldFault. */
export function parseList(
  value: Json,
  parse: (item: Json) => string,
  { distinct = false }: { distinct?: boolean } = {},
): string[] {
  if (!Array.isArray(value)) throw new FieldFault(`takes a list, but got ${describe(value)}`);
  if (value.length > mostItems) throw new FieldFault(`takes at most ${mostItems} items, but got ${value.length}`);
  const items = value.map((item, position) => within(`[${position}]`, () => parse(item)));
  return distinct ? [...new Set(items)] : items;
}

/** Any JSON that Postgres can hold, 1 MiB at most. Throws FieldFault. */
export function parseAnyJson(value: Json): Json {
  if (JSON.stringify(value).length > longestJson) throw new FieldFault("is longer than 1 MiB");
  checkTexts(value);
  return value;
}

function checkTexts(value: Json): void {
  if (typeof value === "string") parseText(value);
  else if (Array.isArray(value)) value.forEach((item, position) => within(`[${position}]`, () => checkTexts(item)));
  else if (typeof value === "object" && value !== null)
    for (const [key, item] of Object.entries(value)) {
      parseText(key);
      within(key, () => checkTexts(item));
    }
}
