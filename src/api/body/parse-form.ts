import type { JsonObject } from "../../json.ts";
import { checkText } from "./check-json.ts";
import { malformed } from "./malformed.ts";

const maxFields = 1_000;

/** `a=1&b=2` as a query string or a form sends it. A field given more than once becomes a list. */
export function parseForm(text: string): JsonObject {
  const pairs = text.split("&").filter((part) => part !== "");
  return collectFields(
    pairs.map((part): [string, string] => {
      const equals = part.indexOf("=");
      return equals === -1 ? [decode(part), ""] : [decode(part.slice(0, equals)), decode(part.slice(equals + 1))];
    }),
  );
}

/** Named texts as one object; the names and texts are checked like those of a JSON body. */
export function collectFields(pairs: ReadonlyArray<readonly [string, string]>): JsonObject {
  if (pairs.length > maxFields) throw malformed(`There are more than ${maxFields} fields.`);
  const fields = new Map<string, string | string[]>();
  for (const [field, text] of pairs) {
    checkText(field, "A field's name");
    checkText(text, field);
    if (field === "__proto__") throw malformed("__proto__ is a field that is never accepted.");
    const before = fields.get(field);
    if (before === undefined) fields.set(field, text);
    else if (typeof before === "string") fields.set(field, [before, text]);
    else before.push(text);
  }
  return Object.fromEntries(fields);
}

// Stricter than URLSearchParams, which turns bytes that are not UTF-8 into U+FFFD without a word.
function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch (error) {
    throw malformed("A field is not valid percent-encoded UTF-8.", error);
  }
}
