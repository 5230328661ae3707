import type { Json } from "../../json.ts";
import { kindOf, ValueFault } from "./values.ts";

/** Where text stands, which decides how expressions in it are escaped (DEFINITION.md, "Place"). */
export type Place = "data" | "text" | "html" | "url" | "header";

/** A value as text. An object or a list has no text of its own: whoever means JSON says `| json`. */
export function asText(value: Json): string {
  if (value === null) throw new ValueFault(`a null value cannot stand in text. Add "| default: …"`);
  if (typeof value === "object")
    throw new ValueFault(`${kindOf(value)} cannot stand in text. Add "| json" to write it as JSON`);
  return String(value);
}

const htmlCharacters: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Escapes text for its place. `raw` opts out, except in URLs and headers. */
export function escapeFor(place: Place, text: string, raw: boolean): string {
  switch (place) {
    case "html":
      return raw ? text : text.replace(/[&<>"']/g, (character) => htmlCharacters[character] ?? character);
    case "url":
      return encodeURIComponent(text).replace(
        /[!'()*]/g,
        (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
      );
    case "header":
      // oxlint-disable-next-line no-control-regex -- these are what a header must not hold.
      if (/[\r\n\u0000]/.test(text)) throw new ValueFault("a header cannot hold line breaks");
      return text;
    case "text":
    case "data":
      return text;
  }
}
