import { isJsonObject, type Json } from "../json.ts";
import { createMatcher } from "./matcher.ts";
import { writtenForms } from "./written-forms.ts";

/** Takes values of secrets out of what is to be stored or shown. */
export interface Redactor {
  text(text: string): string;
  /** In texts and in keys, however deep. */
  json(value: Json): Json;
}

/** What stands where a value stood. */
export const redacted = "[redacted]";

/**
 * Values that are shorter than this are left alone: they stand in half of all texts by chance, and what
 * says so little hides nothing.
 */
export const shortestRedacted = 4;

/**
 * A redactor of these values, in every form in which programs write them. It reads a text once, however
 * many values there are; of forms that overlap, all that they cover goes.
 */
export function createRedactor(values: Iterable<string | Buffer>): Redactor {
  const forms = [...values].flatMap((value) => {
    const bytes = Buffer.isBuffer(value) ? value : Buffer.from(value);
    return bytes.toString().length < shortestRedacted ? [] : writtenForms(bytes);
  });
  const covered = createMatcher(forms.filter((form) => form.length >= shortestRedacted));
  const text = (given: string): string => {
    let [clean, place] = ["", 0];
    for (const { start, end } of covered(given)) {
      clean += given.slice(place, start) + redacted;
      place = end;
    }
    return place === 0 ? given : clean + given.slice(place);
  };
  return { text, json: (value) => redactJson(value, text) };
}

/** Bodies and results are nested no deeper than 64 levels: whoever reads them has seen to that. */
function redactJson(value: Json, text: (given: string) => string): Json {
  if (typeof value === "string") return text(value);
  if (Array.isArray(value)) return value.map((item) => redactJson(item, text));
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [text(key), redactJson(item, text)]));
}
