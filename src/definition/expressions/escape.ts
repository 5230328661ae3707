import type { Json } from "../../json.ts";
import { kindOf, ValueFault } from "./values.ts";

/**
 * Where text stands, which decides how expressions in it are escaped (DEFINITION.md, "Place"). An `address`
 * is a whole URL: an expression at its very beginning is a URL itself, all others are as in a `url`. What is
 * `verbatim` has none: braces in it are its own.
 */
export type Place = "data" | "text" | "html" | "url" | "address" | "header" | "verbatim";

/** A value as text; `name` is how it is written. What has no text of its own needs `| json` or `| default`. */
export function asText(value: Json, name: string): string {
  if (value === null) throw new ValueFault(`${name} is null, which cannot stand in text. Add "| default: …"`);
  if (typeof value === "object")
    throw new ValueFault(`${name} is ${kindOf(value)}, which cannot stand in text. Add "| json" to write it as JSON`);
  return String(value);
}

const htmlCharacters: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Escapes text for its place. `raw` opts out, except in URLs; what a header must not hold is always refused. */
export function escapeFor(place: Place, text: string, raw: boolean): string {
  switch (place) {
    case "html":
      return raw ? text : text.replace(/[&<>"']/g, (character) => htmlCharacters[character] ?? character);
    case "url":
    case "address":
      return encodeURIComponent(text.toWellFormed()).replace(
        /[!'()*]/g,
        (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
      );
    case "header":
      // oxlint-disable-next-line no-control-regex -- these are what a header must not hold.
      if (/[\r\n\u0000]/.test(text)) throw new ValueFault("a header cannot hold line breaks");
      return text;
    case "text":
    case "data":
    case "verbatim":
      return text;
  }
}

/**
 * Refuses what the whole text must not be in its place: in a URL a part of the path that is `.` or
 * `..`, which percent-encoding does not disarm.
 */
export function checkWhole(place: Place, text: string): void {
  if (place !== "url") return;
  const path = text.replace(/[?#].*$/s, "").replace(/^[a-z][a-z0-9+.-]*:\/\//i, "");
  if (path.split("/").some((part) => /^(\.|%2e){1,2}$/i.test(part)))
    throw new ValueFault(`a part of a path cannot be "." or ".."`);
}
